//! Moments, families and stores.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use idp::Migrator;
use idp::endpoints::EndpointProfile;
use idp::model::{Binding, Family, Grant, SignIn};
use idp::store::Store;
use store::testing::TestDatabase;
use uuid::Uuid;

pub(crate) const NO_TIME: Duration = Duration::ZERO;
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// A store over a database that is brought up to date.
pub(crate) async fn open(place: &TestDatabase) -> Store {
    let database = place.open().await;
    database.migrate::<Migrator>().await.expect("migrates");
    database.migrate::<Migrator>().await.expect("migrates again");
    Store::new(database)
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A family that was begun at 1000, is over at 2000 if it is not used, and at 5000 in any case.
pub(crate) fn family(grant: u128, person: Option<&str>, client: &str) -> Family {
    let sign_in = SignIn { session: Some(id(7)), at: 990, amr: vec!["pwd".to_owned()], acr: "1".to_owned() };
    let grant = Grant {
        id: id(grant),
        layout: EndpointProfile::Cells,
        client: client.to_owned(),
        person: person.map(str::to_owned),
        sign_in: person.map(|_| sign_in),
        scope: "openid offline_access".parse().expect("is a scope"),
        claims: None,
        resources: vec!["https://api.example".to_owned()],
        actor: None,
        limited: false,
    };
    Family {
        grant,
        binding: Some(Binding::Dpop("thumbprint".to_owned())),
        generation: 0,
        rotated: at(1000) + Duration::from_micros(7),
        created: at(1000),
        idle_end: at(2000),
        end: at(5000),
    }
}

/// The ids of all that is revoked.
pub(crate) async fn revoked(store: &Store) -> Vec<Uuid> {
    let found = store.revocations(None, at(1000)).await.expect("reads");
    found.into_iter().map(|one| one.id).collect()
}
