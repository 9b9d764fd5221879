//! Wrong user codes of devices, by session and by network. All replicas count together.

mod entity;

use std::time::{Duration, SystemTime};

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use store::StoreError;
use store::columns::{micros, time};
use uuid::Uuid;

use super::Store;
use entity::{ActiveModel, Column, Entity};

/// The lookup of a user code.
#[derive(Debug, Clone, Copy)]
pub struct CodeAttempt {
    /// Names it.
    pub id: Uuid,
    /// The session in which the code was typed in, and its end.
    pub session: (Uuid, SystemTime),
    /// The digest of the network, if it is known.
    pub source: Option<[u8; 32]>,
    /// When.
    pub at: SystemTime,
}

/// How many wrong codes there may be.
#[derive(Debug, Clone, Copy)]
pub struct CodeLimits {
    /// In a session.
    pub per_session: u64,
    /// From one network in a period.
    pub per_source: u64,
    /// The period.
    pub period: Duration,
}

/// The limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooManyCodes {
    /// In this session, until it ends.
    Session,
    /// From this network, for this time.
    Source(Duration),
}

impl Store {
    /// Notes the lookup of a code as a wrong one, unless the limits are reached.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_code_attempt(
        &self,
        attempt: &CodeAttempt,
        limits: &CodeLimits,
    ) -> Result<Result<(), TooManyCodes>, StoreError> {
        let (session, session_end) = attempt.session;
        let row = ActiveModel {
            id: Set(attempt.id),
            session: Set(session),
            source: Set(attempt.source.map(|source| source.to_vec())),
            at: Set(micros(attempt.at)),
            expires: Set(micros(session_end.max(attempt.at + limits.period))),
        };
        let write = || async {
            // of two that are the last allowed one at the same time only one may be
            let transaction = self.database.begin_serializable().await?;
            let of_session = Entity::find().filter(Column::Session.eq(session)).count(&transaction).await?;
            if of_session >= limits.per_session {
                return Ok(Err(TooManyCodes::Session));
            }
            if let Some(source) = attempt.source {
                let since = attempt.at.checked_sub(limits.period).unwrap_or(SystemTime::UNIX_EPOCH);
                let of_source = Entity::find()
                    .filter(Column::Source.eq(source.to_vec()))
                    .filter(Column::At.gt(micros(since)))
                    .order_by_desc(Column::At)
                    .limit(limits.per_source)
                    .all(&transaction)
                    .await?;
                let is_full = u64::try_from(of_source.len()).is_ok_and(|count| count >= limits.per_source);
                if let Some(first) = of_source.last().filter(|_| is_full) {
                    let over = time(first.at) + limits.period;
                    return Ok(Err(TooManyCodes::Source(over.duration_since(attempt.at).unwrap_or_default())));
                }
            }
            Entity::insert(row.clone()).exec_without_returning(&transaction).await?;
            transaction.commit().await?;
            Ok(Ok(()))
        };
        self.database.run(write).await
    }

    /// Forgets the lookup of a code that was not wrong.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forgive_code_attempt(&self, id: Uuid) -> Result<(), StoreError> {
        let write = || async { Ok(Entity::delete_by_id(id).exec(self.database.connection()).await.map(drop)?) };
        self.database.run(write).await
    }
}
