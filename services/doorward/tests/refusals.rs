//! What a caller is told when there is nothing to be had, and how soon.

use std::time::{Duration, Instant};

use doorward::Member;
use status::Kind;
use testkit::{Mode, TestFamily};

#[tokio::test(flavor = "multi_thread")]
async fn six_statuses_each_within_two_seconds() {
    let mut family = TestFamily::start("process-refusals", Mode::Processes).await;
    family.kill(Member::AuthService);
    let long = "x".repeat(1024 * 1024);
    let password = family.layout.password.clone();
    let service = family.layout.service_secret.clone();
    for (what, kind, client_id, secret, expected) in [
        ("a wrong secret", "basic", "einstein", "wrong", Kind::Unauthenticated),
        ("an unknown user", "basic", "nobody", password.as_str(), Kind::Unauthenticated),
        ("an unknown type", "basic;machine", "einstein", password.as_str(), Kind::InvalidArgument),
        ("an empty secret", "basic", "einstein", "", Kind::Unauthenticated),
        ("a secret of 1 MiB", "basic", "einstein", long.as_str(), Kind::ResourceExhausted),
        ("a dead authenticator", "serviceaccounts", "jobs", service.as_str(), Kind::Unavailable),
    ] {
        let start = Instant::now();
        let (answered, text) = family.authenticate(kind, client_id, secret).await.expect_err(what);
        assert_eq!(answered, expected, "{what}: {text}");
        assert!(start.elapsed() < Duration::from_secs(2), "{what} took {:?}", start.elapsed());
    }
    family.authenticate("basic", "einstein", &password).await.expect("everybody else is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn g10_a_type_is_never_guessed() {
    let family = TestFamily::start("types", Mode::Inside).await;
    let password = family.layout.password.clone();
    let long = "b".repeat(10_000);
    for kind in ["", "BASIC", "basic ", "basic;machine", "bearer", &long] {
        let (answered, text) = family.authenticate(kind, "einstein", &password).await.expect_err("no such type");
        assert_eq!(answered, Kind::InvalidArgument, "{kind:.20}");
        assert!(text.len() < 256, "an unknown type is not echoed at length");
    }
    let (_, text) = family.authenticate("ldap", "einstein", &password).await.expect_err("no such type");
    assert!(text.contains("ldap") && text.contains("appauth, basic, machine, serviceaccounts"), "{text}");
}
