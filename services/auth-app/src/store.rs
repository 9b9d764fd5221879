//! Tokens in `SQLite` or `PostgreSQL`. What is acknowledged is durable.

mod entity;
mod imported;
mod last_used;
mod prune;
mod restore;
mod rows;
mod search;

use std::time::SystemTime;

use authn::{UserId, UserType, normal_issuer};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use store::columns::micros;
use store::{Database, StoreError, Transaction};
use uuid::Uuid;

use crate::model::{AppToken, Digest, Fingerprint, LastUse, Stored};
use entity::{token, usage};
pub(crate) use restore::end_credentials;
pub use search::{Found, TokenFilter};

/// What became of a token that was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is durable.
    Done,
    /// Its owner has as many live tokens as are allowed; nothing was changed.
    Full,
}

/// A page of a list of tokens.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The last one that is known already.
    pub after: Option<Uuid>,
    /// How many at most.
    pub limit: u64,
}

/// A use to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Which token was used.
    pub token: Uuid,
    /// When, whence and by what.
    pub last_use: LastUse,
    /// How far it has moved the token's end, if that moves.
    pub slid: Option<SystemTime>,
}

/// A token of another system: of its secret only that system's verifier is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedToken {
    /// The token, and by what it is found.
    pub stored: Stored,
    /// SHA-256 of the verifier as it was there: identifies the token, and shows that it was imported.
    pub imported: Digest,
    /// A verifier by which the token cannot be found, only recognised, at some cost.
    pub verifier: Option<String>,
}

/// A verifier that has to be tried.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Whose it is.
    pub token: Uuid,
    /// A bcrypt or argon2 string.
    pub verifier: String,
}

/// The tokens in a database.
pub struct TokenStore(Database);

impl TokenStore {
    /// Those in this database, whose schema is up to date.
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    /// The database.
    pub(crate) fn database(&self) -> &Database {
        &self.0
    }

    /// Adds a token, unless its owner has `most` live ones already; 0 is no limit.
    pub async fn add(&self, token: &Stored, most: u64, now: SystemTime) -> Result<Added, StoreError> {
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

    /// The token with one of these fingerprints, revoked and expired ones too. One indexed read.
    pub async fn find(&self, fingerprints: &[Fingerprint]) -> Result<Option<Stored>, StoreError> {
        let digests: Vec<Vec<u8>> = fingerprints.iter().map(|one| one.digest.to_vec()).collect();
        self.one(Condition::all().add(token::Column::Digest.is_in(digests))).await
    }

    /// The token with this identifier, revoked and expired ones too.
    pub async fn get(&self, id: Uuid) -> Result<Option<AppToken>, StoreError> {
        let found = self.one(Condition::all().add(token::Column::Id.eq(id))).await?;
        Ok(found.map(|stored| stored.token))
    }

    /// A user's tokens that are neither revoked nor over, by identifier, and so the oldest first.
    pub async fn list(&self, owner: &UserId, now: SystemTime, page: Page) -> Result<Vec<AppToken>, StoreError> {
        let read = || async {
            let mut query = live(owner, now).order_by_asc(token::Column::Id).limit(page.limit);
            if let Some(after) = page.after {
                query = query.filter(token::Column::Id.gt(after));
            }
            Ok(query.all(self.0.reader()).await?)
        };
        self.0.run(read).await?.into_iter().map(|row| Ok(rows::stored(row)?.token)).collect()
    }

    /// Gives a user's live token another label; whether there was one.
    pub async fn rename(&self, owner: &UserId, id: Uuid, label: &str) -> Result<bool, StoreError> {
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

    /// Exchanges the fingerprint of a token whose secret is the same: its key is a former one, or it was another
    /// system's.
    pub async fn rekey(&self, id: Uuid, fingerprint: &Fingerprint) -> Result<(), StoreError> {
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

    /// Which token was taken over by the verifier with this digest.
    pub async fn imported(&self, digest: &Digest) -> Result<Option<Uuid>, StoreError> {
        let found = self.one(Condition::all().add(token::Column::Imported.eq(digest.to_vec()))).await?;
        Ok(found.map(|stored| stored.token.id))
    }

    /// The verifiers of a user's live tokens that have to be tried, those first that were used last.
    pub async fn candidates(&self, owner: &UserId, now: SystemTime) -> Result<Vec<Candidate>, StoreError> {
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

/// Inserts the row of a token and, if it needs one, its usage row.
async fn insert(transaction: &Transaction, token: &Stored) -> Result<(), StoreError> {
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
