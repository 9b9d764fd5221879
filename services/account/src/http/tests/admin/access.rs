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
    assert_eq!(admin.get("/account/admin/users").await.status, StatusCode::SEE_OTHER, "the session has ended");
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
            parameters.starts_with("rd=%2Fadmin%2Fusers%2F") && parameters.ends_with("&max_age=600"),
            "{parameters}"
        );
    }
    assert_eq!(admin.get("/account/admin/users/new").await.status, StatusCode::SEE_OTHER);
    assert_eq!(admin.get(&bench.path_of("marie", "")).await.status, StatusCode::OK, "reading is not dangerous");

    // the form was shown in time, and is sent too late
    bench.signed_in(Duration::from_secs(599), "1", false);
    let path = bench.path_of("marie", "/delete");
    let csrf = admin.get(&path).await.field("csrf", 1);
    let form = [("csrf", &*csrf), ("username", "marie")];
    bench.signed_in(TEN_MINUTES, "1", false);
    let late = admin.post(&path, &form).await;
    assert!(late.status == StatusCode::FORBIDDEN && late.page.contains("max_age=600"), "{}", late.page);
    bench.bench.idp.lists().current = GetCurrentSessionResponse::default();
    assert_eq!(admin.post(&path, &form).await.status, StatusCode::FORBIDDEN, "a credential without a session");
    bench.signed_in(Duration::ZERO, "1", false);
    assert_eq!(admin.get(&bench.path_of("marie", "")).await.status, StatusCode::OK, "the user is still there");
    assert_eq!(admin.post(&path, &form).await.status, StatusCode::SEE_OTHER);
    assert_eq!(admin.get(&bench.path_of("marie", "")).await.status, StatusCode::NOT_FOUND);
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
