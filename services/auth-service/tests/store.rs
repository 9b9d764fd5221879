//! One suite for every database.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth_service::Migrator;
use auth_service::model::{Change, LastUse, StoredAccount, StoredSecret, Use};
use auth_service::secret::Verifier;
use auth_service::store::{AccountStore, Page, SecretAdded};
use runtime::Random;
use store::Database;
use uuid::Uuid;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn secret(id: u128) -> StoredSecret {
    StoredSecret {
        id: Uuid::from_u128(id),
        verifier: Verifier::new("a secret", &Random::seeded(1)),
        created: at(u64::try_from(id).expect("is small")),
        created_by: "moss".to_owned(),
        expires: None,
        last_used: None,
    }
}

fn account(id: &str, display_name: &str, secrets: Vec<StoredSecret>) -> StoredAccount {
    StoredAccount {
        id: id.to_owned(),
        display_name: display_name.to_owned(),
        scopes: vec!["user".to_owned()],
        disabled: false,
        expires: Some(at(1000)),
        created: at(0),
        created_by: "moss".to_owned(),
        last_use: None,
        secrets,
    }
}

fn used(account: &str, secret: u128, seconds: u64) -> Use {
    let last_use =
        LastUse { at: at(seconds), source: Some([192, 0, 2, 1].into()), user_agent: format!("curl {seconds}") };
    Use { account: account.to_owned(), secret: Uuid::from_u128(secret), last_use }
}

async fn ids(accounts: &AccountStore, query: &str, after: &str, limit: u64) -> Vec<String> {
    let found = accounts.list(&Page { query, after, limit }).await.expect("an answer");
    found.into_iter().map(|account| account.id).collect()
}

async fn found(accounts: &AccountStore, id: &str) -> StoredAccount {
    accounts.find(id).await.expect("an answer").expect("there is such an account")
}

async fn open(database: Database) -> AccountStore {
    database.migrate::<Migrator>().await.expect("the schema");
    database.migrate::<Migrator>().await.expect("the schema is up to date already");
    AccountStore::new(database)
}

async fn accounts_are_added_found_changed_and_deleted(accounts: &AccountStore) {
    assert_eq!(accounts.find("backup").await.expect("an answer"), None);
    let backup = account("backup", "Nightly 50% copy", vec![secret(1)]);
    assert!(accounts.create(&backup).await.expect("an answer"));
    assert!(!accounts.create(&account("backup", "", vec![secret(2)])).await.expect("an answer"), "is taken");
    assert_eq!(found(accounts, "backup").await, backup);
    assert!(found(accounts, "backup").await.secrets[0].verifier.accepts("a secret"));

    for id in ["ci", "a.deploy"] {
        assert!(accounts.create(&account(id, "", vec![])).await.expect("an answer"));
    }
    assert_eq!(ids(accounts, "", "", 10).await, ["a.deploy", "backup", "ci"]);
    assert_eq!(ids(accounts, "", "a.deploy", 1).await, ["backup"]);
    assert_eq!(ids(accounts, "NIGHTLY", "", 10).await, ["backup"]);
    assert_eq!(ids(accounts, "50%", "", 10).await, ["backup"]);
    assert_eq!(ids(accounts, "%", "", 10).await, ["backup"], "a pattern has no meaning");
    assert_eq!(ids(accounts, ".dep", "", 10).await, ["a.deploy"]);
    assert!(ids(accounts, "' OR 1=1 --", "", 10).await.is_empty());

    let change = Change { disabled: Some(true), ..Change::default() };
    assert!(accounts.update("backup", &change).await.expect("an answer"));
    assert_eq!(found(accounts, "backup").await, StoredAccount { disabled: true, ..backup.clone() });
    let scopes = vec!["user".to_owned(), "user".to_owned()];
    let change =
        Change { display_name: Some("Copy".to_owned()), scopes: Some(scopes.clone()), expires: Some(None), ..change };
    assert!(accounts.update("backup", &change).await.expect("an answer"));
    let changed = found(accounts, "backup").await;
    assert_eq!((changed.display_name.as_str(), changed.scopes, changed.expires), ("Copy", scopes, None));
    assert!(!accounts.update("unknown", &change).await.expect("an answer"));

    assert!(accounts.delete("backup").await.expect("an answer"));
    assert!(!accounts.delete("backup").await.expect("an answer"));
    assert!(accounts.create(&account("backup", "", vec![])).await.expect("an answer"));
    assert!(found(accounts, "backup").await.secrets.is_empty(), "the secrets are gone too");
}

async fn secrets_are_added_ended_and_removed(accounts: &AccountStore) {
    assert!(accounts.create(&account("two", "", vec![secret(11)])).await.expect("an answer"));
    let add = async |new: StoredSecret, end, now| accounts.add_secret("two", &new, end, now).await.expect("an answer");
    assert_eq!(add(secret(12), Some(at(100)), at(20)).await, SecretAdded::Done);
    let ends: Vec<_> = found(accounts, "two").await.secrets.iter().map(|secret| secret.expires).collect();
    assert_eq!(ends, [Some(at(100)), None]);
    assert_eq!(add(secret(13), None, at(99)).await, SecretAdded::Full);
    assert_eq!(add(secret(13), Some(at(300)), at(100)).await, SecretAdded::Done, "the first one has ended");
    let secrets: Vec<_> = found(accounts, "two").await.secrets.iter().map(|secret| secret.id.as_u128()).collect();
    assert_eq!(secrets, [12, 13]);
    assert!(accounts.remove_secret("two", Uuid::from_u128(13)).await.expect("an answer"));
    assert!(!accounts.remove_secret("two", Uuid::from_u128(13)).await.expect("an answer"));
    assert!(!accounts.remove_secret("ci", Uuid::from_u128(12)).await.expect("an answer"), "of another account");
    assert_eq!(add(secret(14), Some(at(400)), at(200)).await, SecretAdded::Done);
    assert_eq!(found(accounts, "two").await.secrets[0].expires, Some(at(300)), "no later than before");
    let none = accounts.add_secret("unknown", &secret(15), None, at(200)).await.expect("an answer");
    assert_eq!(none, SecretAdded::NoAccount);
}

async fn of_several_secrets_at_once_one_is_added(accounts: &AccountStore) {
    assert!(accounts.create(&account("race", "", vec![secret(21)])).await.expect("an answer"));
    let new = [22, 23, 24].map(secret);
    let [one, two, three] = &new;
    let add = |new| accounts.add_secret("race", new, None, at(50));
    let (one, two, three) = tokio::join!(add(one), add(two), add(three));
    let added = [one, two, three].map(|outcome| outcome.expect("an answer"));
    assert_eq!(added.iter().filter(|outcome| **outcome == SecretAdded::Done).count(), 1, "{added:?}");
    assert_eq!(found(accounts, "race").await.secrets.len(), 2);
}

async fn last_use_only_moves_ahead(accounts: &AccountStore) {
    assert!(accounts.create(&account("used", "", vec![secret(31), secret(32)])).await.expect("an answer"));
    accounts.write_uses(&[]).await.expect("nothing to write");
    accounts.write_uses(&[used("used", 31, 50), used("used", 32, 40), used("gone", 99, 1)]).await.expect("writes");
    accounts.write_uses(&[used("used", 31, 45)]).await.expect("writes");
    let account = found(accounts, "used").await;
    assert_eq!(account.last_use, Some(used("used", 31, 50).last_use));
    let times: Vec<_> = account.secrets.iter().map(|secret| secret.last_used).collect();
    assert_eq!(times, [Some(at(50)), Some(at(40))]);
}

async fn suite(database: Database) {
    let accounts = open(database).await;
    accounts_are_added_found_changed_and_deleted(&accounts).await;
    secrets_are_added_ended_and_removed(&accounts).await;
    of_several_secrets_at_once_one_is_added(&accounts).await;
    last_use_only_moves_ahead(&accounts).await;
}

#[tokio::test]
async fn sqlite() {
    suite(store::testing::sqlite().open().await).await;
}

#[tokio::test]
async fn postgresql() {
    let Some(cluster) = store::testing::Cluster::start().await else { return };
    suite(cluster.fresh_database().await.open().await).await;
}
