//! The store, alike on `SQLite` and `PostgreSQL`.

use std::time::{Duration, UNIX_EPOCH};

use auth_app::Migrator;
use auth_app::grant::Grant;
use auth_app::model::{AppToken, Fingerprint, Kind, Stored};
use auth_app::store::{Sql, Tokens};
use authn::{UserId, UserType};
use store::Database;
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
        grants: vec![Grant::User],
        created: at(1000),
        created_by: "machine".into(),
        last_used: Some(at(1500)),
        expires: at(2000),
        revoked: None,
    };
    Stored { token, fingerprint: Fingerprint { key_id: "k1".into(), digest: [number; 32] } }
}

async fn suite(database: Database) {
    database.migrate::<Migrator>().await.expect("migrates");
    database.migrate::<Migrator>().await.expect("migrates again");
    let tokens = Sql::new(database);
    let (one, two, hers) = (stored(1, owner("a")), stored(2, owner("a")), stored(3, owner("b")));
    for token in [&one, &two, &hers] {
        tokens.add(token).await.expect("adds");
    }
    assert!(tokens.add(&one).await.is_err(), "not twice");

    let other = Fingerprint { key_id: "k0".into(), digest: [9; 32] };
    let found = tokens.find(&[other.clone(), one.fingerprint.clone()]).await.expect("reads");
    assert_eq!(found.as_ref(), Some(&one), "everything comes back as it was");
    assert_eq!(tokens.find(std::slice::from_ref(&other)).await.expect("reads"), None);

    let before = UNIX_EPOCH + Duration::from_secs(1999);
    let ids = async |owner, now| {
        let listed = tokens.list(&owner, now).await.expect("lists");
        listed.iter().map(|token| token.id.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(ids(owner("a"), before).await, [1, 2]);
    assert_eq!(ids(owner("a"), one.token.expires).await, [0; 0], "they are over");
    assert_eq!(ids(UserId { idp: String::new(), ..owner("a") }, before).await, [1, 2]);
    assert_eq!(ids(UserId { idp: "https://other".into(), ..owner("a") }, before).await, [0; 0]);

    assert!(!tokens.revoke(&owner("b"), one.token.id, before).await.expect("asks"), "not hers");
    assert!(tokens.revoke(&owner("a"), one.token.id, before).await.expect("revokes"));
    assert!(!tokens.revoke(&owner("a"), one.token.id, before).await.expect("asks"), "not twice");
    assert_eq!(ids(owner("a"), before).await, [2]);
    let revoked = tokens.find(std::slice::from_ref(&one.fingerprint)).await.expect("reads").expect("is there");
    assert_eq!(revoked.token.revoked, Some(before));

    tokens.rekey(two.token.id, &other).await.expect("writes");
    let moved = tokens.find(std::slice::from_ref(&other)).await.expect("reads").expect("is there");
    assert_eq!((moved.token.id, moved.fingerprint), (two.token.id, other));
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
    }
}
