//! The pages on sessions, connected applications and activity.

use authn::testing::user;
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use proto::doorward::idp::v1::{AccountEvent, AccountSession, ConnectedApplication};
use tonic::Status;

use super::support::Bench;

const SESSIONS: &str = "/account/sessions";
const CONNECTED: &str = "/account/connected";
const ACTIVITY: &str = "/account/activity";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
/// 29 November 2026, 00:00 UTC.
const MIDNIGHT: i64 = 1_795_910_400;

fn id_of(name: &str) -> String {
    user(name).id.opaque_id
}

fn session(name: &str, id: &str, current: bool) -> AccountSession {
    AccountSession {
        id: id.to_owned(),
        user_id: id_of(name),
        created: MIDNIGHT,
        last_used: MIDNIGHT + 60,
        user_agent: if current { FIREFOX.to_owned() } else { "<mirall>/5.0".to_owned() },
        address: if current { "192.0.2.7".to_owned() } else { String::new() },
        current,
        ..AccountSession::default()
    }
}

fn application(client_id: &str, name: &str) -> ConnectedApplication {
    let scopes = ["openid", "offline_access", "files"].map(str::to_owned).into();
    ConnectedApplication {
        client_id: client_id.to_owned(),
        name: name.to_owned(),
        scopes,
        since: MIDNIGHT,
        last_used: None,
    }
}

fn event(name: &str, event: &str, outcome: &str) -> AccountEvent {
    AccountEvent {
        time: MIDNIGHT,
        user_id: id_of(name),
        event: event.to_owned(),
        outcome: outcome.to_owned(),
        address: "192.0.2.7".to_owned(),
        user_agent: FIREFOX.to_owned(),
        ..AccountEvent::default()
    }
}

/// einstein has this session and two others, marie has one.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.idp.lists().sessions = vec![
        session("einstein", "this", true),
        session("einstein", "one", false),
        session("einstein", "two", false),
        session("marie", "hers", false),
    ];
    bench.idp.lists().applications =
        vec![(id_of("einstein"), application("tv", "TV <set>")), (id_of("marie"), application("tv", "TV <set>"))];
    bench
}

fn left(bench: &Bench) -> Vec<String> {
    bench.idp.lists().sessions.iter().map(|session| session.id.clone()).collect()
}

/// Row [A25](../../../../docs/security-requirements.md#a25).
#[tokio::test]
async fn session_is_ended_by_its_user_alone() {
    let bench = bench().await;
    let mut browser = bench.browser("einstein");
    let list = browser.get(SESSIONS).await;
    assert_eq!(list.status, StatusCode::OK);
    for text in ["Firefox · Linux", "This session", "192.0.2.7", "&#60;mirall&#62;", "29 November 2026, 00:01 UTC"] {
        assert!(list.page.contains(text), "{text}: {}", list.page);
    }
    assert!(!list.page.contains("value=\"hers\"") && !list.page.contains("value=\"this\""), "{}", list.page);
    let (csrf, id) = (list.field("csrf", 2), list.field("id", 1));
    assert_eq!(id, "two");
    for (guess, status) in
        [("hers", StatusCode::NOT_FOUND), ("", StatusCode::NOT_FOUND), ("two", StatusCode::SEE_OTHER)]
    {
        let reply = browser.post("/account/sessions/end", &[("csrf", &csrf), ("id", guess)]).await;
        assert_eq!(reply.status, status, "{guess}");
    }
    assert_eq!(left(&bench), ["this", "one", "hers"]);
    assert!(browser.get("/account/sessions?done=ended").await.page.contains("The session is ended."));
}

#[tokio::test]
async fn other_sessions_end_and_the_current_one_stays() {
    let bench = bench().await;
    let mut browser = bench.browser("einstein");
    let csrf = browser.get(SESSIONS).await.field("csrf", 1);
    let reply = browser.post("/account/sessions/end-others", &[("csrf", &csrf)]).await;
    assert_eq!(reply.location(), "/account/sessions?done=ended-others");
    assert_eq!(left(&bench), ["this", "hers"]);
    assert!(!browser.get(reply.location()).await.page.contains("/account/sessions/end-others"), "there are no others");
}

#[tokio::test]
async fn without_a_current_session_the_others_are_not_ended() {
    let bench = bench().await;
    let mut browser = bench.browser("einstein");
    let csrf = browser.get(SESSIONS).await.field("csrf", 1);
    bench.idp.lists().sessions.remove(0);
    assert!(!browser.get(SESSIONS).await.page.contains("/account/sessions/end-others"));
    let reply = browser.post("/account/sessions/end-others", &[("csrf", &csrf)]).await;
    assert!(reply.status.is_client_error() && reply.page.contains("This browser has no session"), "{}", reply.page);
    assert_eq!(left(&bench).len(), 3);
}

#[tokio::test]
async fn all_sessions_end_after_confirmation() {
    let bench = bench().await;
    let mut browser = bench.browser("einstein");
    let csrf = browser.get("/account/sessions/end-all").await.field("csrf", 1);
    assert_eq!(left(&bench).len(), 4);
    let reply = browser.post("/account/sessions/end-all", &[("csrf", &csrf)]).await;
    assert!(reply.status == StatusCode::OK && reply.page.contains("You are signed out everywhere"), "{}", reply.page);
    assert_eq!(left(&bench), ["hers"]);
}

#[tokio::test]
async fn application_is_disconnected_for_its_user_alone() {
    let bench = bench().await;
    let mut browser = bench.browser("einstein");
    let list = browser.get(CONNECTED).await;
    for text in ["TV &#60;set&#62;", "Know who you are", "Stay connected", "files", "29 November 2026"] {
        assert!(list.page.contains(text), "{text}: {}", list.page);
    }
    let form = [("csrf", &*list.field("csrf", 1)), ("client_id", "tv")];
    let reply = browser.post("/account/connected/disconnect", &form).await;
    assert_eq!(reply.location(), "/account/connected?done=disconnected");
    let list = browser.get(reply.location()).await.page;
    assert!(list.contains("note success") && list.contains("No application has access to your account."), "{list}");
    assert_eq!(bench.idp.lists().applications.len(), 1, "that of marie");
}

#[tokio::test]
async fn activity_shows_own_events_by_pages() {
    let bench = bench().await;
    bench.idp.lists().events = vec![
        event("einstein", "sign_in", "success"),
        event("marie", "session_end_all", "done"),
        AccountEvent { client_id: "tv".to_owned(), ..event("einstein", "consent", "success") },
        event("einstein", "sign_in", "failure"),
    ];
    let mut browser = bench.browser("einstein");
    let first = browser.get(ACTIVITY).await.page;
    for text in ["Signed in", "Allowed access to an application", "<bdi>tv</bdi>", "/account/activity?after=2"] {
        assert!(first.contains(text), "{text}: {first}");
    }
    assert!(!first.contains("Sign-in failed") && !first.contains("Signed out everywhere"), "{first}");
    let second = browser.get("/account/activity?after=2").await.page;
    assert!(second.contains("Sign-in failed") && !second.contains("?after="), "{second}");
    assert_eq!(browser.get("/account/activity?after=junk").await.status, StatusCode::NOT_FOUND);
}

/// Row [A26](../../../../docs/security-requirements.md#a26).
#[tokio::test]
async fn programs_and_ended_sessions_see_no_sessions() {
    let bench = bench().await;
    for path in [SESSIONS, CONNECTED, ACTIVITY] {
        let refused = bench.restricted("app", &["user"]).get(path).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(refused.page.contains("This needs your own sign-in"), "{}", refused.page);
    }
    for (failure, status, title) in [
        (Status::unauthenticated("the session has ended"), StatusCode::UNAUTHORIZED, "Your session has ended"),
        (Status::unavailable("gone"), StatusCode::SERVICE_UNAVAILABLE, "Not possible at the moment"),
        (Status::internal("a detail"), StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong here"),
    ] {
        bench.idp.lists().failure = Some(failure);
        let reply = bench.browser("einstein").get(SESSIONS).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.headers.contains_key(WWW_AUTHENTICATE), status == StatusCode::UNAUTHORIZED);
        assert!(reply.page.contains(title) && !reply.page.contains("a detail"), "{}", reply.page);
    }
}

/// Row [A27](../../../../docs/security-requirements.md#a27).
#[tokio::test]
async fn forged_form_ends_no_session() {
    let bench = bench().await;
    let mut browser = bench.browser("einstein");
    let csrf = browser.get(SESSIONS).await.field("csrf", 2);
    let of_marie = {
        let mut marie = bench.browser("marie");
        marie.cookie.clone_from(&browser.cookie);
        marie.get(SESSIONS).await.field("csrf", 1)
    };
    let paths = ["/account/sessions/end-others", "/account/sessions/end-all", "/account/connected/disconnect"];
    for path in paths {
        // the token of another form
        let form = [("csrf", &*csrf), ("client_id", "tv")];
        assert_eq!(browser.post(path, &form).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    for (origin, csrf) in
        [("https://evil.example", &csrf), ("null", &csrf), (super::support::ORIGIN_OF_PAGES, &of_marie)]
    {
        let form = [("csrf", &**csrf), ("id", "one")];
        let reply = browser.post_from(origin, "/account/sessions/end", &form).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{origin}");
    }
    assert_eq!((left(&bench).len(), bench.idp.lists().applications.len()), (4, 2));
}

#[tokio::test]
async fn without_idp_there_are_no_pages_for_sessions() {
    let bench = Bench::with(false, "").await;
    let mut browser = bench.browser("einstein");
    assert!(!browser.get("/account").await.page.contains(SESSIONS));
    for path in [SESSIONS, CONNECTED, ACTIVITY] {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
