//! Tokens of other systems: files as those systems write them, and every secret goes on working.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use crate::support::{Fixture, HOUR, claims};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use auth_app::applications::ApplicationsError;
use auth_app::import::{Record, cells, ocis, opencloud};
use auth_app::model::Life;
use auth_app::{Tokens, legacy_hashes};
use authn::{AuthError, Authenticated, Authenticator, Caller, Credentials, Reason};
use runtime::Random;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How many tokens one call imports, as the command does it.
const BATCH: usize = 500;
/// So many tokens of so many people: one, many of one person, and more than a batch has. Each costs a write that is on disk before it
/// is answered.
const SIZES: [(usize, usize); 3] = [(1, 1), (121, 1), (BATCH + 1, BATCH + 1)];

fn login(number: usize) -> String {
    format!("person-{number}")
}

/// Of the kind that the system makes, each another one.
fn secrets(count: usize, of: impl Fn(usize, &[u8; 16]) -> String) -> Vec<String> {
    let random = Random::seeded(3);
    (0..count).map(|number| of(number, &random.bytes())).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

async fn fixture(people: usize) -> Fixture {
    let fixture = Fixture::with(Tokens { max_tokens_per_user: 0, ..Tokens::default() }, false).await;
    (0..people).for_each(|number| fixture.change_user(&login(number), |_| {}));
    fixture
}

async fn import(fixture: &Fixture, records: Vec<Record>, dry_run: bool) -> BTreeMap<String, usize> {
    let (operator, caller) = (claims("admin", &["operator"]), Caller::default());
    let mut counts = BTreeMap::new();
    for batch in records.chunks(BATCH) {
        let outcomes = fixture.applications.import(&operator, &caller, batch.to_vec(), dry_run).await;
        for outcome in outcomes.expect("imports") {
            *counts.entry(format!("{outcome:?}")).or_default() += 1;
        }
    }
    counts
}

/// Comes back as long as the search takes longer than the service waits for it, as it may on a busy machine.
async fn patiently(fixture: &Fixture, login: &str, secret: &str) -> Result<Authenticated, AuthError> {
    loop {
        match fixture.authenticate(login, secret).await {
            Err(AuthError::Busy { .. }) => {}
            outcome => return outcome,
        }
    }
}

/// Takes the file over, dry and in earnest and again, and uses every secret twice.
async fn takes_over(fixture: Fixture, records: Vec<Record>, secrets: &[String], people: usize) {
    let count = secrets.len();
    let all = |word: &str| BTreeMap::from([(word.to_owned(), count)]);
    assert_eq!(import(&fixture, records.clone(), true).await, all("Imported"), "what would be done");
    assert_eq!(import(&fixture, records.clone(), true).await, all("Imported"), "and was not");
    assert_eq!(import(&fixture, records.clone(), false).await, all("Imported"));
    assert_eq!(import(&fixture, records.clone(), false).await, all("Known"), "once");
    let owner = |number: usize| login(number % people);
    for (number, secret) in secrets.iter().enumerate() {
        let good = patiently(&fixture, &owner(number), secret).await;
        assert_eq!(good.expect("still works").user.username, owner(number));
    }
    let (reads, rekeys) = (fixture.reads(), fixture.statements.rekeys.load(Ordering::Relaxed));
    assert_eq!(rekeys, count, "each was recognised once");
    for (number, secret) in secrets.iter().enumerate() {
        assert!(fixture.authenticate(&owner(number), secret).await.is_ok());
    }
    assert_eq!((fixture.reads(), fixture.statements.rekeys.load(Ordering::Relaxed)), (reads, rekeys), "from memory");
    let begun_again = fixture.restarted(crate::support::KEY, "").await;
    for (number, secret) in secrets.iter().enumerate().take(200) {
        assert!(begun_again.authenticate("", secret).await.is_ok(), "found like any other, also as a bearer");
        assert!(begun_again.authenticate(&owner(number), secret).await.is_ok());
    }
    assert_eq!(begun_again.statements.rekeys.load(Ordering::Relaxed), 0);
    assert_eq!(import(&begun_again, records, false).await, all("Known"), "once and for all");
}

fn in_go(verifier: &str, label: &str) -> Value {
    json!({
        "password": verifier,
        "token_scope": {"user": {"resource": {"decoder": "json", "value": "eyJwYXRoIjoiLyJ9"}, "role": 1}},
        "label": label,
        "expiration": {"seconds": 50 * 8760 * 3600 + 72 * 3600},
        "ctime": {"seconds": 50 * 8760 * 3600 - 60},
        "utime": {"seconds": 50 * 8760 * 3600 - 30},
    })
}

fn ocis_file(secrets: &[String], people: usize, cost: u32) -> Vec<u8> {
    let hash = |secret: &String| {
        bcrypt::hash_with_result(secret, cost).expect("hashes").format_for_version(bcrypt::Version::TwoA)
    };
    // on every core: it is most of what these tests do
    let half = secrets.len() / 2;
    let hashes: Vec<String> = std::thread::scope(|scope| {
        let begin = scope.spawn(|| secrets[..half].iter().map(hash).collect::<Vec<_>>());
        let end: Vec<_> = secrets[half..].iter().map(hash).collect();
        [begin.join().expect("hashes"), end].concat()
    });
    let mut owners: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for (number, hash) in hashes.into_iter().enumerate() {
        let owner = login(number % people);
        // Go puts one space or two between the fields, as the program happens to be built
        let gap = if (number % people).is_multiple_of(2) { " " } else { "  " };
        let key = format!("idp:\"https://localhost:9200\"{gap}opaque_id:\"id-of-{owner}\"{gap}type:USER_TYPE_PRIMARY");
        owners.entry(key).or_default().insert(hash.clone(), in_go(&hash, "Generated via API"));
    }
    serde_json::to_vec(&owners).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_of_ocis_go_on_working() {
    for (count, people) in SIZES {
        let secrets = secrets(count, |_, bytes| hexadecimal(&bytes[..8]));
        let file = ocis_file(&secrets, people, 4);
        takes_over(fixture(people).await, ocis(&file).expect("is read"), &secrets, people).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_of_opencloud_go_on_working() {
    let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).expect("a cost"));
    for (count, people) in SIZES {
        let secrets =
            secrets(count, |number, bytes| format!("correct horse battery staple {number} {}", hexadecimal(bytes)));
        let mut files: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        for (number, secret) in secrets.iter().enumerate() {
            let hash =
                cheap.hash_password_with_salt(secret.as_bytes(), b"0123456789abcdef").expect("hashes").to_string();
            let id = uuid::Uuid::from_u128(number as u128 + 1).to_string();
            files.entry(login(number % people)).or_default().insert(id, in_go(&hash, "Desktop"));
        }
        let folder = tempfile::tempdir().expect("a folder");
        for (owner, tokens) in files {
            let file = folder.path().join(format!("id-of-{owner}.json"));
            std::fs::write(file, serde_json::to_vec(&tokens).expect("JSON")).expect("writes");
        }
        let records = opencloud(folder.path()).expect("is read");
        let by_id: BTreeMap<&str, &Record> = records.iter().map(|record| (record.id.as_str(), record)).collect();
        let in_order =
            (1..=count).map(|number| by_id[uuid::Uuid::from_u128(number as u128).to_string().as_str()].clone());
        takes_over(fixture(people).await, in_order.collect(), &secrets, people).await;
    }
}

fn cells_row(secret: &str, owner: &str, more: &Value) -> Value {
    let mut row = json!({
        "uuid": uuid::Uuid::from_slice(&legacy_hashes::name(secret)[..16]).expect("16 bytes").to_string(),
        "access_token": format!("sha256:{}", hexadecimal(&legacy_hashes::name(secret))),
        "pat_type": 1,
        "label": "sync",
        "user_uuid": "unknown-here",
        "user_login": owner,
        "auto_refresh": 0,
        "expire_at": 50 * 8760 * 3600 + 72 * 3600,
        "created_at": 50 * 8760 * 3600 - 60,
        "scopes": null,
    });
    for (key, value) in more.as_object().expect("members") {
        row[key] = value.clone();
    }
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_of_cells_go_on_working() {
    for (count, people) in SIZES {
        let secrets = secrets(count, |number, bytes| format!("{}{number}.{}", hexadecimal(bytes), hexadecimal(bytes)));
        let rows: Vec<Value> =
            (0..count).map(|one| cells_row(&secrets[one], &login(one % people), &json!({}))).collect();
        let file = serde_json::to_vec(&rows).expect("JSON");
        takes_over(fixture(people).await, cells(&file).expect("is read"), &secrets, people).await;
    }
}

#[tokio::test]
async fn windows_scopes_and_ends_come_along() {
    let fixture = fixture(1).await;
    let now = fixture.clock.now();
    let epoch = now.duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let node = "node:1f3c6d2e-7a54-4a06-9d0c-3f1d3f0a9b11";
    let owner = login(0);
    let rows = [
        cells_row("sliding-secret", &owner, &json!({"auto_refresh": 600, "expire_at": epoch + 300})),
        cells_row("scoped-secret", &owner, &json!({"scopes": [format!("{node}:r"), format!("{node}:w")]})),
        cells_row("long-secret", &owner, &json!({"expire_at": epoch + 20 * 8760 * 3600})),
        cells_row("over-secret", &owner, &json!({"expire_at": epoch - 1})),
        cells_row("strange-secret", &owner, &json!({"scopes": ["doc:rw:1"]})),
        cells_row("orphan-secret", "unknown", &json!({})),
        cells_row("broken-secret", &owner, &json!({"access_token": "sha256:xyz"})),
    ];
    let file = serde_json::to_vec(&rows).expect("JSON");
    let counts = import(&fixture, cells(&file).expect("is read"), false).await;
    let wanted = [("Expired", 1), ("Imported", 3), ("Refused", 2), ("UnknownOwner", 1)];
    assert_eq!(counts, wanted.map(|(word, count)| (word.to_owned(), count)).into());

    let listed = fixture.list(&owner).await;
    let ends = listed
        .iter()
        .map(|token| (token.end().expect("ends").duration_since(now).expect("later"), token.grants.words()));
    let mut ends: Vec<_> = ends.collect();
    ends.sort();
    let hour = |count| count * HOUR;
    let user = || vec!["user".to_owned()];
    assert_eq!(ends, [(Duration::from_mins(5), user()), (hour(72), vec![format!("{node}:rw")]), (hour(8760), user())]);
    let sliding = listed.iter().find(|token| matches!(token.life, Life::Sliding { .. })).expect("is there");
    assert_eq!(sliding.life.latest(), Some(now + hour(720)), "a window gets an absolute end");
    fixture.authenticate(&owner, "sliding-secret").await.expect("still works");
    fixture.clock.advance(Duration::from_mins(9));
    fixture.authenticate(&owner, "sliding-secret").await.expect("its window began anew");
    for secret in ["over-secret", "strange-secret", "orphan-secret", "broken-secret", "unheard-of"] {
        assert_eq!(fixture.refusal(&owner, &secret.into()).await, Reason::WrongSecret, "{secret}");
    }
}

#[tokio::test]
async fn imported_hash_is_verified_once() {
    let fixture = fixture(1).await;
    let file = ocis_file(&["a-secret-of-ocis".to_owned()], 1, 4);
    import(&fixture, ocis(&file).expect("is read"), false).await;
    let rekeys = || fixture.statements.rekeys.load(Ordering::Relaxed);
    assert_eq!(rekeys(), 0, "it is verified at the first use");
    patiently(&fixture, &login(0), "a-secret-of-ocis").await.expect("still works");
    assert_eq!(rekeys(), 1, "a digest takes its place");
    let reads = fixture.reads();
    for _ in 0..3 {
        fixture.authenticate(&login(0), "a-secret-of-ocis").await.expect("still works");
    }
    assert_eq!((rekeys(), fixture.reads()), (1, reads), "from memory");
}

#[tokio::test]
async fn expired_token_is_refused_though_it_matches() {
    let fixture = fixture(1).await;
    let epoch = fixture.clock.now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let row = cells_row("a-secret-of-cells", &login(0), &json!({"expire_at": epoch + 300}));
    let file = serde_json::to_vec(&[row]).expect("JSON");
    import(&fixture, cells(&file).expect("is read"), false).await;
    fixture.authenticate(&login(0), "a-secret-of-cells").await.expect("still works");
    fixture.clock.advance(Duration::from_mins(5));
    let refusal = fixture.refusal(&login(0), &"a-secret-of-cells".into()).await;
    assert_eq!(refusal, Reason::Expired, "remembered or not");
}

#[tokio::test]
async fn password_change_before_the_import_does_not_revoke_the_token() {
    let fixture = fixture(1).await;
    let now = fixture.clock.now();
    fixture.change_user(&login(0), |user| user.password_changed = Some(now - Duration::from_secs(1)));
    import(&fixture, ocis(&ocis_file(&["a-secret-of-ocis".to_owned()], 1, 4)).expect("is read"), false).await;
    fixture.authenticate(&login(0), "a-secret-of-ocis").await.expect("it was taken over after that");
    fixture.change_user(&login(0), |user| user.password_changed = Some(now + Duration::from_secs(1)));
    assert_eq!(
        fixture.refusal(&login(0), &"a-secret-of-ocis".into()).await,
        Reason::Revoked,
        "and a change after it does"
    );
}

#[tokio::test]
async fn token_imported_after_a_future_password_change_is_valid_until_the_next_change() {
    let fixture = fixture(1).await;
    let ahead = fixture.clock.now() + Duration::from_hours(2);
    fixture.change_user(&login(0), |user| user.password_changed = Some(ahead));
    let file = ocis_file(&["a-secret-of-ocis".to_owned()], 1, 4);
    import(&fixture, ocis(&file).expect("is read"), false).await;
    fixture.authenticate(&login(0), "a-secret-of-ocis").await.expect("it was taken over after the change");
    let begun_again = fixture.restarted(crate::support::KEY, "").await;
    begun_again.authenticate(&login(0), "a-secret-of-ocis").await.expect("also as it is stored");
    // the directory has the next change follow the one before
    let next = ahead + Duration::from_micros(1);
    fixture.change_user(&login(0), |user| user.password_changed = Some(next));
    assert_eq!(fixture.refusal(&login(0), &"a-secret-of-ocis".into()).await, Reason::Revoked);
}

#[tokio::test]
async fn the_hash_that_was_taken_over_names_the_token() {
    let fixture = fixture(2).await;
    let file = ocis_file(&["a-secret-of-ocis".to_owned()], 1, 4);
    let records = ocis(&file).expect("is read");
    let hash = records[0].verifier.clone();
    import(&fixture, records.clone(), false).await;
    assert!(matches!(fixture.revoke(&login(1), &hash).await, Err(ApplicationsError::NotFound)), "not another user's");
    fixture.authenticate(&login(0), "a-secret-of-ocis").await.expect("still works");
    fixture.revoke(&login(0), &hash).await.expect("also after it was recognised");
    assert_eq!(fixture.refusal(&login(0), &"a-secret-of-ocis".into()).await, Reason::Revoked);
    assert_eq!(import(&fixture, records, false).await, BTreeMap::from([("Known".to_owned(), 1)]), "it stays revoked");
    assert_eq!(fixture.refusal(&login(0), &"a-secret-of-ocis".into()).await, Reason::Revoked);
}

#[tokio::test]
async fn slow_search_for_a_legacy_secret_succeeds_on_a_retry() {
    let fixture = fixture(1).await;
    let secrets = secrets(24, |_, bytes| hexadecimal(&bytes[..8]));
    // as slow as the ones that oCIS makes
    import(&fixture, ocis(&ocis_file(&secrets, 1, 11)).expect("is read"), false).await;
    let mut busy = 0;
    for secret in secrets.iter().take(2) {
        loop {
            match fixture.authenticate(&login(0), secret).await {
                Ok(_) => break,
                Err(AuthError::Busy { .. }) => busy += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(busy < 60, "the search goes on meanwhile: {busy}");
    for secret in secrets.iter().take(2) {
        assert!(fixture.authenticate(&login(0), secret).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_for_one_owner_does_not_stop_the_tokens_of_another() {
    let fixture = Arc::new(fixture(2).await);
    // as slow as the ones that oCIS makes
    let secrets = secrets(2, |_, bytes| hexadecimal(&bytes[..8]));
    import(&fixture, ocis(&ocis_file(&secrets, 2, 11)).expect("is read"), false).await;
    let caller = Caller { source: Some(IpAddr::from([192, 0, 2, 1])), ..Caller::default() };
    let mut junk = JoinSet::new();
    for number in 0..45 {
        let (fixture, caller) = (Arc::clone(&fixture), caller.clone());
        let credentials = Credentials { caller, ..Credentials::new(login(0), format!("junk-of-a-stranger-{number}")) };
        junk.spawn(async move { fixture.authenticator.authenticate(&credentials).await });
    }
    let first = junk.join_next().await.expect("ends").expect("no panic").expect_err("junk");
    assert!(matches!(first, AuthError::Busy { .. }), "most of it finds no place: {first}");
    let credentials = Credentials { caller, ..Credentials::new(login(1), secrets[1].clone()) };
    let good = fixture.authenticator.authenticate(&credentials).await;
    assert_eq!(good.expect("finds a place").user.username, login(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_that_looks_like_another_systems_secret_is_searched_for_once() {
    let fixture = Arc::new(fixture(1).await);
    import(&fixture, ocis(&ocis_file(&["a-secret-of-ocis".to_owned()], 1, 4)).expect("is read"), false).await;
    for _ in 0..20 {
        assert_eq!(fixture.refusal(&login(0), &"a-secret-of-mine".into()).await, Reason::WrongSecret);
    }
    assert!(fixture.reads() <= 2, "{}", fixture.reads());
    for junk in ["short", "with\ttab-in-it", "ünïcode-secret", &"x".repeat(500)] {
        assert_eq!(fixture.refusal(&login(0), &junk.into()).await, Reason::Malformed, "{junk}");
    }
}
