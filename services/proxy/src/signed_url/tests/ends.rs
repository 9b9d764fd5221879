//! What a key is given to, and what ends it. Each case is run on `SQLite`, and all of them on `PostgreSQL`.

use std::sync::Mutex;

use ::store::Database;
use authn::ended_sessions::Issuance;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use oidc::jose::hs256_jwt;
use serde_json::json;

use super::world::{ISSUER, World, bearer};
use crate::signed_url::*;
use crate::store::Ended;

const DAY: Duration = Duration::from_hours(24);
const MINUTE: Duration = Duration::from_mins(1);
const MINUTE_LESS_THAN_A_DAY: Duration = Duration::from_mins(24 * 60 - 1);

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).expect("later").as_secs()
}

async fn session_ends_its_key(database: Database) {
    let world = World::start(database).await;
    let (one, two) = (world.browser("a-token").await, world.browser("b-token").await);
    let key = world.fetch(&one).await.expect("a key");
    let other = world.fetch(&two).await.expect("a key");
    assert_ne!(key, other, "each session has its own");
    assert_eq!(world.fetch(&one).await.as_ref(), Some(&key), "and has it again");
    assert_eq!(world.opens(&key).await.as_deref(), Some("id-1"));
    assert_eq!(world.opens("another").await, None);
    world.sessions.end_for_test(&one).await;
    assert_eq!(world.opens(&key).await, None, "it ends with its session");
    assert_eq!(world.opens(&other).await.as_deref(), Some("id-1"), "that of another session stays");
    world.revoke("b-token");
    assert_eq!(world.opens(&other).await, None, "the issuer has ended the session");
    world.accept("b-token", "oidc");
    assert_eq!(world.opens(&other).await, None, "a key that was refused once does not come back");
}

async fn password_change_ends_older_keys(database: Database) {
    let world = World::start(database).await;
    let browser = world.browser("a-token").await;
    let key = world.fetch(&browser).await.expect("a key");
    world.clock.advance(MINUTE);
    let changed = world.clock.now();
    world.change("id-1", |user| user.password_changed = Some(changed));
    let next = world.fetch(&browser).await.expect("a key");
    assert_ne!(next, key, "the former one is not issued again");
    assert_eq!(world.opens(&key).await, None);
    assert_eq!(world.opens(&next).await.as_deref(), Some("id-1"));
    // a clock that was ahead has been corrected
    let ahead = world.clock.now() + Duration::from_hours(2);
    world.change("id-1", |user| user.password_changed = Some(ahead));
    let newest = world.fetch(&browser).await.expect("a key");
    assert_eq!((world.opens(&next).await, world.opens(&newest).await.as_deref()), (None, Some("id-1")));
}

async fn next_owner_of_a_login_gets_nothing(database: Database) {
    let world = World::start(database).await;
    let browser = world.browser("a-token").await;
    let key = world.fetch(&browser).await.expect("a key");
    world.change("id-1", |user| user.username = "albert".to_owned());
    world.user("id-2", "einstein");
    assert_eq!(world.opens(&key).await, None, "a login that is another user's opens nothing");
    world.change("id-1", |user| user.username = "einstein".to_owned());
    let key = world.fetch(&browser).await.expect("a key");
    assert_eq!(world.opens(&key).await.as_deref(), Some("id-1"));
    world.remove("id-1");
    assert_eq!(world.opens(&key).await, None, "nor is there anything for who is gone or disabled");
}

async fn key_is_renewed_after_a_day(database: Database) {
    let world = World::start(database).await;
    let claims = json!({"iss": ISSUER, "sub": "s", "sid": "1", "exp": seconds(world.clock.now() + MINUTE)});
    let token = world.access_token(&claims);
    let first = world.fetch(&bearer(&token)).await.expect("a key");
    world.clock.advance(MINUTE_LESS_THAN_A_DAY);
    assert_eq!(world.fetch(&bearer(&token)).await.as_ref(), Some(&first));
    world.clock.advance(MINUTE);
    let second = world.fetch(&bearer(&token)).await.expect("a key");
    assert_ne!(second, first);
    assert_eq!(world.opens(&first).await.as_deref(), Some("id-1"), "links with the previous one go on");
    world.clock.advance(MINUTE_LESS_THAN_A_DAY);
    assert_eq!(world.opens(&first).await.as_deref(), Some("id-1"));
    world.clock.advance(MINUTE);
    assert_eq!(world.opens(&first).await, None, "until the last of them has ended");
    world.clock.advance(5 * DAY);
    assert_eq!(world.opens(&second).await.as_deref(), Some("id-1"));
    world.clock.advance(DAY);
    assert_eq!(world.opens(&second).await, None, "seven days, and no more");
}

async fn revoked_token_ends_its_key(database: Database) {
    let world = World::start(database).await;
    let end = world.clock.now() + Duration::from_mins(5);
    let of_session = world.access_token(&json!({"iss": ISSUER, "sub": "s", "sid": "1", "exp": seconds(end)}));
    let without = world.access_token(&json!({"iss": ISSUER, "sub": "s", "exp": seconds(end)}));
    world.accept("opaque", "oidc");
    let delegated = json!({"iss": ISSUER, "sub": "s", "sid": "2", "exp": seconds(end)});
    let delegated = hs256_jwt(b"whatever", "at+jwt", &delegated);
    world.accept(&delegated, "oidc_client");
    let mut keys = Vec::new();
    for token in [&*of_session, &without, "opaque", &delegated] {
        keys.push(world.fetch(&bearer(token)).await.expect("a key"));
        assert_eq!(world.opens(keys.last().expect("one")).await.as_deref(), Some("id-1"), "{token}");
    }
    world.clock.set(end + MINUTE);
    for token in [&*of_session, &without, "opaque", &delegated] {
        world.revoke(token);
    }
    assert_eq!(world.opens(&keys[0]).await.as_deref(), Some("id-1"), "its session outlasts the token");
    for key in &keys[1..] {
        assert_eq!(world.opens(key).await, None, "without a session that the issuer tells of it ends with the token");
    }
    let next = world.clock.now() + Duration::from_mins(5);
    let next = world.access_token(&json!({"iss": ISSUER, "sub": "s", "sid": "1", "exp": seconds(next)}));
    assert_eq!(world.fetch(&bearer(&next)).await.as_ref(), Some(&keys[0]), "the next token of the session");
    world.revoke(&next);
    assert_eq!(world.opens(&keys[0]).await, None, "a token that is refused before its end was revoked");
}

async fn sign_out_at_the_issuer_ends_keys_of_tokens(database: Database) {
    let world = World::start(database).await;
    let token = |sid: &str, client: &str| {
        let exp = seconds(world.clock.now() + Duration::from_hours(1));
        world.access_token(&json!({"iss": ISSUER, "sub": "s", "sid": sid, "client_id": client, "exp": exp}))
    };
    let mut keys = Vec::new();
    for token in [token("1", "web"), token("1", "mobile"), token("2", "web"), token("3", "web")] {
        keys.push(world.fetch(&bearer(&token)).await.expect("a key"));
    }
    let now = world.clock.now();
    let end = async |issuer: &str, subject: Option<&str>, sid: Option<&str>, at| {
        let ended = Ended { subject: subject.map(str::to_owned), sid: sid.map(str::to_owned), at };
        world.signed_urls.keys().end_by(issuer.to_owned(), ended).await;
    };
    let opening = async || {
        let mut opening = String::new();
        for key in &keys {
            opening.push(if world.opens(key).await.is_some() { '1' } else { '0' });
        }
        opening
    };
    end("https://other.example", Some("s"), Some("1"), now).await;
    end(ISSUER, Some("s"), Some("1"), now - MINUTE).await;
    end(ISSUER, Some("other"), None, now).await;
    end(ISSUER, None, None, now).await;
    assert_eq!(opening().await, "1111", "another's, or an earlier end");
    end(ISSUER, Some("s"), Some("1"), now).await;
    assert_eq!(opening().await, "0011", "all clients of that session");
    end(ISSUER, None, Some("2"), now).await;
    assert_eq!(opening().await, "0001");
    end(ISSUER, Some("s"), None, now).await;
    assert_eq!(opening().await, "0000", "everywhere");
}

/// What an issuer in the process says: that this session has ended, or nothing.
struct Issuer(Mutex<Option<&'static str>>);

impl EndedSessions for Issuer {
    fn has_ended(&self, issuer: &str, sid: &str) -> Option<bool> {
        let ended = *self.0.lock().expect("no panic");
        ended.map(|ended| issuer == ISSUER && sid == ended)
    }

    fn cuts_off(&self, _: &str, _: &Issuance<'_>) -> Option<bool> {
        Some(false)
    }
}

async fn issuer_in_the_process_ends_keys(database: Database) {
    let issuer = Arc::new(Issuer(Mutex::new(Some("none"))));
    let mut world = World::start(database).await;
    world.signed_urls = world.signed_urls.with_ended_sessions(Some(Arc::clone(&issuer) as Arc<dyn EndedSessions>));
    let mut keys = Vec::new();
    for sid in ["1", "2"] {
        let exp = seconds(world.clock.now() + MINUTE);
        let token = world.access_token(&json!({"iss": ISSUER, "sub": "s", "sid": sid, "exp": exp}));
        keys.push(world.fetch(&bearer(&token)).await.expect("a key"));
        assert_eq!(world.opens(keys.last().expect("one")).await.as_deref(), Some("id-1"));
    }
    *issuer.0.lock().expect("no panic") = Some("1");
    assert_eq!((world.opens(&keys[0]).await, world.opens(&keys[1]).await.as_deref()), (None, Some("id-1")));
    *issuer.0.lock().expect("no panic") = Some("2");
    world.signed_urls.keys().prune(Some(issuer.as_ref()), world.clock.now()).await.expect("prunes");
    *issuer.0.lock().expect("no panic") = Some("forgotten");
    assert_eq!(world.opens(&keys[1]).await, None, "it has ended also where it was not used since");
}

async fn only_people_who_have_signed_in_are_given_a_key(database: Database) {
    let world = World::start(database).await;
    world.accept("dwa_app-token", "app");
    world.accept("a-password", "pwd");
    let basic = |secret: &str| {
        let text = format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret));
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::try_from(text).expect("a header"))])
    };
    for headers in [basic("einstein:a-password"), basic("einstein:dwa_app-token"), bearer("dwa_app-token")] {
        assert_eq!(world.fetch(&headers).await, None, "{headers:?}");
    }
    let browser = world.browser("a-token").await;
    let key = world.fetch(&browser).await.expect("a key");
    let path = "/ocs/v1.php/cloud/user/signing-key";
    let (_, query) = world.link(&key, path);
    assert_eq!(world.fetch_at(path, Some(&query), &HeaderMap::new()).await, None, "a link buys no key");
    assert_eq!(world.fetch_at(path, Some(&query), &browser).await, None);
    world.change("id-1", |user| user.id.kind = authn::UserType::Service);
    assert_eq!(world.fetch(&browser).await, None, "a service account");
}

async fn oldest_keys_make_room(database: Database) {
    let world = World::start(database).await;
    let mut keys = Vec::new();
    for session in 0..11 {
        world.clock.advance(MINUTE);
        let browser = world.browser(&format!("token-{session}")).await;
        keys.push(world.fetch(&browser).await.expect("a key"));
    }
    assert_eq!(world.opens(&keys[0]).await, None);
    for key in &keys[1..] {
        assert_eq!(world.opens(key).await.as_deref(), Some("id-1"));
    }
}

async fn on_sqlite<F: Future<Output = ()>>(case: impl FnOnce(Database) -> F) {
    let file = ::store::testing::sqlite();
    case(file.open().await).await;
}

#[tokio::test]
async fn key_ends_with_the_browser_session_that_has_fetched_it() {
    on_sqlite(session_ends_its_key).await;
}

#[tokio::test]
async fn key_from_before_a_password_change_is_refused() {
    on_sqlite(password_change_ends_older_keys).await;
}

#[tokio::test]
async fn key_opens_nothing_of_the_next_owner_of_its_login() {
    on_sqlite(next_owner_of_a_login_gets_nothing).await;
}

#[tokio::test]
async fn key_is_renewed_after_24_hours_and_the_previous_one_verifies_until_its_links_end() {
    on_sqlite(key_is_renewed_after_a_day).await;
}

#[tokio::test]
async fn key_ends_with_the_access_token_that_has_fetched_it() {
    on_sqlite(revoked_token_ends_its_key).await;
}

#[tokio::test]
async fn logout_token_ends_keys_that_access_tokens_have_fetched() {
    on_sqlite(sign_out_at_the_issuer_ends_keys_of_tokens).await;
}

#[tokio::test]
async fn key_ends_with_a_session_that_an_issuer_of_the_process_has_ended() {
    on_sqlite(issuer_in_the_process_ends_keys).await;
}

#[tokio::test]
async fn app_tokens_passwords_and_signed_urls_are_given_no_key() {
    on_sqlite(only_people_who_have_signed_in_are_given_a_key).await;
}

#[tokio::test]
async fn user_has_at_most_ten_keys() {
    on_sqlite(oldest_keys_make_room).await;
}

#[tokio::test]
async fn keys_are_kept_in_postgres() {
    let Some(cluster) = ::store::testing::Cluster::start().await else { return };
    session_ends_its_key(cluster.fresh_database().await.open().await).await;
    password_change_ends_older_keys(cluster.fresh_database().await.open().await).await;
    next_owner_of_a_login_gets_nothing(cluster.fresh_database().await.open().await).await;
    key_is_renewed_after_a_day(cluster.fresh_database().await.open().await).await;
    revoked_token_ends_its_key(cluster.fresh_database().await.open().await).await;
    sign_out_at_the_issuer_ends_keys_of_tokens(cluster.fresh_database().await.open().await).await;
    issuer_in_the_process_ends_keys(cluster.fresh_database().await.open().await).await;
    only_people_who_have_signed_in_are_given_a_key(cluster.fresh_database().await.open().await).await;
    oldest_keys_make_room(cluster.fresh_database().await.open().await).await;
}

#[tokio::test]
async fn keys_that_have_ended_are_removed() {
    let file = ::store::testing::sqlite();
    let database = file.open().await;
    let world = World::start(database.clone()).await;
    let rows = crate::store::signing_keys::Rows::new(database);
    let (one, two) = (world.browser("a-token").await, world.browser("b-token").await);
    world.fetch(&one).await.expect("a key");
    world.fetch(&two).await.expect("a key");
    assert_eq!(rows.prune(world.clock.now()).await.expect("prunes"), 0);
    world.sessions.end_for_test(&one).await;
    assert_eq!(rows.prune(world.clock.now()).await.expect("prunes"), 1, "its session has ended");
    assert_eq!(rows.prune(world.clock.now() + 7 * DAY).await.expect("prunes"), 1);
}
