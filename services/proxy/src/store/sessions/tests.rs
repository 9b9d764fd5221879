//! The store, alike on `SQLite` and `PostgreSQL`.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::session::Migrator;

const ISSUER: &str = "https://idp.example";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(7)
}

fn session(key: &str, subject: &str, sid: Option<&str>) -> Row {
    Row {
        key: key.to_owned(),
        subject: subject.to_owned(),
        sid: sid.map(str::to_owned),
        tokens: vec![0, 1, 255],
        access_end: at(1300),
        created: at(1000),
        used: at(1000),
        ends: at(9000),
        version: 1,
    }
}

fn ended(subject: Option<&str>, sid: Option<&str>, at: SystemTime) -> Ended {
    Ended { subject: subject.map(str::to_owned), sid: sid.map(str::to_owned), at }
}

async fn suite(database: Database) {
    database.migrate::<Migrator>().await.expect("migrates");
    database.migrate::<Migrator>().await.expect("migrates again");
    let rows = Rows::new(database.clone());
    kept_and_used(&rows).await;
    exchanged_once(&rows).await;
    ended_by_the_issuer(&rows).await;
    pruned(&rows).await;
    ended_by_a_restore(&rows, &database).await;
}

/// `docs/security-requirements.md#k3`
async fn ended_by_a_restore(rows: &Rows, database: &Database) {
    rows.add(&session("z", "planck", None)).await.expect("adds");
    let replacement = database.begin_replacement().await.expect("begins");
    let ended = replacement.end(crate::store::end_credentials, at(1000)).await.expect("ends");
    replacement.commit().await.expect("is durable");
    assert!(matches!(ended.as_slice(), [("sessions at the edge", 1..), ("keys of signed URLs", _)]), "{ended:?}");
    assert_eq!(rows.find("z").await.expect("reads"), None);
}

async fn kept_and_used(rows: &Rows) {
    let one = session("a", "einstein", Some("s1"));
    assert_eq!(rows.find("a").await.expect("reads"), None);
    rows.add(&one).await.expect("adds");
    rows.add(&one).await.expect_err("the key is there already");
    assert_eq!(rows.find("a").await.expect("reads"), Some(one.clone()));
    rows.note_use("a", at(1100)).await.expect("writes");
    rows.note_use("a", at(1050)).await.expect("a use of before changes nothing");
    assert_eq!(rows.find("a").await.expect("reads"), Some(Row { used: at(1100), ..one }));
    assert!(rows.end("a").await.expect("ends") && !rows.end("a").await.expect("ends"));
    assert_eq!(rows.find("a").await.expect("reads"), None);
    rows.note_use("a", at(1200)).await.expect("nothing comes back");
    assert_eq!(rows.find("a").await.expect("reads"), None);
}

async fn exchanged_once(rows: &Rows) {
    rows.add(&session("b", "einstein", None)).await.expect("adds");
    let claim = async |version, now| rows.claim("b", version, at(now), at(now + 10)).await.expect("writes");
    let both = tokio::join!(claim(1, 2000), claim(1, 2000));
    assert!(both.0 != both.1, "one of two has the claim: {both:?}");
    assert!(!claim(1, 2009).await && claim(1, 2010).await, "it ends by itself");
    rows.give_back("b", 1).await.expect("writes");
    assert!(claim(1, 2011).await, "or is given back");
    assert!(!claim(2, 9000).await, "there is no such version yet");
    assert!(rows.renew("b", 1, &[9], at(1600)).await.expect("writes"));
    assert!(!rows.renew("b", 1, &[8], at(1700)).await.expect("writes"), "the loser changes nothing");
    let found = rows.find("b").await.expect("reads").expect("is there");
    assert_eq!((found.tokens, found.access_end, found.version), (vec![9], at(1600), 2));
    assert!(!claim(1, 2012).await && claim(2, 2012).await, "a claim is on a version");
    assert!(!rows.end_at("b", 1).await.expect("ends") && rows.end_at("b", 2).await.expect("ends"));
    assert!(!rows.renew("b", 2, &[7], at(1800)).await.expect("writes"), "what has ended is not renewed");
}

async fn ended_by_the_issuer(rows: &Rows) {
    let left = async || {
        let mut left = Vec::new();
        for key in ["c", "d", "e", "f"] {
            left.extend(rows.find(key).await.expect("reads").map(|row| row.key));
        }
        left.concat()
    };
    for (key, subject, sid) in
        [("c", "bohr", Some("s1")), ("d", "bohr", Some("s2")), ("e", "curie", Some("s3")), ("f", "curie", None)]
    {
        rows.add(&session(key, subject, sid)).await.expect("adds");
    }
    let end = async |jti: &str, what: &Ended| rows.end_by(ISSUER, jti, at(5000), what).await.expect("writes");
    assert_eq!(end("j0", &ended(None, None, at(2000))).await, None);
    assert_eq!(end("j1", &ended(Some("bohr"), Some("s3"), at(2000))).await, Some(0), "both must fit");
    assert_eq!(end("j2", &ended(Some("bohr"), Some("s1"), at(2000))).await, Some(1));
    assert_eq!((left().await.as_str(), end("j2", &ended(None, Some("s2"), at(2000))).await), ("def", None));
    assert_eq!(left().await, "def", "a token counts once");
    assert_eq!(end("j3", &ended(Some("curie"), None, at(999))).await, Some(0), "they were begun later");
    assert_eq!(end("j4", &ended(Some("curie"), None, at(2000))).await, Some(2));
    assert_eq!(end("j5", &ended(None, Some("s2"), at(2000))).await, Some(1));
    assert_eq!(left().await, "");
}

async fn pruned(rows: &Rows) {
    for (key, used, ends) in [("g", 3000, 9000), ("h", 1000, 9000), ("i", 3000, 3900), ("k", 1000, 3900)] {
        let row = Row { used: at(used), ends: at(ends), ..session(key, "x", None) };
        rows.add(&row).await.expect("adds");
    }
    assert_eq!(rows.prune(at(4000), at(2000), 2).await.expect("prunes"), 2);
    assert_eq!(rows.prune(at(4000), at(2000), 2).await.expect("prunes"), 1);
    assert_eq!(rows.prune(at(4000), at(2000), 2).await.expect("prunes"), 0);
    assert!(rows.find("g").await.expect("reads").is_some());
    let again = ended(Some("other"), None, at(2000));
    assert_eq!(rows.end_by(ISSUER, "j5", at(6000), &again).await.expect("writes"), None, "it is still remembered");
    rows.prune(at(5000), at(0), 2).await.expect("prunes");
    assert_eq!(rows.end_by(ISSUER, "j5", at(6000), &again).await.expect("writes"), Some(0), "it is over and forgotten");
}

#[tokio::test]
async fn sessions_are_kept_in_sqlite() {
    let file = store::testing::sqlite();
    suite(file.open().await).await;
}

#[tokio::test]
async fn sessions_are_kept_in_postgres() {
    if let Some(cluster) = store::testing::Cluster::start().await {
        suite(cluster.fresh_database().await.open().await).await;
    }
}
