//! The rows A1 to A15 of the security requirements, as far as the core of the service answers for them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{Fixture, HOUR, KEY, YEAR, claims};
use auth_app::applications::{ApplicationsError, Wish};
use auth_app::policy::PolicyError;
use auth_app::token;
use authn::{Caller, Reason, Scopes, UserStatus};
use runtime::Random;
use sea_orm::{ConnectionTrait, Statement};
use secrecy::{ExposeSecret, SecretString};

fn text(secret: &SecretString) -> &str {
    secret.expose_secret()
}

fn wish() -> Wish {
    Wish { label: "phone".to_owned(), scopes: Scopes::full_user(), expires: None }
}

#[tokio::test]
async fn a1_junk_is_refused_without_a_query() {
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;
    let good = text(&secret);
    let flipped = format!("{}{}", &good[..good.len() - 1], if good.ends_with('A') { 'B' } else { 'A' });
    for junk in [flipped.as_str(), "x", "dwa_", &good[1..], &format!("{good} "), &"a".repeat(1024 * 1024)] {
        assert_eq!(fixture.refusal("einstein", &SecretString::from(junk)).await, Reason::Malformed);
    }
    assert_eq!(fixture.refusal("einstein", &SecretString::from("")).await, Reason::EmptySecret);
    assert_eq!(fixture.reads(), 0, "no junk reaches the database");
}

#[tokio::test]
async fn a1_a_forged_token_is_read_for_once_however_often_it_comes() {
    let fixture = Fixture::new().await;
    let forged = token::generate(&Random::seeded(1));
    for _ in 0..20 {
        assert_eq!(fixture.refusal("einstein", &forged).await, Reason::WrongSecret);
    }
    assert_eq!(fixture.reads(), 1);
}

#[tokio::test]
async fn a2_neither_the_database_nor_a_list_holds_the_secret_or_a_verifier() {
    let fixture = Fixture::new().await;
    let (id, secret) = fixture.token("einstein", HOUR).await;
    let row = fixture.database.connection();
    let dump = Statement::from_string(
        row.get_database_backend(),
        "SELECT hex(id)||owner_id||owner_idp||kind||label||grants||key_id||hex(digest)||created_by AS dump FROM app_tokens",
    );
    let dump: String = row.query_one_raw(dump).await.expect("reads").expect("a row").try_get("", "dump").expect("text");
    let random = &text(&secret)[4..34];
    assert!(!dump.contains(random) && !dump.contains(KEY));
    let listed = fixture.applications.list(&claims("einstein", &["pwd"])).await.expect("lists");
    assert_eq!(listed.iter().map(|token| token.id).collect::<Vec<_>>(), [id]);
    assert!(!format!("{listed:?}").contains(random));
}

#[tokio::test]
async fn a3_two_keys_are_accepted_and_tokens_move_to_the_new_one() {
    const NEW: &str = "another-key-of-the-token-digests-32-bytes";
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;

    let rotated = fixture.restarted(NEW, KEY);
    assert!(rotated.authenticate("einstein", text(&secret)).await.is_ok(), "the former key is accepted");
    assert_eq!(rotated.counting.rekeys.load(Ordering::Relaxed), 1);

    let later = fixture.restarted(NEW, "");
    assert!(later.authenticate("einstein", text(&secret)).await.is_ok(), "the token is under the new key");
    assert_eq!(later.counting.rekeys.load(Ordering::Relaxed), 0);
    let back = fixture.restarted(KEY, "");
    assert_eq!(back.refusal("einstein", &secret).await, Reason::WrongSecret, "the former key alone opens it no more");
}

#[test]
fn a4_fingerprints_are_compared_whole() {
    use auth_app::model::Fingerprint;
    use auth_app::pepper::same;
    let fingerprint = |key_id: &str, first, last| {
        let mut digest = [0; 32];
        (digest[0], digest[31]) = (first, last);
        Fingerprint { key_id: key_id.into(), digest }
    };
    assert!(same(&fingerprint("k", 1, 2), &fingerprint("k", 1, 2)));
    assert!(!same(&fingerprint("k", 1, 2), &fingerprint("k", 0, 2)));
    assert!(!same(&fingerprint("k", 1, 2), &fingerprint("k", 1, 0)));
    assert!(!same(&fingerprint("k", 1, 2), &fingerprint("l", 1, 2)), "a digest counts under its own key only");
}

#[tokio::test]
async fn a5_a_token_has_an_end_within_the_limit() {
    let fixture = Fixture::new().await;
    let (session, caller) = (claims("einstein", &["pwd"]), Caller::default());
    let now = fixture.clock.now();
    let (token, _) = fixture.applications.create(&session, &wish(), &caller).await.expect("is made");
    assert_eq!(token.expires, now + YEAR, "nothing said is the longest allowed, never for ever");
    let ends = [
        (now - HOUR, PolicyError::Past),
        (now, PolicyError::Past),
        (now + YEAR + Duration::from_secs(1), PolicyError::TooLong(YEAR)),
    ];
    for (end, expected) in ends {
        let refused = fixture.applications.create(&session, &Wish { expires: Some(end), ..wish() }, &caller).await;
        assert!(matches!(refused, Err(ApplicationsError::Policy(problem)) if problem == expected));
    }
}

#[tokio::test]
async fn a8_a_token_is_refused_from_its_end_on_even_when_it_is_known() {
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;
    let good = fixture.authenticate("einstein", text(&secret)).await.expect("is good");
    assert_eq!(good.not_after, Some(fixture.clock.now() + HOUR));
    assert_eq!(good.amr, "app");
    fixture.clock.advance(Duration::from_secs(3599));
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok(), "a second before the end");
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(fixture.refusal("einstein", &secret).await, Reason::Expired, "at the end");
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(fixture.refusal("einstein", &secret).await, Reason::Expired, "a second after the end");
    assert_eq!(fixture.reads(), 1, "the cache answered, and did not outlive the end");
}

#[tokio::test]
async fn a9_an_app_token_brings_forth_no_other() {
    let fixture = Fixture::new().await;
    let (id, secret) = fixture.token("einstein", HOUR).await;
    let (session, caller) = (claims("einstein", &["app"]), Caller::default());
    let created = fixture.applications.create(&session, &wish(), &caller).await;
    assert!(matches!(created, Err(ApplicationsError::WithAppToken)));
    let listed = fixture.applications.list(&session).await;
    assert!(matches!(listed, Err(ApplicationsError::WithAppToken)));
    let revoked = fixture.applications.revoke(&session, &id.to_string(), &caller).await;
    assert!(matches!(revoked, Err(ApplicationsError::WithAppToken)));
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok());
}

#[tokio::test]
async fn a10_another_ones_token_is_as_good_as_none() {
    let fixture = Fixture::new().await;
    let (id, secret) = fixture.token("einstein", HOUR).await;
    let (marie, caller) = (claims("marie", &["pwd"]), Caller::default());
    assert!(fixture.applications.list(&marie).await.expect("lists").is_empty());
    for which in [id.to_string(), text(&secret).to_owned(), uuid::Uuid::nil().to_string(), "junk".to_owned()] {
        let refused = fixture.applications.revoke(&marie, &which, &caller).await;
        assert!(matches!(refused, Err(ApplicationsError::NotFound)));
    }
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok(), "it is still good");
}

#[tokio::test]
async fn a13_no_scope_and_unknown_scopes_are_refused() {
    let fixture = Fixture::new().await;
    let (session, caller) = (claims("einstein", &["pwd"]), Caller::default());
    let refused = fixture.applications.create(&session, &Wish { scopes: Scopes::default(), ..wish() }, &caller).await;
    assert!(matches!(refused, Err(ApplicationsError::Grant(_))), "empty is not all");
    let mut narrow = session.clone();
    narrow.scopes = Scopes::default();
    let refused = fixture.applications.create(&narrow, &wish(), &caller).await;
    assert!(matches!(refused, Err(ApplicationsError::Scope)), "nobody passes on what it has not");
}

#[tokio::test]
async fn a14_a_disabled_or_deleted_owner_ends_all_tokens_with_the_next_request() {
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok());
    fixture.people.set("einstein", UserStatus::Blocked);
    assert_eq!(fixture.refusal("einstein", &secret).await, Reason::Disabled);
    fixture.people.delete("einstein");
    assert_eq!(fixture.refusal("einstein", &secret).await, Reason::UnknownUser);
}

#[tokio::test]
async fn a15_the_login_name_must_be_the_owners() {
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;
    assert_eq!(fixture.refusal("marie", &secret).await, Reason::OwnerMismatch);
    assert_eq!(fixture.refusal("nobody", &secret).await, Reason::UnknownUser);
    assert_eq!(fixture.refusal("", &secret).await, Reason::UnknownUser);
}

#[tokio::test]
async fn a_revoked_token_is_refused_with_the_next_request() {
    let fixture = Fixture::new().await;
    let (session, caller) = (claims("einstein", &["pwd"]), Caller::default());
    for by_secret in [false, true] {
        let (id, secret) = fixture.token("einstein", HOUR).await;
        assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok(), "it is in the cache now");
        let which = if by_secret { text(&secret).to_owned() } else { id.to_string() };
        fixture.applications.revoke(&session, &which, &caller).await.expect("is revoked");
        assert_eq!(fixture.refusal("einstein", &secret).await, Reason::Revoked);
        let again = fixture.applications.revoke(&session, &which, &caller).await;
        assert!(matches!(again, Err(ApplicationsError::NotFound)));
        assert_eq!(fixture.restarted(KEY, "").refusal("einstein", &secret).await, Reason::Revoked, "it is durable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_at_once_read_a_token_once() {
    let fixture = Arc::new(Fixture::new().await);
    let (_, secret) = fixture.token("einstein", HOUR).await;
    let callers = (0..64).map(|_| {
        let (fixture, secret) = (Arc::clone(&fixture), secret.clone());
        tokio::spawn(async move { fixture.authenticate("einstein", text(&secret)).await.is_ok() })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert!(caller.await.expect("no panic"));
    }
    assert_eq!(fixture.reads(), 1);
}
