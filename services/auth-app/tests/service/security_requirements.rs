//! The rows A1 to A15 of the security requirements, by name.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::support::{Fixture, HOUR, KEY, SECOND, claims, text, token_request};
use auth_app::applications::{ApplicationsError, PersonRef, TokenRequest};
use auth_app::model::Kind;
use auth_app::policy::{LifetimeRequest, PolicyError};
use auth_app::{Tokens, token};
use authn::{Authenticator, Caller, Credentials, Grants, Permission, Reason, Scopes, UserStatus};
use runtime::Random;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use secrecy::SecretString;

/// Row A1.
#[tokio::test]
async fn junk_is_refused_without_a_query() {
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

/// Row A1.
#[tokio::test]
async fn forged_token_causes_one_read() {
    let fixture = Fixture::new().await;
    let forged = token::generate(&Random::seeded(1));
    for _ in 0..20 {
        assert_eq!(fixture.refusal("einstein", &forged).await, Reason::WrongSecret);
    }
    assert_eq!(fixture.reads(), 1);
}

/// Row A2.
#[tokio::test]
async fn neither_the_database_nor_a_list_holds_the_secret_or_a_verifier() {
    let fixture = Fixture::new().await;
    let (id, secret) = fixture.token("einstein", HOUR).await;
    let row = fixture.database.connection();
    let columns = match row.get_database_backend() {
        DbBackend::Postgres => "app_tokens::text",
        _ => {
            "hex(id)||owner_id||owner_idp||kind||label||grants||key_id||hex(digest)||created_by||coalesce(verifier, '')"
        }
    };
    let dump = Statement::from_string(row.get_database_backend(), format!("SELECT {columns} AS dump FROM app_tokens"));
    let dump: String = row.query_one_raw(dump).await.expect("reads").expect("a row").try_get("", "dump").expect("text");
    let random = &text(&secret)[4..34];
    assert!(!dump.contains(random) && !dump.contains(KEY));
    let listed = fixture.list("einstein").await;
    assert_eq!(listed.iter().map(|token| token.id).collect::<Vec<_>>(), [id]);
    assert!(!format!("{listed:?}").contains(random));
}

/// Row A3.
#[tokio::test]
async fn two_keys_are_accepted_and_tokens_move_to_the_new_one() {
    const NEW: &str = "another-key-of-the-token-digests-32-bytes";
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;

    let rotated = fixture.restarted(NEW, KEY).await;
    assert!(rotated.authenticate("einstein", text(&secret)).await.is_ok(), "the former key is accepted");
    assert_eq!(rotated.statements.rekeys.load(Ordering::Relaxed), 1);

    let later = fixture.restarted(NEW, "").await;
    assert!(later.authenticate("einstein", text(&secret)).await.is_ok(), "the token is under the new key");
    assert_eq!(later.statements.rekeys.load(Ordering::Relaxed), 0);
    let back = fixture.restarted(KEY, "").await;
    assert_eq!(back.refusal("einstein", &secret).await, Reason::WrongSecret, "the former key alone opens it no more");
}

/// Row A4.
#[test]
fn fingerprints_are_compared_whole() {
    use auth_app::digest_keys::same;
    use auth_app::model::Fingerprint;
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
async fn an_answer_holds_until_anything_changes_that_it_rests_on() {
    let fixture = Fixture::new().await;
    let (id, secret) = fixture.token("einstein", HOUR).await;
    let secret = text(&secret);
    for change in ["the status", "another user", "a write of the same", "a revocation"] {
        fixture.authenticate("einstein", secret).await.expect("is good");
        assert!(fixture.holds("einstein", secret), "before {change}");
        match change {
            "the status" => fixture.set_status("einstein", UserStatus::Blocked),
            // writes are rare: they are not distinguished
            "another user" => fixture.set_status("marie", UserStatus::Blocked),
            "a write of the same" => fixture.set_status("einstein", UserStatus::Active),
            _ => drop(fixture.revoke("einstein", &id.to_string()).await.expect("is revoked")),
        }
        assert!(!fixture.holds("einstein", secret), "after {change}");
        fixture.set_status("einstein", UserStatus::Active);
    }
    let (_, secret) = fixture.token("einstein", HOUR).await;
    fixture.authenticate("einstein", text(&secret)).await.expect("is good");
    fixture.clock.advance(3599 * SECOND);
    assert!(fixture.holds("einstein", text(&secret)), "a second before the end");
    fixture.clock.advance(SECOND);
    assert!(!fixture.holds("einstein", text(&secret)), "at the end");
}

#[tokio::test]
async fn an_answer_that_holds_is_a_use() {
    let fixture = Fixture::new().await;
    let window = 600 * SECOND;
    let (_, secret) =
        fixture.made("einstein", token_request(LifetimeRequest::Sliding { window, max_lifetime: None })).await;
    fixture.authenticate("einstein", text(&secret)).await.expect("is good");
    for _ in 0..3 {
        fixture.clock.advance(599 * SECOND);
        assert!(fixture.holds("einstein", text(&secret)));
    }
    fixture.tokens.write_uses(fixture.clock.now(), true).await.expect("writes");
    let listed = fixture.list("einstein").await;
    assert_eq!(listed[0].last_use.as_ref().map(|last| last.at), Some(fixture.clock.now()));
    assert_eq!(listed[0].end(), Some(fixture.clock.now() + window));
    fixture.clock.advance(window);
    assert!(!fixture.holds("einstein", text(&secret)));
}

#[tokio::test]
async fn last_use_has_time_source_and_client() {
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;
    let mut credentials = Credentials::new("einstein", text(&secret).to_owned());
    credentials.caller.source = Some([192, 0, 2, 7].into());
    credentials.caller.user_agent = "rclone/1.60".to_owned();
    fixture.authenticator.authenticate(&credentials).await.expect("is good");
    fixture.tokens.write_uses(fixture.clock.now(), false).await.expect("writes");
    let listed = fixture.list("einstein").await;
    let last = listed[0].last_use.as_ref().expect("was used");
    assert_eq!(
        (last.at, last.source, last.user_agent.as_str()),
        (fixture.clock.now(), Some([192, 0, 2, 7].into()), "rclone/1.60")
    );
    assert_eq!(listed[0].end(), Some(fixture.clock.now() + HOUR), "a hard end stays where it is");
}

/// Row A9.
#[tokio::test]
async fn app_token_without_token_scope_creates_no_app_token() {
    let fixture = Fixture::new().await;
    let caller = Caller::default();
    let session = claims("einstein", &["app"]);
    for wanted in [Permission::Read, Permission::Write] {
        let refused = fixture.applications.own(&session, &caller, wanted).map(drop);
        assert!(matches!(refused, Err(ApplicationsError::WithAppToken)), "{wanted:?}");
    }
    let scoped = |words: &[&str]| {
        let grants = Grants::parse(words.iter().copied()).expect("grants");
        ::token::Claims { scopes: grants.to_cs3(), ..claims("einstein", &["app"]) }
    };
    let reader = scoped(&["user", "tokens:read"]);
    assert!(fixture.applications.own(&reader, &caller, Permission::Read).is_ok());
    assert!(matches!(
        fixture.applications.own(&reader, &caller, Permission::Write),
        Err(ApplicationsError::WithAppToken)
    ));
    let writer = scoped(&["path:/photos:r", "tokens:write"]);
    let acting = fixture.applications.own(&writer, &caller, Permission::Write).expect("its scope says so");
    let wider = fixture.applications.create(&acting, token_request(LifetimeRequest::Usual)).await;
    assert!(matches!(wider, Err(ApplicationsError::Grant(authn::GrantError::TooWide))), "no more than it has itself");
    let narrow = TokenRequest {
        grants: Grants::parse(["path:/photos/2026:r"]).expect("grants"),
        ..token_request(LifetimeRequest::Usual)
    };
    assert!(fixture.applications.create(&acting, narrow).await.is_ok());
}

/// Row A10.
#[tokio::test]
async fn token_of_another_user_is_not_found() {
    let fixture = Fixture::new().await;
    let (id, secret) = fixture.token("einstein", HOUR).await;
    assert!(fixture.list("marie").await.is_empty());
    for which in [id.to_string(), text(&secret).to_owned(), uuid::Uuid::nil().to_string(), "junk".to_owned()] {
        let refused = fixture.revoke("marie", &which).await;
        assert!(matches!(refused, Err(ApplicationsError::NotFound)));
    }
    let (session, caller) = (claims("marie", &["pwd"]), Caller::default());
    let marie = fixture.applications.own(&session, &caller, Permission::Write).expect("may manage");
    assert!(matches!(fixture.applications.get(&marie, id).await, Err(ApplicationsError::NotFound)));
    assert!(matches!(fixture.applications.rename(&marie, id, "mine").await, Err(ApplicationsError::NotFound)));
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok(), "it is still good");
}

/// Row A11.
#[tokio::test]
async fn impersonation_is_off_until_it_is_on_and_for_administrators() {
    let (admin, einstein, caller) = (claims("admin", &["pwd"]), claims("einstein", &["pwd"]), Caller::default());
    let marie = PersonRef { username: Some("marie".to_owned()), id: None };
    let off = Fixture::with(Tokens::default(), false).await;
    for session in [&admin, &einstein] {
        let refused = off.applications.impersonate(session, &caller, &marie, "").await.map(drop);
        assert!(matches!(refused, Err(ApplicationsError::NoImpersonation)));
    }
    let on = Fixture::new().await;
    let refused = on.applications.impersonate(&einstein, &caller, &marie, "").await.map(drop);
    assert!(matches!(refused, Err(ApplicationsError::NotAdministrator)));
    let by_app_token = claims("admin", &["app"]);
    let refused = on.applications.impersonate(&by_app_token, &caller, &marie, "").await.map(drop);
    assert!(matches!(refused, Err(ApplicationsError::WithAppToken)), "not even with an administrator's app token");
    let unknown = PersonRef { username: Some("unknown".to_owned()), id: None };
    let refused = on.applications.impersonate(&admin, &caller, &unknown, "").await.map(drop);
    assert!(matches!(refused, Err(ApplicationsError::NoSuchUser)));
    let both = PersonRef { username: Some("marie".to_owned()), id: Some("id-of-einstein".to_owned()) };
    let refused = on.applications.impersonate(&admin, &caller, &both, "").await.map(drop);
    assert!(matches!(refused, Err(ApplicationsError::TwoPeople)));

    // the claims behind a proxy that signs all users in with the machine key
    let admin = ::token::Claims { actor: Some("machine".into()), ..admin };
    let acting = on.applications.impersonate(&admin, &caller, &marie, "migration").await.expect("may");
    let (token, secret) =
        on.applications.create(&acting, token_request(LifetimeRequest::Usual)).await.expect("is made");
    assert_eq!((token.kind, token.created_by.as_str()), (Kind::Impersonated, "id-of-admin"));
    assert_eq!(token.end(), Some(on.clock.now() + 24 * HOUR), "it is short");
    let long = on.applications.create(&acting, token_request(LifetimeRequest::For(25 * HOUR))).await;
    assert!(matches!(long, Err(ApplicationsError::Policy(PolicyError::TooLong(_)))));
    assert_eq!(on.list("marie").await.len(), 1, "its owner sees it");
    assert!(on.authenticate("marie", text(&secret)).await.is_ok());
    on.revoke("marie", &token.id.to_string()).await.expect("and can end it");
    on.set_status("marie", UserStatus::Blocked);
    let acting = on.applications.impersonate(&admin, &caller, &marie, "").await.expect("may");
    let refused = on.applications.create(&acting, token_request(LifetimeRequest::Usual)).await;
    assert!(matches!(refused, Err(ApplicationsError::NoSuchUser)), "not for a user who may not sign in");
}

/// Row A12.
#[tokio::test]
async fn user_has_so_many_live_tokens_and_no_more() {
    let settings = Tokens { max_tokens_per_user: 5, ..Tokens::default() };
    let fixture = Arc::new(Fixture::with(settings, false).await);
    let many = (0..20).map(|_| {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move {
            let (session, caller) = (claims("einstein", &["pwd"]), Caller::default());
            let acting = fixture.applications.own(&session, &caller, Permission::Write).expect("may manage");
            fixture
                .applications
                .create(&acting, token_request(LifetimeRequest::For(HOUR)))
                .await
                .map(|(token, _)| token.id)
        })
    });
    let (mut made, mut full) = (Vec::new(), 0);
    for one in many.collect::<Vec<_>>() {
        match one.await.expect("no panic") {
            Ok(id) => made.push(id),
            Err(ApplicationsError::Full(5)) => full += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((made.len(), full), (5, 15));
    fixture.token("marie", HOUR).await;
    fixture.revoke("einstein", &made[0].to_string()).await.expect("ends");
    fixture.token("einstein", HOUR).await;
    fixture.clock.advance(HOUR);
    fixture.token("einstein", HOUR).await;
}

/// Row A13.
#[tokio::test]
async fn scopes_that_are_not_given_out_are_refused() {
    let settings = Tokens { allowed_scopes: vec!["node".to_owned()], ..Tokens::default() };
    let fixture = Fixture::with(settings, false).await;
    let (session, caller) = (claims("einstein", &["pwd"]), Caller::default());
    let acting = fixture.applications.own(&session, &caller, Permission::Write).expect("may manage");
    let refused = fixture.applications.create(&acting, token_request(LifetimeRequest::Usual)).await;
    assert!(matches!(refused, Err(ApplicationsError::Policy(PolicyError::Scope(_)))));
    let nothing = ::token::Claims { scopes: Scopes::default(), ..session.clone() };
    let refused = fixture.applications.own(&nothing, &caller, Permission::Write).map(drop);
    assert!(matches!(refused, Err(ApplicationsError::Scope)), "who may nothing passes nothing on");
}

#[tokio::test]
async fn narrow_token_has_no_full_scope() {
    let fixture = Fixture::new().await;
    let node = "node:1f3c6d2e-7a54-4a06-9d0c-3f1d3f0a9b11:r";
    let narrow =
        TokenRequest { grants: Grants::parse([node]).expect("grants"), ..token_request(LifetimeRequest::Usual) };
    let (_, secret) = fixture.made("einstein", narrow).await;
    let good = fixture.authenticate("einstein", text(&secret)).await.expect("is good");
    assert!(!good.scopes.is_full_user());
    let scopes: Vec<_> = good.scopes.keys().filter(|key| !Scopes::is_marker(key)).collect();
    assert_eq!(scopes, ["node:1f3c6d2e-7a54-4a06-9d0c-3f1d3f0a9b11"]);
    let session = ::token::Claims { scopes: Arc::unwrap_or_clone(good.scopes), ..claims("einstein", &["app"]) };
    for wanted in [Permission::Read, Permission::Write] {
        assert!(fixture.applications.own(&session, &Caller::default(), wanted).is_err(), "it manages no tokens");
    }
}

#[tokio::test]
async fn a_token_speaks_for_itself_as_a_bearer() {
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;
    let good = fixture.authenticate("", text(&secret)).await.expect("is good");
    assert_eq!(good.user.username, "einstein");
    fixture.set_status("einstein", UserStatus::Blocked);
    assert_eq!(fixture.refusal("", &secret).await, Reason::Disabled);
    fixture.directory.remove("einstein");
    assert_eq!(fixture.refusal("", &secret).await, Reason::UnknownUser);
}

#[tokio::test]
async fn a_changed_password_ends_the_tokens_before_it() {
    let fixture = Fixture::new().await;
    let (_, before) = fixture.token("einstein", HOUR).await;
    fixture.clock.advance(SECOND);
    let changed = fixture.clock.now();
    fixture.change_user("einstein", |user| user.password_changed = Some(changed));
    let (_, after) = fixture.token("einstein", HOUR).await;
    assert_eq!(fixture.refusal("einstein", &before).await, Reason::Revoked);
    assert_eq!(fixture.refusal("", &before).await, Reason::Revoked);
    assert!(fixture.authenticate("einstein", text(&after)).await.is_ok());

    let lenient = Fixture::with(Tokens { end_on_password_change: false, ..Tokens::default() }, false).await;
    let (_, secret) = lenient.token("einstein", HOUR).await;
    lenient.change_user("einstein", |user| user.password_changed = Some(changed + HOUR));
    assert!(lenient.authenticate("einstein", text(&secret)).await.is_ok(), "where the operator says so");
}

/// Row A14.
#[tokio::test]
async fn disabled_or_deleted_owner_ends_all_tokens_with_the_next_request() {
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok());
    fixture.set_status("einstein", UserStatus::Blocked);
    assert_eq!(fixture.refusal("einstein", &secret).await, Reason::Disabled);
    fixture.directory.remove("einstein");
    assert_eq!(fixture.refusal("einstein", &secret).await, Reason::UnknownUser);
}

/// Row A15.
#[tokio::test]
async fn login_name_must_be_the_owners() {
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;
    assert_eq!(fixture.refusal("marie", &secret).await, Reason::OwnerMismatch);
    assert_eq!(fixture.refusal("unknown", &secret).await, Reason::UnknownUser);
}

/// Row A15.
#[tokio::test]
async fn mail_address_of_the_owner_is_a_login() {
    let fixture = Fixture::new().await;
    for (name, mail) in [("einstein", "einstein@example.org"), ("marie", "marie@example.org")] {
        fixture.change_user(name, |user| user.mail = mail.to_owned());
    }
    let (_, secret) = fixture.token("einstein", HOUR).await;
    for login in ["einstein@example.org", "Einstein@Example.org", "EINSTEIN"] {
        let good = fixture.authenticate(login, text(&secret)).await.expect("is the owner's");
        assert_eq!(good.user.username, "einstein", "{login}");
    }
    assert_eq!(fixture.refusal("marie@example.org", &secret).await, Reason::OwnerMismatch);
    assert_eq!(fixture.refusal("unknown@example.org", &secret).await, Reason::UnknownUser);
    fixture.change_user("marie", |user| user.mail = "einstein@example.org".to_owned());
    assert_eq!(fixture.refusal("einstein@example.org", &secret).await, Reason::UnknownUser, "it is two users'");
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok());
}

#[tokio::test]
async fn a_revoked_token_is_refused_with_the_next_request() {
    let fixture = Fixture::new().await;
    for by_secret in [false, true] {
        let (id, secret) = fixture.token("einstein", HOUR).await;
        assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok(), "it is in the cache now");
        let which = if by_secret { text(&secret).to_owned() } else { id.to_string() };
        fixture.revoke("einstein", &which).await.expect("is revoked");
        assert_eq!(fixture.refusal("einstein", &secret).await, Reason::Revoked);
        let again = fixture.revoke("einstein", &which).await;
        assert!(matches!(again, Err(ApplicationsError::NotFound)));
        assert_eq!(
            fixture.restarted(KEY, "").await.refusal("einstein", &secret).await,
            Reason::Revoked,
            "it is durable"
        );
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
