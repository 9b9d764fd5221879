use std::time::UNIX_EPOCH;

use config::Environment;
use store::ReplicaSync;
use store::testing::Cluster;

use super::*;
use crate::sessions::{AT_MOST, IssuerName, Logout, ends};
use crate::{Config, Migrator};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn token(jti: &str) -> Name {
    Name::of_token("https://idp.example", jti)
}

/// What the end of this session of marie is.
fn of_session(sid: &str, seconds: u64) -> Vec<End> {
    let (issuer, subject) = ("https://idp.example".to_owned(), Some("marie".to_owned()));
    let logout = Logout { issuer, subject, session: Some(sid.to_owned()), at: at(seconds) };
    ends(&logout, Some(Duration::ZERO), at(seconds))
}

async fn suite(database: Database) {
    database.migrate::<Migrator>().await.expect("migrates");
    let store = &LogoutStore::new(database.clone());
    let sync = ReplicaSync::open("auth_bearer_logouts", TABLE, &database).await.expect("opens");
    let (first, second) = (of_session("s1", 0), of_session("s2", 10));
    assert!(store.record(token("j1"), at(60), &first).await.expect("writes"));
    assert!(!store.record(token("j1"), at(60), &second).await.expect("answers"), "the same token");
    assert!(store.record(token("j2"), at(60), &second).await.expect("writes"), "another token");

    let unread = sync.read(|unread| async move { store.ends(Some(&unread), at(20)).await }).await.expect("reads");
    let all = store.ends(None, at(20)).await.expect("reads");
    assert_eq!(unread, all, "a replica reads what was written since");
    // the user's row is that of the later end
    assert_eq!(all.len(), 3);
    for end in [first[0], second[0], second[1]] {
        assert!(all.contains(&end), "{end:?} of {all:?}");
    }
    many(store).await;

    let before = store.ends(None, at(0)).await.expect("reads").len();
    assert!(store.ends(None, second[0].until).await.expect("reads").is_empty(), "they are over");
    assert_eq!(store.prune(at(60), 10_000).await.expect("prunes"), 0, "clocks differ");
    assert_eq!(store.prune(at(361), 10_000).await.expect("prunes"), 3, "the tokens");
    assert!(store.record(token("j1"), at(900), &[]).await.expect("writes"), "it could not be accepted any more");
    let late = second[0].until + MARGIN + Duration::from_secs(1);
    let ended = u64::try_from(before).expect("a number");
    assert_eq!(store.prune(late, 10_000).await.expect("prunes"), ended + 1);
    ended_by_a_restore(store).await;
}

/// More than are read at once.
async fn many(store: &LogoutStore) {
    let ends: Vec<End> = (0..PAGE + 5).map(|number| of_session(&format!("m{number}"), 10)[0]).collect();
    assert!(store.record(token("many"), at(60), &ends).await.expect("writes"));
    let all = store.ends(None, at(20)).await.expect("reads");
    assert_eq!(all.len(), ends.len() + 3);
    assert!(ends.iter().all(|end| all.contains(end)), "each is read");
}

/// `docs/security-requirements.md#k3`
async fn ended_by_a_restore(store: &LogoutStore) {
    let state = crate::state(&Config::default(), &Environment::default());
    for now in [at(1000), at(2000)] {
        let replacement = store.database().begin_replacement().await.expect("begins");
        replacement.end(state.end_credentials, now).await.expect("ends");
        replacement.commit().await.expect("is durable");
        let everything = End { name: Name::everything(), issuer: IssuerName::default(), at: now, until: now + AT_MOST };
        assert_eq!(store.ends(None, now).await.expect("reads"), [everything]);
    }
}

#[tokio::test]
async fn sqlite() {
    suite(store::testing::sqlite().open().await).await;
}

#[tokio::test]
async fn postgresql() {
    let Some(cluster) = Cluster::start().await else { return };
    suite(cluster.fresh_database().await.open().await).await;
}
