//! What the audit log says of tokens.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::support::{Fixture, HOUR, claims, wish};
use auth_app::applications::PersonRef;
use auth_app::policy::LifeWish;
use authn::Caller;
use secrecy::ExposeSecret;
use serde_json::Value;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The audit events, in their order.
    fn events(&self) -> Vec<Value> {
        let lines = String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8");
        let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        events.filter(|event| event["target"] == "audit").map(|event| event["fields"].clone()).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a11_who_for_whom_why_and_from_where() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let _recording = tracing::subscriber::set_default(subscriber);

    let fixture = Fixture::new().await;
    let admin = claims("admin", &["pwd"]);
    let caller = Caller { source: Some([192, 0, 2, 7].into()), trace_id: "4bf92f35".to_owned(), ..Caller::default() };
    let marie = PersonRef { username: Some("marie".to_owned()), id: None };
    let reason = "moving to the new server\u{a0}(ticket 7)";
    let acting = fixture.applications.impersonate(&admin, &caller, &marie, reason).await.expect("may");
    let (token, secret) = fixture.applications.create(&acting, wish(LifeWish::For(HOUR))).await.expect("is made");
    fixture.applications.revoke(&acting, &token.id.to_string()).await.expect("ends");

    let events = log.events();
    assert_eq!(events.len(), 2, "one for each thing that was done: {events:?}");
    for (event, name) in events.iter().zip(["app_token_create", "app_token_revoke"]) {
        let of = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        assert_eq!((of("event"), of("outcome"), of("right")), (name.into(), "done".into(), "impersonation".into()));
        assert_eq!((of("caller"), of("subject")), ("id-of-admin".into(), "id-of-marie".into()), "who, for whom");
        assert_eq!((of("reason"), of("source")), (reason.into(), "192.0.2.7".into()), "why, from where");
        assert_eq!((of("trace_id"), of("token")), ("4bf92f35".into(), token.id.to_string()));
    }
    let log = log.0.lock().expect("no panic").clone();
    assert!(!String::from_utf8_lossy(&log).contains(secret.expose_secret()));
}

#[tokio::test]
async fn a11_a_reason_is_one_short_line() {
    let (fixture, admin) = (Fixture::new().await, claims("admin", &["pwd"]));
    let (marie, caller) = (PersonRef { username: Some("marie".to_owned()), id: None }, Caller::default());
    for reason in ["two\nlines".to_owned(), "x".repeat(257)] {
        assert!(fixture.applications.impersonate(&admin, &caller, &marie, &reason).await.is_err(), "{reason:?}");
    }
}
