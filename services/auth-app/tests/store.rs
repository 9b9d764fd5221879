//! The store, alike on `SQLite` and `PostgreSQL`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth_app::Migrator;
use auth_app::model::{AppToken, Fingerprint, Kind, LastUse, Life, Stored};
use auth_app::store::{Added, ImportedToken, Page, TokenFilter, TokenStore, Use};
use authn::{Grants, UserId, UserType};
use sea_orm::{ConnectionTrait, DbBackend};
use store::page::Position;
use store::testing::{TestDatabase, plan_of_poll};
use store::{Database, ReplicaSync, columns};
use uuid::Uuid;

fn owner(name: &str) -> UserId {
    UserId { idp: "https://idp".into(), opaque_id: name.into(), kind: UserType::Primary, ..UserId::default() }
}

fn stored(number: u8, owner: UserId) -> Stored {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(7);
    let token = AppToken {
        id: Uuid::from_u128(u128::from(number)),
        owner,
        kind: Kind::App,
        label: "télé 'phone'".into(),
        grants: Grants::user(),
        created: at(1000),
        imported: None,
        created_by: "machine".into(),
        life: Life::Fixed(Some(at(2000))),
        slid: None,
        last_use: None,
        revoked: None,
    };
    Stored { token, fingerprint: Fingerprint { key_id: "k1".into(), digest: [number; 32] } }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

const ALL: Page = Page { after: None, limit: 1000 };

async fn ids(tokens: &TokenStore, owner: &UserId, now: SystemTime) -> Vec<u128> {
    let listed = tokens.list(owner, now, ALL).await.expect("lists");
    listed.iter().map(|token| token.id.as_u128()).collect()
}

async fn add(tokens: &TokenStore, token: &Stored) {
    assert_eq!(tokens.add(token, 0, at(1000)).await.expect("adds"), Added::Done);
}

async fn find(tokens: &TokenStore, fingerprint: &Fingerprint) -> Option<Stored> {
    tokens.find(std::slice::from_ref(fingerprint)).await.expect("reads")
}

/// Reads revocations as a replica does.
async fn follow(database: &Database) -> ReplicaSync {
    ReplicaSync::open("auth_app_revocations", "app_token_revocations", database).await.expect("reads")
}

async fn unread(sync: &ReplicaSync, tokens: &TokenStore) -> Vec<Uuid> {
    sync.read(|unread| async move { tokens.revocations(&unread).await }).await.expect("reads")
}

async fn suite(database: Database) {
    database.migrate::<Migrator>().await.expect("migrates");
    database.migrate::<Migrator>().await.expect("migrates again");
    let has_replicas = database.is_postgres();
    let tokens = TokenStore::new(database.clone());
    let sync = follow(&database).await;
    kept_and_ended(&tokens).await;
    let recent = unread(&sync, &tokens).await;
    assert_eq!(
        recent.iter().filter(|id| id.as_u128() == 1).count(),
        if has_replicas { 2 } else { 0 },
        "and again at the second call"
    );
    limited(&tokens).await;
    used(&tokens).await;
    taken_over(&tokens).await;
    pruned(&tokens).await;
    searched(&tokens).await;
    ended_by_a_restore(&tokens, &database).await;
}

/// `docs/security-requirements.md#k3`
async fn ended_by_a_restore(tokens: &TokenStore, database: &Database) {
    let planck = owner("planck");
    let (one, two) = (stored(201, planck.clone()), stored(202, planck.clone()));
    add(tokens, &one).await;
    add(tokens, &two).await;
    assert!(tokens.revoke(&planck, two.token.id, at(1100)).await.expect("revokes"));
    let state = auth_app::state(&auth_app::Config::default(), &config::Environment::default());
    let replacement = database.begin_replacement().await.expect("begins");
    let ended = replacement.end(state.end_credentials, at(1200)).await.expect("ends");
    replacement.commit().await.expect("is durable");
    assert!(matches!(ended.as_slice(), [("app tokens", count)] if *count > 0), "{ended:?}");
    assert_eq!(ids(tokens, &planck, at(1300)).await, Vec::<u128>::new());
    let revoked = async |token: &Stored| find(tokens, &token.fingerprint).await.expect("is there").token.revoked;
    assert_eq!((revoked(&one).await, revoked(&two).await), (Some(at(1200)), Some(at(1100))));
}

async fn kept_and_ended(tokens: &TokenStore) {
    let (one, two, hers) = (stored(1, owner("a")), stored(2, owner("a")), stored(3, owner("b")));
    for token in [&one, &two, &hers] {
        add(tokens, token).await;
    }
    assert!(tokens.add(&one, 0, at(1000)).await.is_err(), "not twice");

    let other = Fingerprint { key_id: "k0".into(), digest: [9; 32] };
    let found = tokens.find(&[other.clone(), one.fingerprint.clone()]).await.expect("reads");
    assert_eq!(found.as_ref(), Some(&one), "everything comes back as it was");
    assert_eq!(find(tokens, &other).await, None);
    assert_eq!(tokens.get(one.token.id).await.expect("reads").as_ref(), Some(&one.token));

    assert_eq!(ids(tokens, &owner("a"), at(1999)).await, [1, 2]);
    assert_eq!(ids(tokens, &owner("a"), at(2001)).await, [0; 0], "they are over");
    assert_eq!(ids(tokens, &UserId { idp: String::new(), ..owner("a") }, at(1999)).await, [1, 2]);
    for idp in ["https://idp/", "https://other"] {
        let renamed = UserId { idp: idp.into(), ..owner("a") };
        assert_eq!(
            ids(tokens, &renamed, at(1999)).await,
            [1, 2],
            "the installation may be called otherwise now: {idp}"
        );
    }
    for kind in [UserType::Federated, UserType::Lightweight, UserType::Service] {
        let foreign = UserId { idp: "https://other".into(), kind, ..owner("a") };
        assert_eq!(ids(tokens, &foreign, at(1999)).await, [0; 0], "{kind:?} has identifiers that others choose");
    }
    let page = tokens.list(&owner("a"), at(1999), Page { after: Some(one.token.id), limit: 1 }).await.expect("lists");
    assert_eq!(page.iter().map(|token| token.id).collect::<Vec<_>>(), [two.token.id]);

    assert!(!tokens.rename(&owner("b"), one.token.id, "hers").await.expect("asks"), "not hers");
    assert!(tokens.rename(&owner("a"), one.token.id, "laptop").await.expect("renames"));
    assert_eq!(tokens.get(one.token.id).await.expect("reads").map(|token| token.label), Some("laptop".to_owned()));

    assert!(!tokens.revoke(&owner("b"), one.token.id, at(1500)).await.expect("asks"), "not hers");
    assert!(tokens.revoke(&owner("a"), one.token.id, at(1500)).await.expect("revokes"));
    assert!(!tokens.revoke(&owner("a"), one.token.id, at(1500)).await.expect("asks"), "not twice");
    assert!(!tokens.rename(&owner("a"), one.token.id, "late").await.expect("asks"), "what is revoked is not renamed");
    assert_eq!(ids(tokens, &owner("a"), at(1999)).await, [2]);
    assert_eq!(find(tokens, &one.fingerprint).await.and_then(|found| found.token.revoked), Some(at(1500)));

    tokens.rekey(two.token.id, &other).await.expect("writes");
    let moved = find(tokens, &other).await.expect("is there");
    assert_eq!((moved.token.id, moved.fingerprint), (two.token.id, other));

    assert_eq!(tokens.revoke_all(&owner("a"), at(1600)).await.expect("revokes"), [two.token.id]);
    assert_eq!(ids(tokens, &owner("b"), at(1999)).await, [3], "hers are hers");
}

async fn limited(tokens: &TokenStore) {
    let (one, two, three) = (stored(11, owner("c")), stored(12, owner("c")), stored(13, owner("c")));
    assert_eq!(tokens.add(&one, 2, at(1000)).await.expect("adds"), Added::Done);
    assert_eq!(tokens.add(&two, 2, at(1000)).await.expect("adds"), Added::Done);
    assert_eq!(tokens.add(&three, 2, at(1000)).await.expect("asks"), Added::Full);
    assert_eq!(find(tokens, &three.fingerprint).await, None, "nothing was changed");
    assert_eq!(tokens.add(&three, 2, at(2001)).await.expect("adds"), Added::Done, "those that are over do not count");
}

fn sliding(number: u8, name: &str) -> Stored {
    let mut stored = stored(number, owner(name));
    stored.token.life = Life::Sliding { window: Duration::from_mins(10), latest: at(9000) };
    stored.token.slid = Some(at(1600));
    stored
}

async fn used(tokens: &TokenStore) {
    let (hard, sliding) = (stored(21, owner("d")), sliding(22, "d"));
    add(tokens, &hard).await;
    add(tokens, &sliding).await;
    assert_eq!(find(tokens, &sliding.fingerprint).await.as_ref(), Some(&sliding));
    assert_eq!(ids(tokens, &owner("d"), at(1700)).await, [21], "the window is over");
    let last = |seconds, agent: &str| LastUse {
        at: at(seconds),
        source: Some([192, 0, 2, 1].into()),
        user_agent: agent.into(),
    };
    let uses = [
        Use { token: hard.token.id, last_use: last(1100, "curl"), slid: None },
        Use { token: sliding.token.id, last_use: last(1200, "rclone"), slid: Some(at(1800)) },
    ];
    tokens.write_uses(&uses).await.expect("writes");
    tokens.write_uses(&[]).await.expect("nothing is nothing");
    let found = find(tokens, &sliding.fingerprint).await.expect("is there").token;
    assert_eq!((found.slid, found.last_use), (Some(at(1800)), Some(last(1200, "rclone"))));
    let found = find(tokens, &hard.fingerprint).await.expect("is there").token;
    assert_eq!((found.slid, found.last_use), (None, Some(last(1100, "curl"))));
    assert_eq!(ids(tokens, &owner("d"), at(1700)).await, [21, 22]);
    let earlier = Use { token: sliding.token.id, last_use: last(1150, "late"), slid: Some(at(1750)) };
    tokens.write_uses(&[earlier]).await.expect("writes");
    let found = find(tokens, &sliding.fingerprint).await.expect("is there").token;
    assert_eq!((found.slid, found.last_use), (Some(at(1800)), Some(last(1200, "rclone"))), "nothing moves back");
}

async fn taken_over(tokens: &TokenStore) {
    let imported = |number: u8, verifier: Option<&str>| {
        let mut stored = stored(number, owner("e"));
        stored.token.last_use = Some(LastUse { at: at(u64::from(number)), source: None, user_agent: String::new() });
        ImportedToken { stored, imported: [number + 100; 32], verifier: verifier.map(str::to_owned) }
    };
    assert!(!tokens.has_legacy_hashes().await.expect("asks"));
    let (slow, slower, quick) = (imported(31, Some("$2a$31")), imported(32, Some("$2a$32")), imported(33, None));
    let all = [slow.clone(), slower.clone(), quick.clone()];
    assert_eq!(tokens.import(&all).await.expect("imports"), [true, true, true]);
    assert_eq!(tokens.import(&all).await.expect("imports"), [false, false, false], "once");
    assert_eq!(tokens.import(&[quick.clone(), quick.clone()]).await.expect("imports"), [false, false]);
    assert!(tokens.has_legacy_hashes().await.expect("asks"));
    assert_eq!(tokens.imported(&slow.imported).await.expect("asks"), Some(slow.stored.token.id));
    assert_eq!(tokens.imported(&[0; 32]).await.expect("asks"), None);
    let candidates = async || tokens.candidates(&owner("e"), at(1500)).await.expect("asks");
    let ids: Vec<_> = candidates().await.into_iter().map(|one| (one.token, one.verifier)).collect();
    let wanted = [(slower.stored.token.id, "$2a$32".to_owned()), (slow.stored.token.id, "$2a$31".to_owned())];
    assert_eq!(ids, wanted, "those first that were used last");
    let known = Fingerprint { key_id: "k1".into(), digest: [131; 32] };
    tokens.rekey(slow.stored.token.id, &known).await.expect("writes");
    assert_eq!(candidates().await.len(), 1, "what was recognised is tried no more");
    assert_eq!(tokens.import(&all).await.expect("imports"), [false, false, false], "nor taken over again");
}

async fn pruned(tokens: &TokenStore) {
    let live = stored(41, owner("f"));
    let mut endless = stored(42, owner("f"));
    endless.token.life = Life::Fixed(None);
    let lapsed = sliding(43, "f");
    for token in [&live, &endless, &lapsed] {
        add(tokens, token).await;
    }
    let imported = tokens.imported(&[133; 32]).await.expect("asks").expect("was taken over");
    assert!(tokens.revoke(&owner("e"), imported, at(1500)).await.expect("revokes"));
    assert_eq!(tokens.prune(at(900), 100).await.expect("prunes"), 0, "nothing ended so long ago");
    // the revoked ones of a (2), the window of this suite's 43
    assert_eq!(tokens.prune(at(1700), 2).await.expect("prunes"), 2, "a few at a time");
    assert_eq!(tokens.prune(at(1700), 100).await.expect("prunes"), 1);
    assert_eq!(tokens.prune(at(1700), 100).await.expect("prunes"), 0);
    assert_eq!(tokens.get(lapsed.token.id).await.expect("reads"), None);
    assert!(tokens.get(imported).await.expect("reads").is_some(), "or it could be taken over again");
    assert!(tokens.prune(at(2100), 100).await.expect("prunes") > 0);
    assert_eq!(ids(tokens, &owner("f"), at(1500)).await, [42], "never is never");
    assert_eq!(tokens.get(imported).await.expect("reads"), None);
}

async fn searched(tokens: &TokenStore) {
    // those of the suite so far are over
    let now = at(3000);
    let new = |number: u8, name: &str, label: &str, created: u64, expires: Option<u64>| {
        let mut stored = stored(number, owner(name));
        label.clone_into(&mut stored.token.label);
        stored.token.created = at(created);
        stored.token.life = Life::Fixed(expires.map(at));
        stored
    };
    let all = [
        new(51, "g", "Phone_1", 2500, Some(9000)),
        new(52, "g", "laptop", 2600, Some(4000)),
        new(53, "h", "PHONE of 100%", 2600, Some(9000)),
        new(54, "h", "revoked phone", 2700, Some(9000)),
    ];
    for token in &all {
        add(tokens, token).await;
    }
    assert!(tokens.revoke(&owner("h"), all[3].token.id, at(2800)).await.expect("revokes"));
    let last_use = LastUse { at: at(2900), source: None, user_agent: "curl".to_owned() };
    tokens.write_uses(&[Use { token: all[0].token.id, last_use, slid: None }]).await.expect("writes");
    let any = TokenFilter::default;
    let found = async |filter: TokenFilter, after: Option<Position>, limit: u64| {
        let found = tokens.search(&filter, after, limit, now).await.expect("searches");
        let ids: Vec<_> = found.tokens.iter().map(|token| token.id.as_u128()).collect();
        (ids, found.next)
    };
    // 42 of another user never ends
    assert_eq!(found(any(), None, 10).await, (vec![53, 52, 51, 42], None), "the newest first");
    let (first, next) = found(any(), None, 1).await;
    let position = Position { at: at(2600), id: all[2].token.id };
    assert_eq!((first, next), (vec![53], Some(position)));
    assert_eq!(found(any(), next, 2).await.0, [52, 51]);
    assert_eq!(found(TokenFilter { owner: Some(owner("g")), ..any() }, None, 10).await.0, [52, 51]);
    for (text, ids) in
        [("phone", vec![53, 51, 42]), ("E_1", vec![51]), ("100%", vec![53]), ("%", vec![53]), ("x", vec![])]
    {
        let label = TokenFilter { label: Some(text.to_owned()), ..any() };
        assert_eq!(found(label, None, 10).await.0, ids, "{text}");
    }
    assert_eq!(found(TokenFilter { unused_since: Some(at(2700)), ..any() }, None, 10).await.0, [53, 52, 42]);
    assert_eq!(found(TokenFilter { expires_before: Some(at(5000)), ..any() }, None, 10).await.0, [52]);
}

#[tokio::test]
async fn sqlite() {
    let file = store::testing::sqlite();
    suite(file.open().await).await;
}

#[tokio::test]
async fn postgresql() {
    if let Some(cluster) = store::testing::Cluster::start().await {
        suite(cluster.fresh_database().await.open().await).await;
        slow_revocations_are_read(&cluster.fresh_database().await).await;
        poll_uses_indexes(&cluster.fresh_database().await).await;
        replicas_prune_together(&cluster.fresh_database().await).await;
    }
}

async fn open(place: &TestDatabase) -> Database {
    let database = place.open().await;
    database.migrate::<Migrator>().await.expect("migrates");
    database
}

async fn execute(database: &Database, sql: &str) {
    database.connection().execute_unprepared(sql).await.expect(sql);
}

/// As if a minute had passed between the revocation and the end of its transaction. Row
/// [A16](../../../docs/security-requirements.md#a16).
async fn slow_revocations_are_read(place: &TestDatabase) {
    let (database, other) = (open(place).await, open(place).await);
    let slow = database.begin_write().await.expect("begins");
    let now = columns::now(DbBackend::Postgres);
    let id = Uuid::from_u128(7);
    let insert = format!("INSERT INTO app_token_revocations (token, at) VALUES ('{id}', {now} - 60000000)");
    slow.execute_unprepared(&insert).await.expect("is written");
    let (sync, tokens) = (follow(&other).await, TokenStore::new(other));
    assert!(unread(&sync, &tokens).await.is_empty(), "it is not committed");
    slow.commit().await.expect("is committed");
    assert_eq!(unread(&sync, &tokens).await, [id]);
    assert!(unread(&sync, &tokens).await.is_empty());
}

async fn poll_uses_indexes(place: &TestDatabase) {
    let database = open(place).await;
    let fill = "INSERT INTO app_token_revocations (token, at) \
                SELECT gen_random_uuid(), n FROM generate_series(1, 20000) n; ANALYZE app_token_revocations";
    execute(&database, fill).await;
    let statements = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&statements);
    let observed = database.clone().observed(move |sql| noted.lock().expect("is whole").push(sql.to_owned()));
    assert!(unread(&follow(&database).await, &TokenStore::new(observed)).await.is_empty());
    let poll = statements.lock().expect("is whole").pop().expect("a statement");
    let plan = plan_of_poll(&database, &poll, [&[], &[]]).await;
    for index in ["app_token_revocations_at", "app_token_revocations_transaction_id"] {
        assert!(plan.contains(&format!("Index Scan on {index}")), "{plan}");
    }
}

/// A replica removes what no other one is removing, and does not wait.
async fn replicas_prune_together(place: &TestDatabase) {
    let (database, other) = (open(place).await, TokenStore::new(open(place).await));
    for number in 1..=3 {
        add(&other, &stored(number, owner("a"))).await;
    }
    let held = database.begin_write().await.expect("begins");
    let first = Uuid::from_u128(1);
    held.execute_unprepared(&format!("DELETE FROM app_tokens WHERE id = '{first}'")).await.expect("removes");
    assert_eq!(other.prune(at(3000), 100).await.expect("does not wait"), 2);
    held.rollback().await.expect("is undone");
    assert_eq!(other.prune(at(3000), 100).await.expect("prunes"), 1);
}
