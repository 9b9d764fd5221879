//! How often something may be done: so many times at once, and once more each time a part of the period has passed (the generic cell
//! rate algorithm). All replicas count together.

mod entity;

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use sea_orm::sea_query::{Expr, OnConflict, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};
use store::StoreError;
use store::columns::{micros, span, time};

use super::Store;
use entity::{Column, Entity};

/// How far clocks of replicas may be apart. A time further ahead was noted by a clock that has been corrected since: it does not count.
const SKEW: Duration = Duration::from_mins(1);
/// How long one waits that is not counted, as too many others are.
const NO_ROOM: Duration = Duration::from_mins(1);

/// A limit.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// What is limited, as its column has it.
    pub kind: i32,
    /// How often, in a period.
    pub most: NonZeroU32,
    /// The period.
    pub period: Duration,
    /// How many keys are counted at the same time. While there are more, new ones are refused.
    pub most_keys: u64,
}

impl Rate {
    /// The part of the period after which it may be done once more.
    fn interval(&self) -> Duration {
        self.period / self.most.get()
    }

    /// By how much what was done may be ahead of the allowed rate.
    fn tolerance(&self) -> Duration {
        self.period.saturating_sub(self.interval())
    }

    fn check(&self, busy_until: Option<SystemTime>, now: SystemTime) -> Result<(), Duration> {
        let counts = busy_until.filter(|until| *until <= now + self.period + SKEW);
        let wait = counts.and_then(|until| until.duration_since(now + self.tolerance()).ok());
        wait.filter(|wait| !wait.is_zero()).map_or(Ok(()), Err)
    }
}

impl Store {
    /// Does what is limited once, or says how long to wait. `key` is the digest of who or what does it; each kind has keys of its own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take(&self, rate: &Rate, key: [u8; 32], now: SystemTime) -> Result<Result<(), Duration>, StoreError> {
        // what is refused writes nothing
        let known = self.busy_until(key).await?;
        if let Err(wait) = rate.check(known, now) {
            return Ok(Err(wait));
        }
        if known.is_none() && self.is_full(rate, now).await? {
            return Ok(Err(NO_ROOM));
        }
        if self.database.run(|| self.take_once(rate, key, now)).await? {
            return Ok(Ok(()));
        }
        // another one has come first
        let wait = rate.check(self.busy_until(key).await?, now).err();
        Ok(Err(wait.unwrap_or_else(|| rate.interval())))
    }

    /// Takes back one time of what was done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_back(&self, rate: &Rate, key: [u8; 32]) -> Result<(), StoreError> {
        let write = || async {
            let earlier = Expr::cust(format!("busy_until - {}", span(rate.interval())));
            let row = Entity::update_many().col_expr(Column::BusyUntil, earlier).filter(Column::Key.eq(key.to_vec()));
            Ok(row.exec(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }

    /// One statement, so that of several at the same time no two count as one; whether it was allowed.
    async fn take_once(&self, rate: &Rate, key: [u8; 32], now: SystemTime) -> Result<bool, StoreError> {
        let (interval, present) = (span(rate.interval()), micros(now));
        let (earliest, latest) = (micros(now + rate.tolerance()), micros(now + rate.period + SKEW));
        let known = "idp_rates.busy_until";
        let next = format!(
            "CASE WHEN {known} > {present} AND {known} <= {latest} THEN {known} + {interval} \
             ELSE {present} + {interval} END"
        );
        let conflict = OnConflict::column(Column::Key)
            .value(Column::BusyUntil, Expr::cust(next))
            .action_and_where(Expr::cust(format!("({known} <= {earliest} OR {known} > {latest})")))
            .to_owned();
        let mut insert = Query::insert()
            .into_table(Entity)
            .columns([Column::Key, Column::Kind, Column::BusyUntil])
            .on_conflict(conflict)
            .to_owned();
        insert.values_panic([key.to_vec().into(), rate.kind.into(), micros(now + rate.interval()).into()]);
        Ok(self.database.connection().execute(&insert).await?.rows_affected() > 0)
    }

    async fn busy_until(&self, key: [u8; 32]) -> Result<Option<SystemTime>, StoreError> {
        let read = || async { Ok(Entity::find_by_id(key.to_vec()).one(self.database.reader()).await?) };
        Ok(self.database.run(read).await?.map(|row| time(row.busy_until)))
    }

    /// Whether no further key is counted.
    async fn is_full(&self, rate: &Rate, now: SystemTime) -> Result<bool, StoreError> {
        let busy = Entity::find().filter(Column::Kind.eq(rate.kind)).filter(Column::BusyUntil.gt(micros(now)));
        let read = || async { Ok(busy.clone().count(self.database.reader()).await?) };
        Ok(self.database.run(read).await? > rate.most_keys)
    }
}
