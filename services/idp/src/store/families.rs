//! Families of refresh tokens: one row a grant.

use std::time::{Duration, SystemTime};

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, UpdateMany,
};
use store::columns::{micros, span, time};
use store::{StoreError, Transaction};
use uuid::Uuid;

use super::entity::grant;
use super::rows::{count, damaged};
use super::{Store, revocations};
use crate::model::Family;

/// More families of one person than this are not listed.
const LISTED: u64 = 1000;

/// What became of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was the current one. The next generation has begun, unless the client's tokens are not rotated; the family is as it is now.
    Rotated(Box<Family>),
    /// It was rotated a moment ago, or is the successor of one that was: the answer is the same successor once more. The family is as it
    /// is now.
    Repeated(Box<Family>),
    /// It was rotated before. The family and everything derived from it is revoked now (row I10).
    Reused,
    /// The family is not known, revoked, or over.
    Gone,
}

impl Store {
    /// Begins a family (device, exchange...).
    pub async fn begin_family(&self, family: &Family) -> Result<(), StoreError> {
        let row = row(family)?;
        let write = || async {
            let insert = grant::Entity::insert(row.clone());
            Ok(insert.exec_without_returning(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }

    /// The family of a grant, if it is neither revoked nor over.
    pub async fn family(&self, grant: Uuid, now: SystemTime) -> Result<Option<Family>, StoreError> {
        let read = || async {
            let query = grant::Entity::find_by_id(grant).filter(grant::Column::Over.gt(micros(now)));
            // without a LIMIT, as SQLite plans a statement anew at each use whose LIMIT is a parameter
            Ok(query.all(self.database.reader()).await?.into_iter().next())
        };
        self.database.run(read).await?.as_ref().map(family).transpose()
    }

    /// The families of a person that are neither revoked nor over, by client; a thousand at most.
    pub async fn families(&self, person: &str, now: SystemTime) -> Result<Vec<Family>, StoreError> {
        let query = grant::Entity::find()
            .filter(grant::Column::Person.eq(person))
            .filter(grant::Column::Over.gt(micros(now)))
            .order_by_asc(grant::Column::Client)
            .order_by_asc(grant::Column::Created)
            .limit(LISTED);
        let read = || async { Ok(query.clone().all(self.database.reader()).await?) };
        self.database.run(read).await?.iter().map(family).collect()
    }

    /// Takes generation `presented` to the next; see [`Rotation`]. `grace`: how long a repeat is answered, and how long a successor is not
    /// replaced. On reuse the family ends, and a revocation until `until` is written, in one transaction.
    pub async fn rotate(
        &self,
        grant: Uuid,
        presented: u32,
        now: SystemTime,
        grace: Duration,
        idle_end: SystemTime,
        until: SystemTime,
    ) -> Result<Rotation, StoreError> {
        let mut rotate = used(grant, presented, now, idle_end)
            .col_expr(grant::Column::Generation, Expr::col(grant::Column::Generation).add(1));
        // of several calls at once that a client renews its tokens for, one may bring the successor before another brings its predecessor
        if presented > 0 && !grace.is_zero() {
            rotate = rotate.filter(grant::Column::Rotated.lte(micros(now).saturating_sub(span(grace))));
        }
        self.write_use(&rotate, (grant, presented), now, grace, until).await
    }

    /// Uses generation `presented`, which stays the current one: for clients whose refresh tokens are not rotated (FAPI 2.0 Security
    /// Profile 5.3.2.1). Another generation is answered as by [`Self::rotate`] without grace.
    pub async fn renew(
        &self,
        grant: Uuid,
        presented: u32,
        now: SystemTime,
        idle_end: SystemTime,
        until: SystemTime,
    ) -> Result<Rotation, StoreError> {
        let renew = used(grant, presented, now, idle_end);
        self.write_use(&renew, (grant, presented), now, Duration::ZERO, until).await
    }

    /// Writes the use of a token if it is the current one, and may be used.
    async fn write_use(
        &self,
        update: &UpdateMany<grant::Entity>,
        (grant, presented): (Uuid, u32),
        now: SystemTime,
        grace: Duration,
        until: SystemTime,
    ) -> Result<Rotation, StoreError> {
        let write = || async {
            let rotated = update.clone().exec_with_returning(self.database.connection()).await?;
            Ok(rotated.into_iter().next())
        };
        if let Some(row) = self.database.run(write).await? {
            return Ok(Rotation::Rotated(Box::new(family(&row)?)));
        }
        let outcome = self.database.run(|| self.look_again(grant, presented, now, grace, until)).await?;
        if outcome == Rotation::Reused {
            self.revoked(&[grant], until);
        }
        Ok(outcome)
    }

    /// Tells why a generation is not taken to the next.
    async fn look_again(
        &self,
        grant: Uuid,
        presented: u32,
        now: SystemTime,
        grace: Duration,
        until: SystemTime,
    ) -> Result<Rotation, StoreError> {
        let transaction = self.database.begin_write().await?;
        let query = grant::Entity::find_by_id(grant).filter(grant::Column::Over.gt(micros(now))).lock_exclusive();
        let Some(row) = query.all(&transaction).await?.into_iter().next() else { return Ok(Rotation::Gone) };
        let (current, presented) = (row.generation, i64::from(presented));
        let is_latest = current == presented || current == presented + 1;
        // of two concurrent requests, the one that is processed first may have been sent later
        let is_within = !grace.is_zero() && micros(now) < row.rotated.saturating_add(span(grace));
        if is_latest && is_within {
            return Ok(Rotation::Repeated(Box::new(family(&row)?)));
        }
        end(&transaction, Condition::all().add(grant::Column::Id.eq(grant))).await?;
        revocations::write(&transaction, &[grant], until, now).await?;
        transaction.commit().await?;
        Ok(Rotation::Reused)
    }

    /// Ends a grant: its family, if it has one, and everything derived from it, by a revocation until `until`.
    pub async fn revoke_grant(&self, grant: Uuid, until: SystemTime, now: SystemTime) -> Result<(), StoreError> {
        let write = || async {
            let transaction = self.database.begin_write().await?;
            end(&transaction, Condition::all().add(grant::Column::Id.eq(grant))).await?;
            revocations::write(&transaction, &[grant], until, now).await?;
            Ok(transaction.commit().await?)
        };
        self.database.run(write).await?;
        self.revoked(&[grant], until);
        Ok(())
    }

    /// Ends all grants of a person that have a family (of one client only, if named, and those only that were granted before
    /// a moment, if there is one); returns their ids.
    pub async fn revoke_person(
        &self,
        person: &str,
        client: Option<&str>,
        before: Option<SystemTime>,
        until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Uuid>, StoreError> {
        let which = Condition::all()
            .add(grant::Column::Person.eq(person))
            .add_option(client.map(|client| grant::Column::Client.eq(client)))
            .add_option(before.map(|before| grant::Column::Created.lt(micros(before))));
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let ended = end(&transaction, which.clone()).await?;
            revocations::write(&transaction, &ended, until, now).await?;
            transaction.commit().await?;
            Ok(ended)
        };
        let ended = self.database.run(write).await?;
        self.revoked(&ended, until);
        Ok(ended)
    }
}

/// The statement by which the current generation of a family is used.
fn used(grant: Uuid, presented: u32, now: SystemTime, idle_end: SystemTime) -> UpdateMany<grant::Entity> {
    let idle_end = micros(idle_end);
    let over = Expr::case(grant::Column::Ends.lt(idle_end), Expr::col(grant::Column::Ends)).finally(idle_end);
    grant::Entity::update_many()
        .col_expr(grant::Column::Rotated, Expr::value(micros(now)))
        .col_expr(grant::Column::IdleEnd, Expr::value(idle_end))
        .col_expr(grant::Column::Over, over.into())
        .filter(grant::Column::Id.eq(grant))
        .filter(grant::Column::Generation.eq(i64::from(presented)))
        .filter(grant::Column::Over.gt(micros(now)))
}

/// Removes families; of which grants.
pub(super) async fn end(transaction: &Transaction, which: Condition) -> Result<Vec<Uuid>, StoreError> {
    let delete =
        Query::delete().from_table(grant::Entity).cond_where(which).returning_col(grant::Column::Id).to_owned();
    let rows = transaction.query_all(&delete).await?;
    Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
}

/// A family as it is kept.
pub(super) fn row(family: &Family) -> Result<grant::ActiveModel, StoreError> {
    let unwritable = |_| StoreError::internal("a grant cannot be written as JSON");
    let Family { grant, binding, generation, rotated, created, idle_end, end } = family;
    Ok(grant::ActiveModel {
        id: Set(grant.id),
        person: Set(grant.person.clone()),
        client: Set(grant.client.clone()),
        content: Set(serde_json::to_string(grant).map_err(unwritable)?),
        binding: Set(binding.as_ref().map(serde_json::to_string).transpose().map_err(unwritable)?),
        generation: Set(i64::from(*generation)),
        rotated: Set(micros(*rotated)),
        created: Set(micros(*created)),
        idle_end: Set(micros(*idle_end)),
        ends: Set(micros(*end)),
        over: Set(micros(*idle_end.min(end))),
    })
}

fn family(row: &grant::Model) -> Result<Family, StoreError> {
    let damaged = |_| damaged("a grant");
    Ok(Family {
        grant: serde_json::from_str(&row.content).map_err(damaged)?,
        binding: row.binding.as_deref().map(serde_json::from_str).transpose().map_err(damaged)?,
        generation: count(row.generation)?,
        rotated: time(row.rotated),
        created: time(row.created),
        idle_end: time(row.idle_end),
        end: time(row.ends),
    })
}
