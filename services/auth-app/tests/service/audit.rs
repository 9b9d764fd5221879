//! What the audit log says of tokens.

use crate::support::{Fixture, HOUR, claims, token_request};
use auth_app::applications::PersonRef;
use auth_app::policy::LifetimeRequest;
use authn::{Caller, Permission};
use runtime::CapturedLog;
use secrecy::ExposeSecret;
use token::Claims;
use tracing::Level;

/// Row A11.
#[tokio::test]
async fn audit_event_names_actor_subject_reason_and_source() {
    let log = CapturedLog::start(Level::INFO);

    let fixture = Fixture::new().await;
    let admin = claims("admin", &["pwd"]);
    let caller = Caller { source: Some([192, 0, 2, 7].into()), trace_id: "4bf92f35".to_owned(), ..Caller::default() };
    let marie = PersonRef { username: Some("marie".to_owned()), id: None };
    let reason = "moving to the new server\u{a0}(ticket 7)";
    let acting = fixture.applications.impersonate(&admin, &caller, &marie, reason).await.expect("may");
    let (token, secret) =
        fixture.applications.create(&acting, token_request(LifetimeRequest::For(HOUR))).await.expect("is made");
    fixture.applications.revoke(&acting, &token.id.to_string()).await.expect("ends");

    let events = log.audit_events();
    assert_eq!(events.len(), 2, "one for each thing that was done: {events:?}");
    for (event, name) in events.iter().zip(["app_token_create", "app_token_revoke"]) {
        let of = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        assert_eq!((of("event"), of("outcome"), of("right")), (name.into(), "done".into(), "impersonation".into()));
        assert_eq!(
            (of("caller"), of("subject")),
            ("id-of-admin".into(), "id-of-marie".into()),
            "the actor and the subject"
        );
        assert_eq!((of("reason"), of("source")), (reason.into(), "192.0.2.7".into()), "why, from where");
        assert_eq!((of("trace_id"), of("token")), ("4bf92f35".into(), token.id.to_string()));
    }
    assert!(!log.text().contains(secret.expose_secret()));
}

/// Row A11.
#[tokio::test]
async fn reason_is_one_short_line() {
    let (fixture, admin) = (Fixture::new().await, claims("admin", &["pwd"]));
    let (marie, caller) = (PersonRef { username: Some("marie".to_owned()), id: None }, Caller::default());
    for reason in ["two\nlines".to_owned(), "x".repeat(257)] {
        assert!(fixture.applications.impersonate(&admin, &caller, &marie, &reason).await.is_err(), "{reason:?}");
    }
}

/// Row X11.
#[tokio::test]
async fn audit_event_names_who_acts_for_the_caller() {
    let (fixture, caller) = (Fixture::new().await, Caller::default());
    let log = CapturedLog::start(Level::INFO);
    for actor in [Some("office".into()), None] {
        let session = Claims { actor, ..claims("marie", &["pwd"]) };
        let acting = fixture.applications.own(&session, &caller, Permission::Write).expect("may manage");
        fixture.applications.create(&acting, token_request(LifetimeRequest::For(HOUR))).await.expect("is made");
    }
    let events = log.audit_events();
    let acts: Vec<_> = events.iter().map(|event| event["act"].as_str().unwrap_or_default()).collect();
    assert_eq!(acts, ["office", ""]);
    assert!(events.iter().all(|event| event["caller"] == "id-of-marie"), "{events:?}");
}
