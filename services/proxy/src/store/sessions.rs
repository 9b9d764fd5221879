//! Stores sessions. What is acknowledged is durable.

mod entity;

use std::time::SystemTime;

use bounded_cache::{HeapSize, MIB};
use sea_orm::sea_query::{Expr, LockBehavior, LockType, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use store::columns::{micros, time};
use store::{Database, Recent, StoreError};

use super::{Ended, signing_keys};
use entity::{logout, session};

/// A stored session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The SHA-256 of the cookie's value, in base64url.
    pub(crate) key: String,
    /// The user's `sub` at the issuer.
    pub(crate) subject: String,
    /// The `sid` of the issuer's own session.
    pub(crate) sid: Option<String>,
    /// The tokens, sealed.
    pub(crate) tokens: Vec<u8>,
    /// When the access token expires.
    pub(crate) access_end: SystemTime,
    /// When the user signed in.
    pub(crate) created: SystemTime,
    /// When it was last used, approximately.
    pub(crate) used: SystemTime,
    /// When it ends even if it is used.
    pub(crate) ends: SystemTime,
    /// How often the tokens were refreshed.
    pub(crate) version: i64,
}

/// The bound of the sessions that can be read while the database is unavailable, in bytes.
const RECENT: u64 = 2 * MIB;

impl HeapSize for Row {
    fn heap_size(&self) -> usize {
        let Self { key, subject, sid, tokens, access_end: _, created: _, used: _, ends: _, version: _ } = self;
        key.heap_size() + subject.heap_size() + sid.heap_size() + tokens.heap_size()
    }
}

/// Sessions in `SQLite` or `PostgreSQL`.
pub(crate) struct Rows(Database, Recent<Row>);

impl Rows {
    /// The sessions in this database, whose schema is up to date.
    pub(crate) fn new(database: Database) -> Self {
        Self(database, Recent::new(RECENT))
    }

    /// Adds a session.
    ///
    /// # Errors
    /// When the database fails, as for all methods.
    pub(crate) async fn add(&self, row: &Row) -> Result<(), StoreError> {
        let write = || async {
            let row = session::ActiveModel {
                id: Set(row.key.clone()),
                subject: Set(row.subject.clone()),
                sid: Set(row.sid.clone()),
                tokens: Set(row.tokens.clone()),
                access_end: Set(micros(row.access_end)),
                created: Set(micros(row.created)),
                used: Set(micros(row.used)),
                ends: Set(micros(row.ends)),
                version: Set(row.version),
                claimed: Set(0),
            };
            Ok(session::Entity::insert(row).exec_without_returning(self.0.connection()).await.map(drop)?)
        };
        self.0.run(write).await
    }

    /// The session with this key.
    pub(crate) async fn find(&self, key: &str) -> Result<Option<Row>, StoreError> {
        let read = || async {
            let query = session::Entity::find().filter(session::Column::Id.eq(key));
            // the key is unique; SQLite would plan a statement with a LIMIT anew at each use
            Ok(query.all(self.0.reader()).await?.into_iter().next())
        };
        self.1.read(key, async { Ok(self.0.run(read).await?.map(row)) }).await
    }

    /// Stores the time of a use.
    pub(crate) async fn note_use(&self, key: &str, now: SystemTime) -> Result<(), StoreError> {
        let write = || async {
            let update = session::Entity::update_many()
                .col_expr(session::Column::Used, Expr::value(micros(now)))
                .filter(session::Column::Id.eq(key))
                .filter(session::Column::Used.lt(micros(now)));
            Ok(update.exec(self.0.connection()).await.map(drop)?)
        };
        self.0.run(write).await
    }

    /// Claims the refresh of the tokens of this version until `until`. Returns `true` to one replica only.
    pub(crate) async fn claim(
        &self,
        key: &str,
        version: i64,
        now: SystemTime,
        until: SystemTime,
    ) -> Result<bool, StoreError> {
        let write = || async {
            let update = session::Entity::update_many()
                .col_expr(session::Column::Claimed, Expr::value(micros(until)))
                .filter(at(key, version))
                .filter(session::Column::Claimed.lte(micros(now)));
            Ok(update.exec(self.0.connection()).await?.rows_affected > 0)
        };
        self.0.run(write).await
    }

    /// Releases a claim without a refresh.
    pub(crate) async fn give_back(&self, key: &str, version: i64) -> Result<(), StoreError> {
        let write = || async {
            let claimed = Expr::value(0_i64);
            let update = session::Entity::update_many().col_expr(session::Column::Claimed, claimed);
            Ok(update.filter(at(key, version)).exec(self.0.connection()).await.map(drop)?)
        };
        self.0.run(write).await
    }

    /// Replaces the tokens, unless those of this version were replaced already, or the session has ended.
    pub(crate) async fn renew(
        &self,
        key: &str,
        version: i64,
        tokens: &[u8],
        end: SystemTime,
    ) -> Result<bool, StoreError> {
        let write = || async {
            let update = session::Entity::update_many()
                .col_expr(session::Column::Tokens, Expr::value(tokens.to_vec()))
                .col_expr(session::Column::AccessEnd, Expr::value(micros(end)))
                .col_expr(session::Column::Version, Expr::value(version + 1))
                .col_expr(session::Column::Claimed, Expr::value(0_i64))
                .filter(at(key, version));
            Ok(update.exec(self.0.connection()).await?.rows_affected > 0)
        };
        let _forgetting = self.1.forgetting(Some(key.to_owned()));
        self.0.run(write).await
    }

    /// Ends a session. Returns whether there was one.
    pub(crate) async fn end(&self, key: &str) -> Result<bool, StoreError> {
        self.delete(key, Condition::all().add(session::Column::Id.eq(key))).await
    }

    /// Ends a session whose tokens are still of this version. Returns whether there was one.
    pub(crate) async fn end_at(&self, key: &str, version: i64) -> Result<bool, StoreError> {
        self.delete(key, at(key, version)).await
    }

    async fn delete(&self, key: &str, which: Condition) -> Result<bool, StoreError> {
        let write = || async {
            let delete = session::Entity::delete_many().filter(which.clone());
            Ok(delete.exec(self.0.connection()).await?.rows_affected > 0)
        };
        let _forgetting = self.1.forgetting(Some(key.to_owned()));
        self.0.run(write).await
    }

    /// Ends the sessions that a logout token of this issuer names, and the keys of signed URLs that were fetched with access tokens
    /// of these sessions. The digest of the token is kept to detect a replay. Returns the number of sessions, or `None` for a
    /// replay.
    pub(crate) async fn end_by(
        &self,
        issuer: &str,
        jti: &str,
        until: SystemTime,
        ended: &Ended,
    ) -> Result<Option<u64>, StoreError> {
        let mut which = Condition::all().add(session::Column::Created.lte(micros(ended.at)));
        if ended.subject.is_none() && ended.sid.is_none() {
            return Ok(None);
        }
        if let Some(subject) = &ended.subject {
            which = which.add(session::Column::Subject.eq(subject));
        }
        if let Some(sid) = &ended.sid {
            which = which.add(session::Column::Sid.eq(sid));
        }
        let write = || async {
            let transaction = self.0.begin_write().await?;
            let token = logout::ActiveModel { jti: Set(jti.to_owned()), expires: Set(micros(until)) };
            let once = OnConflict::column(logout::Column::Jti).do_nothing().to_owned();
            let insert = logout::Entity::insert(token).on_conflict(once);
            if insert.exec_without_returning(&transaction).await? == 0 {
                return Ok(None);
            }
            let delete = session::Entity::delete_many().filter(which.clone());
            let count = delete.exec(&transaction).await?.rows_affected;
            signing_keys::of_ended(issuer, ended).exec(&transaction).await?;
            transaction.commit().await?;
            Ok(Some(count))
        };
        let _forgetting = self.1.forgetting(None);
        self.0.run(write).await
    }

    /// Removes at most `limit` sessions that have ended, or were last used before some time. Returns their number.
    pub(crate) async fn prune(&self, now: SystemTime, unused_since: SystemTime, limit: u64) -> Result<u64, StoreError> {
        let over = Condition::any()
            .add(session::Column::Ends.lte(micros(now)))
            .add(session::Column::Used.lte(micros(unused_since)));
        let write = || async {
            let transaction = self.0.begin_write().await?;
            let ids: Vec<String> = session::Entity::find()
                .select_only()
                .column(session::Column::Id)
                .filter(over.clone())
                .limit(limit)
                // what another replica removes, or uses again, is left to it
                .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                .into_tuple()
                .all(&transaction)
                .await?;
            let delete = session::Entity::delete_many().filter(session::Column::Id.is_in(ids));
            let gone = delete.exec(&transaction).await?;
            transaction.commit().await?;
            Ok(gone.rows_affected)
        };
        let gone = self.0.run(write).await?;
        let expired = format!("expires <= {}", micros(now));
        store::prune(|limit| self.0.remove("proxy_logouts", "jti", &expired, limit)).await?;
        Ok(gone)
    }
}

fn at(key: &str, version: i64) -> Condition {
    Condition::all().add(session::Column::Id.eq(key)).add(session::Column::Version.eq(version))
}

fn row(model: session::Model) -> Row {
    Row {
        key: model.id,
        subject: model.subject,
        sid: model.sid,
        tokens: model.tokens,
        access_end: time(model.access_end),
        created: time(model.created),
        used: time(model.used),
        ends: time(model.ends),
        version: model.version,
    }
}

#[cfg(test)]
mod tests;
