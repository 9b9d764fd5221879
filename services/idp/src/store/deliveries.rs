//! Logout tokens to be delivered to clients (`OpenID` Connect Back-Channel Logout 1.0).

use std::time::{Duration, SystemTime};

use sea_orm::sea_query::Expr;
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
    /// Deliveries that are due, the oldest first. Each is leased to one caller for `lease`.
    pub async fn due_deliveries(
        &self,
        limit: u64,
        lease: Duration,
        now: SystemTime,
    ) -> Result<Vec<Delivery>, StoreError> {
        let now = micros(now);
        let read = || async {
            let query = delivery::Entity::find()
                .filter(delivery::Column::Due.lte(now))
                .order_by_asc(delivery::Column::Due)
                .limit(limit);
            Ok(query.all(self.database.reader()).await?)
        };
        let mut claimed = Vec::new();
        for row in self.database.run(read).await? {
            let claim = delivery::Entity::update_many()
                .col_expr(delivery::Column::Due, Expr::value(now.saturating_add(span(lease))))
                .col_expr(delivery::Column::Attempts, Expr::col(delivery::Column::Attempts).add(1))
                .filter(delivery::Column::Id.eq(row.id))
                // another caller's lease has moved it
                .filter(delivery::Column::Due.eq(row.due))
                .filter(delivery::Column::Attempts.eq(row.attempts));
            let write = || async { Ok(claim.clone().exec(self.database.connection()).await?.rows_affected > 0) };
            if self.database.run(write).await? {
                claimed.push(given(row)?);
            }
        }
        Ok(claimed)
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
