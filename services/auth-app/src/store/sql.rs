//! Tokens in `SQLite` or `PostgreSQL`.

use std::time::SystemTime;

use async_trait::async_trait;
use authn::{UserId, UserType, normal_issuer};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use store::{Database, StoreError};
use uuid::Uuid;

use super::entity::{token, usage};
use super::{Added, Candidate, Foreign, Stretch, Tokens, Use, foreign, prune, rows, uses};
use crate::model::{AppToken, Digest, Fingerprint, Stored, micros};

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
    async fn add(&self, token: &Stored, most: u64, now: SystemTime) -> Result<Added, StoreError> {
        let write = || async {
            // of two who add the last allowed one at the same time only one may succeed
            let transaction = self.0.begin_serializable().await?;
            if most > 0 && live(&token.token.owner, now).count(&transaction).await? >= most {
                return Ok(Added::Full);
            }
            insert(&transaction, token).await?;
            transaction.commit().await?;
            Ok(Added::Done)
        };
        self.0.run(write).await
    }

    async fn find(&self, fingerprints: &[Fingerprint]) -> Result<Option<Stored>, StoreError> {
        let digests: Vec<Vec<u8>> = fingerprints.iter().map(|one| one.digest.to_vec()).collect();
        self.one(Condition::all().add(token::Column::Digest.is_in(digests))).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<AppToken>, StoreError> {
        let found = self.one(Condition::all().add(token::Column::Id.eq(id))).await?;
        Ok(found.map(|stored| stored.token))
    }

    async fn list(&self, owner: &UserId, now: SystemTime, stretch: Stretch) -> Result<Vec<AppToken>, StoreError> {
        let read = || async {
            let mut query = live(owner, now).order_by_asc(token::Column::Id).limit(stretch.limit);
            if let Some(after) = stretch.after {
                query = query.filter(token::Column::Id.gt(after));
            }
            Ok(query.all(self.0.reader()).await?)
        };
        self.0.run(read).await?.into_iter().map(|row| Ok(rows::stored(row)?.token)).collect()
    }

    async fn rename(&self, owner: &UserId, id: Uuid, label: &str) -> Result<bool, StoreError> {
        let write = || async {
            let update = token::Entity::update_many()
                .col_expr(token::Column::Label, Expr::value(label))
                .filter(token::Column::Id.eq(id))
                .filter(token::Column::Revoked.is_null())
                .filter(owned_by(owner));
            Ok(update.exec(self.0.connection()).await?.rows_affected > 0)
        };
        self.0.run(write).await
    }

    async fn revoke(&self, owner: &UserId, id: Uuid, now: SystemTime) -> Result<bool, StoreError> {
        let only = Condition::all().add(owned_by(owner)).add(token::Column::Id.eq(id));
        let is_revoked = !prune::revoke(&self.0, only.clone(), now).await?.is_empty();
        if !is_revoked {
            prune::tell_again(&self.0, only).await?;
        }
        Ok(is_revoked)
    }

    async fn revoke_all(&self, owner: &UserId, now: SystemTime) -> Result<Vec<Uuid>, StoreError> {
        prune::revoke(&self.0, owned_by(owner), now).await
    }

    async fn revoked_lately(&self) -> Result<Vec<Uuid>, StoreError> {
        prune::revoked_lately(&self.0).await
    }

    async fn rekey(&self, id: Uuid, fingerprint: &Fingerprint) -> Result<(), StoreError> {
        let write = || async {
            let update = token::Entity::update_many()
                .col_expr(token::Column::KeyId, Expr::value(&*fingerprint.key_id))
                .col_expr(token::Column::Digest, Expr::value(fingerprint.digest.to_vec()))
                // what is left of another system's verifier is of no more use
                .col_expr(token::Column::Verifier, Expr::value(None::<String>))
                .filter(token::Column::Id.eq(id));
            Ok(update.exec(self.0.connection()).await.map(drop)?)
        };
        self.0.run(write).await
    }

    async fn note(&self, uses: &[Use]) -> Result<(), StoreError> {
        uses::note(&self.0, uses).await
    }

    async fn prune(&self, before: SystemTime, limit: u64) -> Result<u64, StoreError> {
        prune::prune(&self.0, before, limit).await
    }

    async fn import(&self, tokens: &[Foreign]) -> Result<Vec<bool>, StoreError> {
        foreign::import(&self.0, tokens).await
    }

    async fn imported(&self, digest: &Digest) -> Result<Option<Uuid>, StoreError> {
        let found = self.one(Condition::all().add(token::Column::Imported.eq(digest.to_vec()))).await?;
        Ok(found.map(|stored| stored.token.id))
    }

    async fn has_foreign(&self) -> Result<bool, StoreError> {
        foreign::any(&self.0).await
    }

    async fn candidates(&self, owner: &UserId, now: SystemTime) -> Result<Vec<Candidate>, StoreError> {
        let read = || async {
            let query = live(owner, now)
                .filter(token::Column::Verifier.is_not_null())
                .order_by_desc(usage::Column::Used)
                .order_by_desc(token::Column::Created);
            Ok(query.all(self.0.reader()).await?)
        };
        let rows = self.0.run(read).await?;
        let candidate = |(row, _): (token::Model, _)| Some(Candidate { token: row.id, verifier: row.verifier? });
        Ok(rows.into_iter().filter_map(candidate).collect())
    }
}

impl Sql {
    async fn one(&self, which: Condition) -> Result<Option<Stored>, StoreError> {
        let read = || async {
            let query = token::Entity::find().find_also_related(usage::Entity).filter(which.clone());
            // what is asked for is unique; without a LIMIT, as SQLite plans a statement anew at each use whose LIMIT is a
            // parameter, which costs more than the read itself
            Ok(query.all(self.0.reader()).await?.into_iter().next())
        };
        self.0.run(read).await?.map(rows::stored).transpose()
    }
}

/// Adds a row, and the one beside it.
pub(super) async fn insert(transaction: &DatabaseTransaction, token: &Stored) -> Result<(), StoreError> {
    token::Entity::insert(rows::of(token)).exec_without_returning(transaction).await?;
    if let Some(row) = rows::usage_of(&token.token) {
        usage::Entity::insert(row).exec_without_returning(transaction).await?;
    }
    Ok(())
}

type Joined = sea_orm::SelectTwo<token::Entity, usage::Entity>;

/// A user's tokens that are neither revoked nor over.
fn live(owner: &UserId, now: SystemTime) -> Joined {
    let now = micros(now);
    let unslid = Condition::any().add(token::Column::Slide.is_null()).add(usage::Column::Slid.gt(now));
    token::Entity::find()
        .find_also_related(usage::Entity)
        .filter(owned_by(owner))
        .filter(token::Column::Revoked.is_null())
        .filter(token::Column::Expires.gt(now))
        .filter(unslid)
}

/// As [`AppToken::belongs_to`].
fn owned_by(owner: &UserId) -> Condition {
    let same = Condition::all().add(token::Column::OwnerId.eq(&owner.opaque_id));
    if owner.idp.is_empty() {
        return same;
    }
    let issuer = normal_issuer(&owner.idp);
    let fits = Condition::any().add(token::Column::OwnerIdp.is_in([issuer, &format!("{issuer}/"), &owner.idp, ""]));
    let local = UserType::LOCAL.map(|kind| kind as i32);
    same.add(if owner.kind.is_local() { fits.add(token::Column::OwnerType.is_in(local)) } else { fits })
}
