//! The round over all users with sessions or refresh tokens, which replicas do together: each user is given to one of them.

mod entity;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, LockBehavior, LockType, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use store::columns::{micros, time};
use store::{StoreError, Transaction};

use super::Store;
use super::people::{self, Begun};
use entity::{ActiveModel, Column, Entity};

/// The row of this round.
const NAME: &str = "accounts";

/// How far a round has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundProgress {
    /// The last user who was given; empty at the beginning.
    last: String,
    /// When its first users were given.
    began: SystemTime,
}

impl Default for RoundProgress {
    fn default() -> Self {
        Self { last: String::new(), began: UNIX_EPOCH }
    }
}

impl RoundProgress {
    /// The progress once these users, who come next, are given; `None` if it is the same. The next round begins behind the last user, once
    /// the former one has lasted for `shortest`.
    fn with(&self, given: &[Begun], shortest: Duration, now: SystemTime) -> Option<Self> {
        if let Some(Begun { person, .. }) = given.last() {
            let began = if self.last.is_empty() { now } else { self.began };
            return Some(Self { last: person.clone(), began });
        }
        // a clock that was ahead has been corrected since
        let is_early = now.duration_since(self.began).is_ok_and(|age| age < shortest);
        (!is_early && !self.last.is_empty()).then(|| Self { last: String::new(), ..self.clone() })
    }
}

impl Store {
    /// The users who come next, `limit` at most; none while another replica takes some. Where replicas share the database, they share the
    /// progress too, which is stored: what one of them has been given and does not do comes again in the next round. Otherwise it is `own`.
    /// A round lasts for `shortest` at least.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_people(
        &self,
        own: &mut RoundProgress,
        limit: u64,
        shortest: Duration,
        now: SystemTime,
    ) -> Result<Vec<Begun>, StoreError> {
        if self.database.is_postgres() {
            return self.database.run(|| self.claim_people(limit, shortest, now)).await;
        }
        let query = people::with_any(&own.last, limit, now);
        let given = self.database.run(|| people::read(self.database.reader(), &query)).await?;
        if let Some(next) = own.with(&given, shortest, now) {
            *own = next;
        }
        Ok(given)
    }

    async fn claim_people(&self, limit: u64, shortest: Duration, now: SystemTime) -> Result<Vec<Begun>, StoreError> {
        let transaction = self.database.begin_write().await?;
        let Some(progress) = lock(&transaction).await? else { return Ok(Vec::new()) };
        let given = people::read(&transaction, &people::with_any(&progress.last, limit, now)).await?;
        if let Some(next) = progress.with(&given, shortest, now) {
            let update = Entity::update_many()
                .col_expr(Column::Last, Expr::value(next.last))
                .col_expr(Column::Began, Expr::value(micros(next.began)))
                .filter(Column::Name.eq(NAME));
            update.exec(&transaction).await?;
        }
        transaction.commit().await?;
        Ok(given)
    }
}

/// The progress of all replicas, until the transaction ends; `None` if another one has it.
async fn lock(transaction: &Transaction) -> Result<Option<RoundProgress>, StoreError> {
    let row = Entity::find_by_id(NAME).lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    if let Some(row) = row.one(transaction).await? {
        return Ok(Some(RoundProgress { last: row.last, began: time(row.began) }));
    }
    let first = RoundProgress::default();
    let row =
        ActiveModel { name: Set(NAME.to_owned()), last: Set(first.last.clone()), began: Set(micros(first.began)) };
    let conflict = OnConflict::column(Column::Name).do_nothing().to_owned();
    let made = Entity::insert(row).on_conflict(conflict).exec_without_returning(transaction).await?;
    Ok((made > 0).then_some(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_lasts_for_the_shortest_time_at_least() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let shortest = Duration::from_secs(5);
        let page = |person: &str| [Begun { person: person.to_owned(), earliest: at(0) }];
        let start = RoundProgress::default();
        assert_eq!(start.with(&[], shortest, at(100)), None, "there are no users");
        let first = start.with(&page("a"), shortest, at(100)).expect("goes on");
        let second = first.with(&page("b"), shortest, at(101)).expect("goes on");
        assert_eq!(second, RoundProgress { last: "b".to_owned(), began: at(100) });
        assert_eq!(second.with(&[], shortest, at(104)), None);
        let over = second.with(&[], shortest, at(105)).expect("begins again");
        assert_eq!(over.last, "");
        let again = over.with(&page("a"), shortest, at(106));
        assert_eq!(again, Some(RoundProgress { last: "a".to_owned(), began: at(106) }));
        assert!(second.with(&[], shortest, at(50)).is_some(), "the clock was ahead");
    }
}
