//! The number that tells replicas that clients or keys have changed.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter};
use store::{StoreError, Transaction};

use super::Store;
use super::entity::version;

/// The one row.
const ROW: i32 = 1;

impl Store {
    /// A number that changes whenever any replica adds, changes or removes a client or key.
    pub async fn version(&self) -> Result<i64, StoreError> {
        let read = || async {
            let found = version::Entity::find_by_id(ROW).all(self.database.reader()).await?.into_iter().next();
            found.map(|row| row.number).ok_or_else(|| StoreError::internal("the row that counts changes is missing"))
        };
        self.database.run(read).await
    }
}

/// Counts a change, in its transaction: a reader of the new number also reads the change. Other transactions that change
/// something wait from here on.
pub(super) async fn count(transaction: &Transaction) -> Result<(), StoreError> {
    let update = version::Entity::update_many()
        .col_expr(version::Column::Number, Expr::col(version::Column::Number).add(1))
        .filter(version::Column::Id.eq(ROW));
    Ok(update.exec(transaction).await.map(drop)?)
}
