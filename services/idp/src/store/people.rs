//! Who is signed in somewhere.

use std::time::SystemTime;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use store::StoreError;
use store::columns::{micros, time};

use super::Store;
use super::entity::{grant, session};

/// A user with sessions or grants that have not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Who.
    pub person: String,
    /// When the first of it was begun.
    pub earliest: SystemTime,
}

impl Store {
    /// People with live sessions: those behind `after` in the order of the database, `limit` at most.
    pub async fn people_with_sessions(
        &self,
        after: &str,
        limit: u64,
        now: SystemTime,
    ) -> Result<Vec<Begun>, StoreError> {
        let query = session::Entity::find()
            .select_only()
            .column(session::Column::Person)
            .column_as(session::Column::SignedIn.min(), "earliest")
            .filter(session::Column::Person.gt(after))
            .filter(session::Column::Over.gt(micros(now)))
            .group_by(session::Column::Person)
            .order_by_asc(session::Column::Person)
            .limit(limit);
        let read = || async { Ok(query.clone().into_tuple().all(self.database.reader()).await?) };
        Ok(self.database.run(read).await?.into_iter().map(begun).collect())
    }

    /// The same of people whose refresh tokens are not over.
    pub async fn people_with_grants(&self, after: &str, limit: u64, now: SystemTime) -> Result<Vec<Begun>, StoreError> {
        let query = grant::Entity::find()
            .select_only()
            .column(grant::Column::Person)
            .column_as(grant::Column::Created.min(), "earliest")
            .filter(grant::Column::Person.gt(after))
            .filter(grant::Column::Over.gt(micros(now)))
            .group_by(grant::Column::Person)
            .order_by_asc(grant::Column::Person)
            .limit(limit);
        let read = || async { Ok(query.clone().into_tuple().all(self.database.reader()).await?) };
        Ok(self.database.run(read).await?.into_iter().map(begun).collect())
    }
}

fn begun((person, earliest): (String, i64)) -> Begun {
    Begun { person, earliest: time(earliest) }
}
