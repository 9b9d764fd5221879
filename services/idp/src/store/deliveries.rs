//! Logout tokens to be delivered to clients (`OpenID` Connect Back-Channel Logout 1.0).

use std::time::{Duration, SystemTime};

use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use store::StoreError;
use store::columns::{micros, span};
use uuid::Uuid;

use super::Store;
use super::entity::delivery;
use super::rows::count;

/// A pending delivery of a logout token to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The identifier.
    pub id: Uuid,
    /// The client.
    pub client: String,
    /// The name of the layout whose issuer signs the token.
    pub layout: String,
    /// The ended session, by the `sid` that the client knows.
    pub session: Uuid,
    /// The user of the session.
    pub person: String,
    /// The number of former attempts, including those without a response.
    pub attempts: u32,
}

impl Store {
    /// Deliveries that are due, the oldest first. Each is leased to one caller for `lease`; callers at the same time get different
    /// ones.
    pub async fn due_deliveries(
        &self,
        limit: u64,
        lease: Duration,
        now: SystemTime,
    ) -> Result<Vec<Delivery>, StoreError> {
        let now = micros(now);
        let due = delivery::Entity::find()
            .filter(delivery::Column::Due.lte(now))
            .order_by_asc(delivery::Column::Due)
            .limit(limit);
        // there is nearly always none, and SQLite has one writer
        let read = || async { Ok(!due.clone().limit(1).all(self.database.reader()).await?.is_empty()) };
        if !self.database.run(read).await? {
            return Ok(Vec::new());
        }
        let claim = || async {
            let transaction = self.database.begin_write().await?;
            let lock = due.clone().lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
            let claimed = lock.all(&transaction).await?;
            delivery::Entity::update_many()
                .col_expr(delivery::Column::Due, Expr::value(now.saturating_add(span(lease))))
                .col_expr(delivery::Column::Attempts, Expr::col(delivery::Column::Attempts).add(1))
                .filter(delivery::Column::Id.is_in(claimed.iter().map(|row| row.id)))
                .exec(&transaction)
                .await?;
            transaction.commit().await?;
            Ok(claimed)
        };
        self.database.run(claim).await?.into_iter().map(given).collect()
    }

    /// Removes a delivery that has arrived or is given up.
    pub async fn delivered(&self, id: Uuid) -> Result<(), StoreError> {
        let write =
            || async { Ok(delivery::Entity::delete_by_id(id).exec(self.database.connection()).await.map(drop)?) };
        self.database.run(write).await
    }

    /// Schedules another attempt.
    pub async fn redeliver(&self, id: Uuid, at: SystemTime) -> Result<(), StoreError> {
        let write = || async {
            let update = delivery::Entity::update_many()
                .col_expr(delivery::Column::Due, Expr::value(micros(at)))
                .filter(delivery::Column::Id.eq(id));
            Ok(update.exec(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }
}

fn given(row: delivery::Model) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: row.id,
        client: row.client,
        layout: row.layout,
        session: row.session,
        person: row.person,
        attempts: count(row.attempts)?,
    })
}
