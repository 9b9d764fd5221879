//! Signing keys, whose private parts are sealed.

use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use store::StoreError;
use store::columns::{micros, time};

use super::entity::key;
use super::{Store, versions};

/// A signing key as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: String,
    /// The private key (PKCS #8), sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created: SystemTime,
    /// From when on it signs.
    pub active: SystemTime,
    /// Until when it is published; for now if there is no such time.
    pub retired: Option<SystemTime>,
    /// When a replica last said that it signs with it.
    pub claimed: Option<SystemTime>,
}

impl std::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kid, algorithm, created, active, retired, claimed, .. } = self;
        write!(f, "StoredKey({kid}, {algorithm}, {created:?}, {active:?}, {retired:?}, {claimed:?})")
    }
}

impl Store {
    /// All keys that are kept, by when they become active.
    pub async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let read = || async {
            let query = key::Entity::find().order_by_asc(key::Column::Active).order_by_asc(key::Column::Kid);
            Ok(query.all(self.database.reader()).await?)
        };
        Ok(self.database.run(read).await?.into_iter().map(key).collect())
    }

    /// Adds a key unless there is one of this algorithm already that becomes active at or after `unless_after` (two
    /// replicas start at once: one wins); whether it was added.
    pub async fn add_key(&self, key: &StoredKey, unless_after: Option<SystemTime>) -> Result<bool, StoreError> {
        let row = row(key);
        let write = || async {
            let transaction = self.database.begin_write().await?;
            // who counts is alone with the keys from here on, and reads what those before have written
            versions::count(&transaction).await?;
            if let Some(after) = unless_after {
                let others = key::Entity::find()
                    .filter(key::Column::Algorithm.eq(&*key.algorithm))
                    .filter(key::Column::Active.gte(micros(after)));
                if others.count(&transaction).await? > 0 {
                    return Ok(false);
                }
            }
            key::Entity::insert(row.clone()).exec_without_returning(&transaction).await?;
            transaction.commit().await?;
            Ok(true)
        };
        self.changing(write).await
    }

    /// Sets until when a key is published, unless that is sooner already: who takes a key out at once is not overruled.
    /// Whether anything has changed.
    pub async fn retire_key(&self, kid: &str, at: SystemTime) -> Result<bool, StoreError> {
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let update = key::Entity::update_many()
                .col_expr(key::Column::Retired, Expr::value(micros(at)))
                .filter(key::Column::Kid.eq(kid))
                .filter(Condition::any().add(key::Column::Retired.is_null()).add(key::Column::Retired.gt(micros(at))));
            let has_changed = update.exec(&transaction).await?.rows_affected > 0;
            if has_changed {
                versions::count(&transaction).await?;
                transaction.commit().await?;
            }
            Ok(has_changed)
        };
        self.changing(write).await
    }

    /// Notes that a replica signs with a key. Other replicas read it when they next look, and are not woken for it.
    pub async fn claim_key(&self, kid: &str, now: SystemTime) -> Result<(), StoreError> {
        let update = key::Entity::update_many()
            .col_expr(key::Column::Claimed, Expr::value(micros(now)))
            .filter(key::Column::Kid.eq(kid))
            .filter(Condition::any().add(key::Column::Claimed.is_null()).add(key::Column::Claimed.lt(micros(now))));
        self.database.run(|| async { Ok(update.clone().exec(self.database.connection()).await.map(drop)?) }).await
    }

    /// Removes keys that were retired before; how many.
    pub async fn prune_keys(&self, before: SystemTime) -> Result<u64, StoreError> {
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let delete = key::Entity::delete_many().filter(key::Column::Retired.lt(micros(before)));
            let gone = delete.exec(&transaction).await?.rows_affected;
            if gone > 0 {
                versions::count(&transaction).await?;
                transaction.commit().await?;
            }
            Ok(gone)
        };
        self.changing(write).await
    }

    /// Does what may change keys, and tells of it if it has.
    async fn changing<T, F>(&self, write: impl FnMut() -> F) -> Result<T, StoreError>
    where
        T: Default + PartialEq,
        F: Future<Output = Result<T, StoreError>>,
    {
        let outcome = self.database.run(write).await?;
        if outcome != T::default() {
            self.changed();
        }
        Ok(outcome)
    }
}

fn row(key: &StoredKey) -> key::ActiveModel {
    key::ActiveModel {
        kid: Set(key.kid.clone()),
        algorithm: Set(key.algorithm.clone()),
        sealed: Set(key.sealed.clone()),
        created: Set(micros(key.created)),
        active: Set(micros(key.active)),
        retired: Set(key.retired.map(micros)),
        claimed: Set(key.claimed.map(micros)),
    }
}

fn key(row: key::Model) -> StoredKey {
    StoredKey {
        kid: row.kid,
        algorithm: row.algorithm,
        sealed: row.sealed,
        created: time(row.created),
        active: time(row.active),
        retired: row.retired.map(time),
        claimed: row.claimed.map(time),
    }
}
