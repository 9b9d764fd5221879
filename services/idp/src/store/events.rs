//! Events of users' accounts.

use std::net::IpAddr;
use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Func, OnConflict, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use store::StoreError;
use store::columns::{micros, time};
use store::page::{Position, behind};
use uuid::Uuid;

use super::Store;
use super::entity::event;

/// An event of a user's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its identifier.
    pub id: Uuid,
    /// When.
    pub at: SystemTime,
    /// The identifier of the user; empty if it is not known whose account it concerns.
    pub user: String,
    /// What was done or attempted.
    pub event: String,
    /// How it ended.
    pub outcome: String,
    /// The client; empty if there is none.
    pub client: String,
    /// From where, if that is known.
    pub address: Option<IpAddr>,
    /// What the browser or program called itself; empty if that is not known.
    pub user_agent: String,
    /// The identifier of the administrator who has done it to another's account or to the installation; empty otherwise.
    pub administrator: String,
    /// What it was done to besides an account, as a session or a key, or why it was done; empty if that is nothing.
    pub object: String,
}

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only those of this user.
    pub user: Option<String>,
    /// Only those with this name.
    pub event: Option<String>,
    /// Only those with this outcome.
    pub outcome: Option<String>,
    /// Only those from this address.
    pub address: Option<IpAddr>,
    /// Only those at this time or later.
    pub since: Option<SystemTime>,
    /// Only those before this time.
    pub until: Option<SystemTime>,
}

impl Store {
    /// Adds events in one statement. Those that are stored already, as by an attempt whose answer was lost, are left as they are.
    pub async fn add_events(&self, events: &[StoredEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = events.iter().map(row).collect();
        let known = OnConflict::column(event::Column::Id).do_nothing().to_owned();
        let write = || async {
            let insert = event::Entity::insert_many(rows.clone()).on_conflict(known.clone());
            Ok(insert.exec_without_returning(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }

    /// Events, the newest first: those behind a position, `limit` at most.
    pub async fn events(
        &self,
        filter: &EventFilter,
        after: Option<Position>,
        limit: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let EventFilter { user, event, outcome, address, since, until } = filter;
        let is_narrow = user.is_some() || address.is_some();
        let coarse = |column, text: &String| if is_narrow { unindexed(column, text) } else { indexed(column, text) };
        let address = address.map(|address| address.to_string());
        let of_address = if user.is_some() { unindexed } else { indexed };
        let which = Condition::all()
            .add_option(user.as_ref().map(|user| indexed(event::Column::Person, user)))
            .add_option(address.as_ref().map(|address| of_address(event::Column::Address, address)))
            .add_option(event.as_ref().map(|event| coarse(event::Column::Event, event)))
            .add_option(outcome.as_ref().map(|outcome| coarse(event::Column::Outcome, outcome)))
            .add_option(since.map(|since| event::Column::At.gte(micros(since))))
            .add_option(until.map(|until| event::Column::At.lt(micros(until))))
            .add_option(after.map(|after| behind(event::Column::At, event::Column::Id, after)));
        let query = event::Entity::find()
            .filter(which)
            .order_by_desc(event::Column::At)
            .order_by_desc(event::Column::Id)
            .limit(limit);
        let read = || async { Ok(query.clone().all(self.database.reader()).await?) };
        Ok(self.database.run(read).await?.into_iter().map(stored).collect())
    }

    /// Removes at most `limit` events from before a time; returns their number.
    pub async fn prune_events(&self, before: SystemTime, limit: u64) -> Result<u64, StoreError> {
        self.remove(("idp_events", "id", "at"), micros(before), limit).await
    }
}

/// A column has this value.
fn indexed(column: event::Column, text: &str) -> SimpleExpr {
    column.eq(text)
}

/// The same as an expression, where another condition is narrower: SQLite, which does not count values, would read the index of the
/// kind of event, and with it nearly all events, to find those of one user.
fn unindexed(column: event::Column, text: &str) -> SimpleExpr {
    Expr::expr(Func::coalesce([Expr::col(column), Expr::value("")])).eq(text)
}

fn row(event: &StoredEvent) -> event::ActiveModel {
    event::ActiveModel {
        id: Set(event.id),
        at: Set(micros(event.at)),
        person: Set(event.user.clone()),
        event: Set(event.event.clone()),
        outcome: Set(event.outcome.clone()),
        client: Set(event.client.clone()),
        address: Set(event.address.map(|address| address.to_string())),
        user_agent: Set(event.user_agent.clone()),
        administrator: Set(event.administrator.clone()),
        object: Set(event.object.clone()),
    }
}

fn stored(row: event::Model) -> StoredEvent {
    StoredEvent {
        id: row.id,
        at: time(row.at),
        user: row.person,
        event: row.event,
        outcome: row.outcome,
        client: row.client,
        // shown only, so that one that cannot be read is none
        address: row.address.and_then(|address| address.parse().ok()),
        user_agent: row.user_agent,
        administrator: row.administrator,
        object: row.object,
    }
}
