//! Tokens in `SQLite` or `PostgreSQL`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use authn::{UserId, UserType};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use store::{Database, StoreError};
use uuid::Uuid;

use super::Tokens;
use super::entity::{ActiveModel, Column, Entity, Model};
use crate::grant;
use crate::model::{AppToken, Digest, Fingerprint, Kind, Stored};

/// Tokens in a database.
pub struct Sql(Database);

impl Sql {
    /// Tokens in this database, whose schema is up to date.
    pub fn new(database: Database) -> Self {
        Self(database)
    }
}

#[async_trait]
impl Tokens for Sql {
    async fn add(&self, token: &Stored) -> Result<(), StoreError> {
        let row = || async {
            Entity::insert(row_of(token)?).exec_without_returning(self.0.connection()).await?;
            Ok(())
        };
        self.0.run(row).await
    }

    async fn find(&self, fingerprints: &[Fingerprint]) -> Result<Option<Stored>, StoreError> {
        let digests: Vec<Vec<u8>> = fingerprints.iter().map(|one| one.digest.to_vec()).collect();
        let read = || async {
            let query = Entity::find().filter(Column::Digest.is_in(digests.clone()));
            Ok(query.one(self.0.connection()).await?)
        };
        self.0.run(read).await?.map(stored_of).transpose()
    }

    async fn list(&self, owner: &UserId, now: SystemTime) -> Result<Vec<AppToken>, StoreError> {
        let now = micros(now)?;
        let read = || async {
            let query = Entity::find()
                .filter(owned_by(owner))
                .filter(Column::Revoked.is_null())
                .filter(Column::Expires.gt(now))
                .order_by_asc(Column::Id);
            Ok(query.all(self.0.connection()).await?)
        };
        let rows = self.0.run(read).await?;
        rows.into_iter().map(|row| Ok(stored_of(row)?.token)).collect()
    }

    async fn revoke(&self, owner: &UserId, id: Uuid, now: SystemTime) -> Result<bool, StoreError> {
        let now = micros(now)?;
        let write = || async {
            let update = Entity::update_many()
                .col_expr(Column::Revoked, Expr::value(now))
                .filter(Column::Id.eq(id))
                .filter(Column::Revoked.is_null())
                .filter(owned_by(owner));
            Ok(update.exec(self.0.connection()).await?.rows_affected > 0)
        };
        self.0.run(write).await
    }

    async fn rekey(&self, id: Uuid, fingerprint: &Fingerprint) -> Result<(), StoreError> {
        let write = || async {
            let update = Entity::update_many()
                .col_expr(Column::KeyId, Expr::value(&*fingerprint.key_id))
                .col_expr(Column::Digest, Expr::value(fingerprint.digest.to_vec()))
                .filter(Column::Id.eq(id));
            Ok(update.exec(self.0.connection()).await.map(drop)?)
        };
        self.0.run(write).await
    }
}

/// As [`AppToken::belongs_to`].
fn owned_by(owner: &UserId) -> Condition {
    let same = Condition::all().add(Column::OwnerId.eq(&owner.opaque_id));
    if owner.idp.is_empty() { same } else { same.add(Column::OwnerIdp.is_in([owner.idp.as_str(), ""])) }
}

fn row_of(Stored { token, fingerprint }: &Stored) -> Result<ActiveModel, StoreError> {
    let words: Vec<String> = token.grants.iter().map(ToString::to_string).collect();
    Ok(ActiveModel {
        id: Set(token.id),
        owner_id: Set(token.owner.opaque_id.clone()),
        owner_idp: Set(token.owner.idp.clone()),
        owner_type: Set(token.owner.kind as i32),
        kind: Set(token.kind.name().to_owned()),
        label: Set(token.label.clone()),
        grants: Set(serde_json::Value::from(words).to_string()),
        key_id: Set(fingerprint.key_id.to_string()),
        digest: Set(fingerprint.digest.to_vec()),
        created: Set(micros(token.created)?),
        created_by: Set(token.created_by.clone()),
        last_used: Set(token.last_used.map(micros).transpose()?),
        expires: Set(micros(token.expires)?),
        revoked: Set(token.revoked.map(micros).transpose()?),
    })
}

/// A row that cannot be understood is a fault, never a token that may something else.
fn stored_of(row: Model) -> Result<Stored, StoreError> {
    let damaged = |what: &str| StoreError::internal(format!("app token {}: {what} cannot be understood", row.id));
    let words: Vec<String> = serde_json::from_str(&row.grants).map_err(|_| damaged("grants"))?;
    let grants = grant::parse(words.iter().map(String::as_str)).map_err(|_| damaged("grants"))?;
    let kind = Kind::parse(&row.kind).ok_or_else(|| damaged("kind"))?;
    let digest: Digest = row.digest.as_slice().try_into().map_err(|_| damaged("digest"))?;
    let owner = UserId {
        idp: row.owner_idp,
        opaque_id: row.owner_id,
        kind: UserType::from_number(row.owner_type),
        ..UserId::default()
    };
    let token = AppToken {
        id: row.id,
        owner,
        kind,
        label: row.label,
        grants,
        created: time(row.created),
        created_by: row.created_by,
        last_used: row.last_used.map(time),
        expires: time(row.expires),
        revoked: row.revoked.map(time),
    };
    Ok(Stored { token, fingerprint: Fingerprint { key_id: row.key_id.into(), digest } })
}

/// Rounded down, so that an end never moves to a later time.
fn micros(time: SystemTime) -> Result<i64, StoreError> {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).map_err(|_| StoreError::internal("a time is too far away to be stored"))
}

fn time(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
