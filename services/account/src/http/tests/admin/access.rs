//! Who reaches the administration pages, and with which sign-in.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, X_FRAME_OPTIONS};
use proto::doorward::idp::v1::GetCurrentSessionResponse;

use super::AdminBench;

const TEN_MINUTES: Duration = Duration::from_mins(10);

/// Row [N1](../../../../../../docs/security-requirements.md#n1).
#[tokio::test]
async fn others_learn_nothing_of_the_administration() {
    let bench = AdminBench::new().await;
    let mut pages = Vec::new();
    for path in ["", "/users", "/users/new", "/groups", "/health", "/nothing", "/users/1/nothing"] {
        let mut marie = bench.browser("marie");
        let path = format!("/account/admin{path}");
        for reply in [marie.get(&path).await, marie.post(&path, &[]).await] {
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}");
            pages.push(reply.page);
        }
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
    assert!(pages[0].contains("This is for administrators") && !pages[0].contains("App tokens"), "{}", pages[0]);
    let stranger = bench.bench.stranger().get("/account/admin/users").await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    for (name, is_shown) in [("marie", false), ("admin", true)] {
        let page = bench.browser(name).get("/account").await.page;
        assert_eq!(page.contains("href=\"/admin\""), is_shown, "{name}: {page}");
    }
}

#[tokio::test]
async fn first_page_is_that_of_the_users_and_unknown_paths_are_not_found() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let first = admin.get("/account/admin").await;
    assert_eq!((first.status, first.location()), (StatusCode::SEE_OTHER, "/admin/users"));
    for path in ["/nothing", "/users/new/nothing/at/all"] {
        assert_eq!(admin.get(&format!("/account/admin{path}")).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let users = admin.get("/account/admin/users").await;
    assert_eq!(users.status, StatusCode::OK);
    assert!(users.headers[CACHE_CONTROL] == "no-store" && users.headers[X_FRAME_OPTIONS] == "DENY");
}

/// Row [N2](../../../../../../docs/security-requirements.md#n2).
#[tokio::test]
async fn administrator_with_a_second_factor_uses_it_for_every_page() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    bench.signed_in(Duration::ZERO, "1", true);
    let reply = admin.get("/account/admin/users?q=a%26b").await;
    let sign_in = "/_doorward/login?rd=%2Fadmin%2Fusers%3Fq%3Da%2526b&step_up=1";
    assert_eq!((reply.status, reply.location()), (StatusCode::SEE_OTHER, sign_in));
    let form = admin.post("/account/admin/groups", &[("name", "physicists")]).await;
    assert_eq!(form.status, StatusCode::FORBIDDEN);
    assert!(form.page.contains("href=\"/_doorward/login?rd=") && form.page.contains("step_up=1"), "{}", form.page);

    for level in ["mfa", "phr"] {
        bench.signed_in(Duration::from_hours(1), level, true);
        assert_eq!(admin.get("/account/admin/users").await.status, StatusCode::OK, "{level}");
    }
    let ended = GetCurrentSessionResponse { second_factor_enrolled: true, ..GetCurrentSessionResponse::default() };
    bench.bench.idp.lists().current = ended;
    let unknown = admin.get("/account/admin/users").await;
    assert_eq!(unknown.status, StatusCode::FORBIDDEN, "a redirect would come back without end");
    assert!(unknown.page.contains("doorward user --help") && unknown.page.contains("step_up=1"), "{}", unknown.page);
    bench.bench.idp.lists().current.second_factor_enrolled = false;
    assert_eq!(admin.get("/account/admin/users").await.status, StatusCode::OK);
    let dangerous = admin.get(&bench.path_of("marie", "/delete")).await;
    assert!(dangerous.status == StatusCode::FORBIDDEN && dangerous.page.contains("doorward user --help"));
}

/// Row [N2](../../../../../../docs/security-requirements.md#n2).
#[tokio::test]
async fn sign_in_after_a_form_returns_to_the_page_that_has_it() {
    let bench = AdminBench::with_stub().await.0;
    let mut admin = bench.browser("admin");
    let groups = "/account/admin/groups";
    let csrf = admin.get(groups).await.field("csrf", 1);
    let group = admin.post(groups, &[("csrf", &csrf), ("name", "physicists")]).await;
    let group = format!("/account{}", group.location().strip_suffix("?done=created").expect("a new group"));
    let paths = ["/groups", "/groups/remove", "/access/end-session", "/access/disconnect", "/roles", "/delete", ""];
    let of_user = paths.map(|below| bench.path_of("marie", below));
    let of_group = ["/members", "/members/remove", "/delete", ""].map(|below| format!("{group}{below}"));
    let others =
        ["/tokens/revoke", "/sessions/end", "/users/new", "/groups"].map(|below| format!("/account/admin{below}"));
    let mut pages = Vec::new();
    bench.signed_in(Duration::ZERO, "1", true);
    for path in of_user.into_iter().chain(of_group).chain(others) {
        let refused = admin.post(&path, &[]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        let (_, rest) = refused.page.split_once("login?rd=").expect("a link to the sign-in");
        let page = rest.split('&').next().expect("a value").replace("%2F", "/");
        pages.push((path, page));
    }
    bench.signed_in(Duration::ZERO, "mfa", true);
    for (path, page) in pages {
        assert_eq!(admin.get(&format!("/account{page}")).await.status, StatusCode::OK, "{path} returns to {page}");
    }
}

#[tokio::test]
async fn what_needs_a_recent_sign_in_is_not_offered_without_idp() {
    let bench = AdminBench::without_idp().await;
    let mut admin = bench.browser("admin");
    let list = admin.get("/account/admin/users").await.page;
    assert!(list.contains("<bdi>MARIE</bdi>") && !list.contains("/users/new\""), "{list}");
    let page = admin.get(&bench.path_of("marie", "")).await.page;
    assert!(page.contains("name=\"display_name\"") && page.contains("/profile\""), "{page}");
    for below in ["roles", "password", "disable", "delete", "remove-password"] {
        assert!(!page.contains(&format!("/{below}\"")), "{below}: {page}");
    }
    assert!(!page.contains("name=\"mail\"") && !page.contains("name=\"group\""), "{page}");
    for below in ["/roles", "/delete", "/password"] {
        let refused = admin.get(&bench.path_of("marie", below)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{below}");
        assert!(
            refused.page.contains("doorward user --help") && !refused.page.contains("login?rd="),
            "{}",
            refused.page
        );
    }
    let csrf = admin.get(&bench.path_of("marie", "")).await.field("csrf", 1);
    let form = [("csrf", &*csrf), ("display_name", "Marie"), ("mail", "marie@evil.example")];
    let refused = admin.post(&bench.path_of("marie", ""), &form).await;
    assert!(
        refused.status == StatusCode::FORBIDDEN && refused.page.contains("doorward user --help"),
        "{}",
        refused.page
    );
}

/// Row [N3](../../../../../../docs/security-requirements.md#n3).
#[tokio::test]
async fn dangerous_acts_need_a_sign_in_of_the_last_ten_minutes() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    bench.signed_in(TEN_MINUTES, "1", false);
    for below in ["/delete", "/disable", "/roles"] {
        let path = bench.path_of("marie", below);
        let reply = admin.get(&path).await;
        let (sign_in, parameters) = reply.location().split_once('?').expect("a redirect");
        assert_eq!((reply.status, sign_in), (StatusCode::SEE_OTHER, "/_doorward/login"), "{path}");
        assert!(
            parameters.starts_with("rd=%2Fadmin%2Fusers%2F") && parameters.ends_with("&max_age=300"),
            "{parameters}"
        );
    }
    assert_eq!(admin.get("/account/admin/users/new").await.status, StatusCode::SEE_OTHER);
    assert_eq!(admin.get(&bench.path_of("marie", "")).await.status, StatusCode::OK, "reading is not dangerous");

    // a form that would soon be refused is not shown
    let path = bench.path_of("marie", "/delete");
    bench.signed_in(Duration::from_mins(5), "1", false);
    assert_eq!(admin.get(&path).await.status, StatusCode::SEE_OTHER);
    bench.signed_in(Duration::from_secs(299), "1", false);
    let csrf = admin.get(&path).await.field("csrf", 1);
    let wrong = [("csrf", &*csrf), ("username", "mary")];
    bench.signed_in(Duration::from_secs(599), "1", false);
    assert_eq!(admin.post(&path, &wrong).await.status, StatusCode::BAD_REQUEST, "there is time to fill it in");
    // it is sent too late
    let form = [("csrf", &*csrf), ("username", "marie")];
    bench.signed_in(TEN_MINUTES, "1", false);
    let late = admin.post(&path, &form).await;
    assert!(late.status == StatusCode::FORBIDDEN && late.page.contains("max_age=300"), "{}", late.page);
    bench.bench.idp.lists().current = GetCurrentSessionResponse::default();
    assert_eq!(admin.post(&path, &form).await.status, StatusCode::FORBIDDEN, "a credential without a session");
    bench.signed_in(Duration::ZERO, "1", false);
    assert_eq!(admin.get(&bench.path_of("marie", "")).await.status, StatusCode::OK, "the user is still there");
    assert_eq!(admin.post(&path, &form).await.status, StatusCode::SEE_OTHER);
    assert_eq!(admin.get(&bench.path_of("marie", "")).await.status, StatusCode::NOT_FOUND);
}

/// Row [N3](../../../../../../docs/security-requirements.md#n3).
#[tokio::test]
async fn mail_address_and_memberships_need_a_recent_sign_in_and_nothing_entered_is_lost() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let groups = "/account/admin/groups";
    let csrf = admin.get(groups).await.field("csrf", 1);
    let group = admin.post(groups, &[("csrf", &csrf), ("name", "physicists")]).await;
    let group = format!("/account{}", group.location().strip_suffix("?done=created").expect("a new group"));
    let (user, id) = (bench.path_of("marie", ""), bench.user("marie").id.opaque_id);
    let page = admin.get(&user).await;
    let (csrf, of_groups) = (page.field("csrf", 2), page.field("csrf", 1));
    let group_csrf = admin.get(&group).await.field("csrf", 1);
    bench.signed_in(TEN_MINUTES, "1", false);

    let members = format!("{group}/members");
    for (path, form, kept) in [
        (user.clone(), vec![("csrf", &*csrf), ("display_name", "MARIE"), ("mail", "m@evil.example")], "m@evil.example"),
        (format!("{user}/groups"), vec![("csrf", &*of_groups), ("group", "physicists")], "physicists"),
        (format!("{user}/groups/remove"), vec![("csrf", &*of_groups), ("group", "1")], "MARIE"),
        (members.clone(), vec![("csrf", &*group_csrf), ("username", "marie")], "marie"),
        (format!("{members}/remove"), vec![("csrf", &*group_csrf), ("user", &*id)], "physicists"),
        (group.clone(), vec![("csrf", &*group_csrf), ("name", "chemists")], "chemists"),
    ] {
        let late = admin.post(&path, &form).await;
        assert_eq!(late.status, StatusCode::FORBIDDEN, "{path}");
        assert!(late.page.contains(&format!("value=\"{kept}\"")), "{path} keeps what was entered: {}", late.page);
        assert!(late.page.contains("href=\"/_doorward/login?rd=") && late.page.contains("target=\"_blank\""), "{path}");
    }
    let page = admin.get(&user).await.page;
    assert!(!page.contains("evil.example") && !page.contains("<bdi>physicists</bdi>"), "{page}");
    assert!(admin.get(&group).await.page.contains("The group has no members."));
    let name = admin.post(&user, &[("csrf", &csrf), ("display_name", "Marie"), ("mail", "")]).await;
    assert!(name.location().ends_with("?done=saved"), "the name alone gives no access: {}", name.page);

    bench.signed_in(Duration::ZERO, "1", false);
    let saved = [("csrf", &*csrf), ("display_name", "Marie"), ("mail", "m@example.org")];
    assert!(admin.post(&user, &saved).await.location().ends_with("?done=saved"));
    let added = admin.post(&members, &[("csrf", &group_csrf), ("username", "marie")]).await;
    assert!(added.location().ends_with("?done=members"), "{}", added.page);
}

/// Row [N4](../../../../../../docs/security-requirements.md#n4).
#[tokio::test]
async fn forged_form_administers_nothing() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let (path, other) = (bench.path_of("marie", "/disable"), bench.path_of("einstein", "/disable"));
    let csrf = admin.get(&path).await.field("csrf", 1);
    let of_another_user = admin.get(&other).await.field("csrf", 1);
    let of_another_act = admin.get(&bench.path_of("marie", "/roles")).await.field("csrf", 1);
    for (origin, csrf) in [
        ("https://localhost:9200", ""),
        ("https://localhost:9200", &of_another_user),
        ("https://localhost:9200", &of_another_act),
        ("https://evil.example", &csrf),
    ] {
        let reply = admin.post_from(origin, &path, &[("csrf", csrf)]).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{origin} {csrf}");
    }
    let page = admin.get(&bench.path_of("marie", "")).await.page;
    assert!(page.contains("<dd>Active</dd>"), "{page}");
}
