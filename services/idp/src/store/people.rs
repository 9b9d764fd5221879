//! Who is signed in somewhere.

use std::time::SystemTime;

use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, UnionType};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect};
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

/// Selects users with live sessions, or with refresh tokens that are not over: those behind `after` in the order of the database,
/// `limit` at most.
pub(super) fn with_any(after: &str, limit: u64, now: SystemTime) -> SelectStatement {
    let sessions = Query::select()
        .column(session::Column::Person)
        .expr_as(session::Column::SignedIn.min(), "earliest")
        .from(session::Entity)
        .and_where(session::Column::Person.gt(after))
        .and_where(session::Column::Over.gt(micros(now)))
        .group_by_col(session::Column::Person)
        .order_by(session::Column::Person, Order::Asc)
        .limit(limit)
        .take();
    let grants = Query::select()
        .column(grant::Column::Person)
        .expr_as(grant::Column::Created.min(), "earliest")
        .from(grant::Entity)
        .and_where(grant::Column::Person.gt(after))
        .and_where(grant::Column::Over.gt(micros(now)))
        .group_by_col(grant::Column::Person)
        .order_by(grant::Column::Person, Order::Asc)
        .limit(limit)
        .take();
    let [mut sessions, grants] = [(sessions, "of_sessions"), (grants, "of_grants")]
        .map(|(part, name)| Query::select().columns(["person", "earliest"]).from_subquery(part, name).take());
    let both = sessions.union(UnionType::All, grants).take();
    Query::select()
        .column("person")
        .expr_as(Expr::col("earliest").min(), "earliest")
        .from_subquery(both, "begun")
        .group_by_col("person")
        .order_by("person", Order::Asc)
        .limit(limit)
        .take()
}

/// The users whom [`with_any`] selects.
pub(super) async fn read(connection: &impl ConnectionTrait, query: &SelectStatement) -> Result<Vec<Begun>, StoreError> {
    let user = |row: &QueryResult| -> Result<Begun, StoreError> {
        Ok(begun((row.try_get("", "person")?, row.try_get("", "earliest")?)))
    };
    connection.query_all(query).await?.iter().map(user).collect()
}

fn begun((person, earliest): (String, i64)) -> Begun {
    Begun { person, earliest: time(earliest) }
}
