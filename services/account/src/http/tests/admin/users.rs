//! The pages for users.

use std::sync::Arc;

use ::users::Change;
use axum::http::StatusCode;
use proto::doorward::idp::v1::AccountEvent;
use secrecy::SecretString;
use token::{KeyRing, Verifier};

use super::super::fake_account_admin::FakeAccountAdmin;
use super::super::support::{SECRET, context};
use super::AdminBench;

const USERS: &str = "/account/admin/users";

#[tokio::test]
async fn user_is_created_changed_disabled_and_deleted_by_the_forms() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let csrf = admin.get("/account/admin/users/new").await.field("csrf", 1);
    let new = [("csrf", &*csrf), ("username", "lise"), ("mail", "lise@example.org"), ("role", "guest")];
    let created = admin.post("/account/admin/users/new", &new).await;
    let path = created.location().strip_suffix("?done=created").expect("a new user").to_owned();
    let path = format!("/account{path}");
    let page = admin.get(&format!("{path}?done=created")).await;
    assert!(page.page.contains("The account is created.") && page.page.contains("Guest"), "{}", page.page);

    let csrf = page.field("csrf", 2);
    let change = [("csrf", &*csrf), ("display_name", "Lise <M>"), ("mail", "")];
    assert!(admin.post(&path, &change).await.location().ends_with("?done=saved"));
    let page = admin.get(&path).await.page;
    assert!(page.contains("Lise &#60;M&#62;") && !page.contains("lise@example.org"), "{page}");

    let roles = format!("{path}/roles");
    let csrf = admin.get(&roles).await.field("csrf", 1);
    let form = [("csrf", &*csrf), ("role", "user"), ("role", "spaceadmin")];
    assert!(admin.post(&roles, &form).await.location().ends_with("?done=roles"));
    let page = admin.get(&path).await.page;
    assert!(page.contains("<bdi>Administrator of spaces</bdi>") && !page.contains("<bdi>Guest</bdi>"), "{page}");

    for (act, state) in [("disable", "Disabled"), ("enable", "Active")] {
        let act = format!("{path}/{act}");
        let csrf = admin.get(&act).await.field("csrf", 1);
        assert_eq!(admin.post(&act, &[("csrf", &csrf)]).await.status, StatusCode::SEE_OTHER, "{act}");
        let page = admin.get(&path).await.page;
        assert!(page.contains(&format!("<dd>{state}</dd>")), "{page}");
    }

    let delete = format!("{path}/delete");
    let csrf = admin.get(&delete).await.field("csrf", 1);
    let wrong = admin.post(&delete, &[("csrf", &csrf), ("username", "marie")]).await;
    assert!(wrong.status == StatusCode::BAD_REQUEST && wrong.page.contains("id=\"username-error\""), "{}", wrong.page);
    let deleted = admin.post(&delete, &[("csrf", &csrf), ("username", "lise")]).await;
    assert_eq!(deleted.location(), "/admin/users?done=deleted");
    assert_eq!(admin.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn refused_values_are_explained_next_to_their_fields() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let csrf = admin.get("/account/admin/users/new").await.field("csrf", 1);
    for (username, mail, field) in
        [("marie", "", "username"), ("a:b", "", "username"), ("", "", "username"), ("lise", "nothing", "mail")]
    {
        let form = [("csrf", &*csrf), ("username", username), ("mail", mail), ("role", "user")];
        let reply = admin.post("/account/admin/users/new", &form).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{username} {mail}");
        let error = format!("id=\"{field}-error\"");
        assert!(reply.page.contains(&error), "{username} {mail}: {}", reply.page);
        assert!(reply.page.contains(&format!("value=\"{username}\"")), "what was entered stays: {}", reply.page);
    }
    let path = bench.path_of("marie", "");
    let csrf = admin.get(&path).await.field("csrf", 2);
    let reply = admin.post(&path, &[("csrf", &csrf), ("display_name", ""), ("mail", "")]).await;
    assert!(reply.page.contains("id=\"display_name-error\""), "{}", reply.page);
}

/// Row [N5](../../../../../../docs/security-requirements.md#n5).
#[tokio::test]
async fn administrators_do_not_lock_themselves_out() {
    let (bench, stub) = AdminBench::with_stub().await;
    let mut admin = bench.browser("admin");
    let page = admin.get(&bench.path_of("admin", "")).await.page;
    let acts = ["/disable", "/delete", "/remove-password", "/reset-factors"];
    assert!(!acts.iter().any(|act| page.contains(&format!("{act}\""))), "{page}");
    let of_marie = admin.get(&bench.path_of("marie", "")).await.page;
    assert!(of_marie.contains("/remove-password\"") && of_marie.contains("/reset-factors\""), "{of_marie}");
    for act in acts {
        let path = bench.path_of("admin", act);
        assert_eq!(admin.get(&path).await.status, StatusCode::BAD_REQUEST, "{act}");
        assert_eq!(admin.post(&path, &[]).await.status, StatusCode::BAD_REQUEST, "{act}");
    }
    let calls = stub.calls();
    assert!(!calls.iter().any(|call| call == "RemovePassword" || call == "ResetFactors"), "{calls:?}");
    let path = bench.path_of("admin", "/roles");
    let csrf = admin.get(&path).await.field("csrf", 1);
    let refused = admin.post(&path, &[("csrf", &csrf), ("role", "user")]).await;
    assert!(refused.status == StatusCode::BAD_REQUEST && refused.page.contains("role=\"alert\""), "{}", refused.page);
    let page = admin.get(&bench.path_of("admin", "")).await.page;
    assert!(page.contains("<bdi>Administrator</bdi>"), "{page}");
}

#[tokio::test]
async fn partly_done_act_is_said_to_be_done_and_to_be_repeated() {
    let (bench, stub) = AdminBench::with_stub().await;
    let mut admin = bench.browser("admin");
    let unavailable = || status::grpc(status::Kind::Unavailable, "the directory does not answer");
    for (act, method, failure, title) in [
        ("/remove-password", "RemovePassword", status::partly_done(unavailable()), "Done, but not everywhere"),
        ("/password", "SetPassword", status::partly_done(unavailable()), "Done, but not everywhere"),
        ("/remove-password", "RemovePassword", unavailable(), "Not possible at the moment"),
        ("/disable", "EndAllUserSessions", unavailable(), "Done, but not everywhere"),
    ] {
        let path = bench.path_of("marie", act);
        let csrf = admin.get(&path).await.field("csrf", 1);
        stub.fail(method, failure);
        let reply = admin.post(&path, &[("csrf", &csrf), ("password", "seven otters juggle lamps")]).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{act}");
        assert!(reply.page.contains(title), "{act}: {}", reply.page);
        stub.recover();
    }
    let page = admin.get(&bench.path_of("marie", "")).await.page;
    assert!(page.contains("<dd>Disabled</dd>"), "{page}");
}

/// Row [N8](../../../../../../docs/security-requirements.md#n8).
#[tokio::test]
async fn form_overwrites_nothing_that_someone_else_has_changed_meanwhile() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let (path, roles, profile) =
        (bench.path_of("marie", ""), bench.path_of("marie", "/roles"), bench.path_of("marie", "/profile"));
    let csrf = admin.get(&path).await.field("csrf", 2);
    let change = |display_name, mail, shown_mail| {
        [
            ("csrf", &*csrf),
            ("display_name", display_name),
            ("shown_display_name", "MARIE"),
            ("mail", mail),
            ("shown_mail", shown_mail),
        ]
    };
    assert!(admin.post(&path, &change("MARIE", "one@example.org", "")).await.location().ends_with("?done=saved"));
    // an old form that changes the name alone
    assert!(admin.post(&path, &change("Marie", "", "")).await.location().ends_with("?done=saved"));
    let page = admin.get(&path).await;
    assert!(page.page.contains("value=\"one@example.org\"") && page.page.contains("value=\"Marie\""), "{}", page.page);
    // an old form that changes the mail address too
    let conflict = admin.post(&path, &change("MARIE", "two@example.org", "")).await;
    assert_eq!(conflict.status, StatusCode::CONFLICT);
    assert!(conflict.page.contains("Now stored: one@example.org."), "{}", conflict.page);
    assert!(conflict.page.contains("value=\"two@example.org\""), "what was entered stays: {}", conflict.page);
    assert_eq!(conflict.field("shown_mail", 1), "one@example.org");
    assert_eq!(conflict.field("shown_display_name", 1), "Marie", "what the form did not change is as it is stored");
    assert!(
        admin.post(&path, &change("MARIE", "two@example.org", "one@example.org")).await.location().contains("done=")
    );

    let form = admin.get(&roles).await;
    let (csrf, shown) = (form.field("csrf", 1), form.field("shown_roles", 1));
    let form = |role| [("csrf", &*csrf), ("shown_roles", &*shown), ("role", role)];
    assert!(admin.post(&roles, &form("guest")).await.location().ends_with("?done=roles"));
    let conflict = admin.post(&roles, &form("admin")).await;
    assert!(
        conflict.status == StatusCode::CONFLICT && conflict.page.contains("Now stored: Guest."),
        "{}",
        conflict.page
    );
    let page = admin.get(&path).await.page;
    assert!(page.contains("<bdi>Guest</bdi>") && !page.contains("<bdi>Administrator</bdi>"), "{page}");

    let csrf = admin.get(&profile).await.field("csrf", 1);
    let form = |nickname| [("csrf", &*csrf), ("nickname", nickname), ("shown_nickname", "")];
    assert!(admin.post(&profile, &form("Manya")).await.location().ends_with("?done=profile"));
    assert!(admin.post(&profile, &form("")).await.location().ends_with("?done=profile"), "this form changes nothing");
    let conflict = admin.post(&profile, &form("Maria")).await;
    assert!(
        conflict.status == StatusCode::CONFLICT && conflict.page.contains("Now stored: Manya."),
        "{}",
        conflict.page
    );
    assert!(admin.get(&profile).await.page.contains("value=\"Manya\""));
}

/// Row [N8](../../../../../../docs/security-requirements.md#n8).
#[tokio::test]
async fn change_that_arrives_between_the_comparison_and_the_writing_is_not_overwritten() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let (path, roles, profile) =
        (bench.path_of("marie", ""), bench.path_of("marie", "/roles"), bench.path_of("marie", "/profile"));
    let meanwhile = |change| *bench.calls.meanwhile.lock().expect("no test has panicked") = Some(change);

    let csrf = admin.get(&path).await.field("csrf", 2);
    let form = [("csrf", &*csrf), ("display_name", "Marie"), ("mail", "two@example.org")];
    meanwhile(Change { mail: Some("one@example.org".to_owned()), ..Change::default() });
    let conflict = admin.post(&path, &form).await;
    assert_eq!(conflict.status, StatusCode::CONFLICT, "{}", conflict.page);
    assert!(conflict.page.contains("Now stored: one@example.org."), "{}", conflict.page);
    assert!(conflict.page.contains("value=\"two@example.org\""), "what was entered stays: {}", conflict.page);
    assert_eq!(conflict.field("shown_mail", 1), "one@example.org");
    // another field may be changed at the same time
    let csrf = conflict.field("csrf", 2);
    meanwhile(Change { mail: Some("three@example.org".to_owned()), ..Change::default() });
    let name = [("csrf", &*csrf), ("display_name", "Marie")];
    assert!(admin.post(&path, &name).await.location().ends_with("?done=saved"));
    let page = admin.get(&path).await.page;
    assert!(page.contains("value=\"three@example.org\"") && page.contains("value=\"Marie\""), "{page}");

    let csrf = admin.get(&roles).await.field("csrf", 1);
    meanwhile(Change { roles: Some(vec!["guest".to_owned()]), ..Change::default() });
    let conflict = admin.post(&roles, &[("csrf", &csrf), ("role", "admin")]).await;
    let is_shown = conflict.page.contains("Now stored: Guest.");
    assert!(conflict.status == StatusCode::CONFLICT && is_shown, "{}", conflict.page);

    let csrf = admin.get(&profile).await.field("csrf", 1);
    meanwhile(Change { display_name: Some("Manya".to_owned()), ..Change::default() });
    let conflict = admin.post(&profile, &[("csrf", &csrf), ("display_name", "Maria"), ("nickname", "M")]).await;
    let is_shown = conflict.page.contains("Now stored: Manya.");
    assert!(conflict.status == StatusCode::CONFLICT && is_shown, "{}", conflict.page);
    assert!(!admin.get(&profile).await.page.contains("value=\"M\""), "all or nothing");
}

#[tokio::test]
async fn names_of_users_are_looked_up_with_one_call() {
    let keys = KeyRing::new(&SecretString::from(SECRET), None).expect("is long enough");
    let idp = FakeAccountAdmin::new(Verifier::new(Arc::new(keys)), context().clock);
    let server = idp.server();
    let bench = AdminBench::with(async move |administration, _| administration.with_idp(server)).await;
    let event = |user_id: String| AccountEvent {
        user_id,
        event: "sign_in".to_owned(),
        outcome: "success".to_owned(),
        administrator_id: bench.user("admin").id.opaque_id,
        ..AccountEvent::default()
    };
    let unknown = "4c510ada-c86b-4815-8820-42cdf82c3d51";
    idp.lists().events = vec![event(bench.user("marie").id.opaque_id), event(unknown.to_owned())];
    bench.calls.paths.lock().expect("no test has panicked").clear();
    let page = bench.browser("admin").get("/account/admin/audit").await.page;
    assert!(page.contains("<bdi>marie</bdi>") && page.contains("<bdi>admin</bdi>"), "{page}");
    assert!(page.contains(unknown), "a user who is gone: {page}");
    let paths = bench.calls.paths.lock().expect("no test has panicked").clone();
    assert_eq!(paths, ["/doorward.users.v1.UsersAdminAPI/ListUserNames"]);
}

/// Row [N7](../../../../../../docs/security-requirements.md#n7).
#[tokio::test]
async fn user_is_deleted_with_password_factors_and_tokens_and_a_failure_can_be_repeated() {
    let (bench, stub) = AdminBench::with_stub().await;
    let mut admin = bench.browser("admin");
    let path = bench.path_of("marie", "/delete");
    let csrf = admin.get(&path).await.field("csrf", 1);
    let form = [("csrf", &*csrf), ("username", "marie")];
    let unavailable = || status::grpc(status::Kind::Unavailable, "auth-app cannot be reached");
    stub.fail("RevokeTokens", unavailable());
    let failed = admin.post(&path, &form).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(failed.page.contains("Removed so far: password, second factors."), "{}", failed.page);
    assert_eq!(admin.get(&bench.path_of("marie", "")).await.status, StatusCode::OK, "the user is still there");

    stub.recover();
    stub.fail("EndAllUserSessions", unavailable());
    let csrf = failed.field("csrf", 1);
    let form = [("csrf", &*csrf), ("username", "marie")];
    let failed = admin.post(&path, &form).await;
    assert!(failed.page.contains("second factors, app tokens, account."), "{}", failed.page);
    stub.recover();
    stub.calls();
    let deleted = admin.post(&path, &form).await;
    assert_eq!(deleted.location(), "/admin/users?done=deleted", "{}", deleted.page);
    assert!(stub.calls().iter().any(|call| call == "EndAllUserSessions"), "the sessions of a user who is gone end");
}

#[tokio::test]
async fn list_is_searched_and_has_pages() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let csrf = admin.get("/account/admin/users/new").await.field("csrf", 1);
    for number in 0..50 {
        let name = format!("student{number:02}");
        let form = [("csrf", &*csrf), ("username", &*name), ("role", "user")];
        assert_eq!(admin.post("/account/admin/users/new", &form).await.status, StatusCode::SEE_OTHER);
    }
    let first = admin.get(USERS).await.page;
    assert_eq!(first.matches("<th scope=\"row\"").count(), 50);
    let (_, rest) = first.split_once("<a href=\"/admin/users?after=").expect("a link to the next page");
    let after = rest.split('"').next().expect("a token");
    let second = admin.get(&format!("{USERS}?after={after}")).await.page;
    assert_eq!(second.matches("<th scope=\"row\"").count(), 3, "{second}");
    assert!(second.contains("<a href=\"/admin/users\">First page"), "{second}");

    let found = admin.get(&format!("{USERS}?q=MARI")).await.page;
    assert!(found.matches("<th scope=\"row\"").count() == 1 && found.contains("value=\"MARI\""), "{found}");
    let none = admin.get(&format!("{USERS}?q=%3Cscript%3E")).await.page;
    assert!(none.contains("No users found.") && !none.contains("<script>"), "{none}");
}

#[tokio::test]
async fn profile_of_a_user_is_changed() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let path = bench.path_of("marie", "/profile");
    let csrf = admin.get(&path).await.field("csrf", 1);
    let wrong = admin.post(&path, &[("csrf", &csrf), ("website", "javascript:alert(1)")]).await;
    assert!(wrong.status == StatusCode::BAD_REQUEST && wrong.page.contains("id=\"website-error\""), "{}", wrong.page);
    let form = [("csrf", &*csrf), ("nickname", "Manya"), ("display_name", "Marie Curie")];
    assert!(admin.post(&path, &form).await.location().ends_with("?done=profile"));
    let page = admin.get(&path).await.page;
    assert!(page.contains("value=\"Manya\"") && page.contains("value=\"Marie Curie\""), "{page}");
    assert!(!page.contains("javascript:"), "{page}");
}
