//! Ending tokens, and removing what has ended.

use std::time::SystemTime;

use authn::UserId;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QuerySelect,
};
use store::columns::{self, micros};
use store::{StoreError, Transaction, Unread};
use uuid::Uuid;

use super::entity::{token, usage};
use super::{TokenStore, owned_by};

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

impl TokenStore {
    /// Revokes a user's token; whether it was that user's and not yet revoked. Other replicas can learn of it
    /// ([`revocations`](Self::revocations)) as soon as it is durable.
    pub async fn revoke(&self, owner: &UserId, id: Uuid, now: SystemTime) -> Result<bool, StoreError> {
        let only = Condition::all().add(owned_by(owner)).add(token::Column::Id.eq(id));
        let is_revoked = !self.revoke_where(&only, now).await?.is_empty();
        if !is_revoked {
            self.publish_again(&only).await?;
        }
        Ok(is_revoked)
    }

    /// Revokes all tokens of a user; which.
    pub async fn revoke_all(&self, owner: &UserId, now: SystemTime) -> Result<Vec<Uuid>, StoreError> {
        self.revoke_where(&owned_by(owner), now).await
    }

    async fn revoke_where(&self, which: &Condition, now: SystemTime) -> Result<Vec<Uuid>, StoreError> {
        let write = || async {
            let transaction = self.0.begin_write().await?;
            let update = token::Entity::update_many()
                .col_expr(token::Column::Revoked, Expr::value(micros(now)))
                .filter(which.clone())
                .filter(token::Column::Revoked.is_null());
            let revoked: Vec<Uuid> =
                update.exec_with_returning(&transaction).await?.into_iter().map(|row| row.id).collect();
            if self.0.is_postgres() {
                publish(&transaction, &revoked).await?;
            }
            transaction.commit().await?;
            Ok(revoked)
        };
        self.0.run(write).await
    }

    /// Publishes again what is revoked already: on a server that does not number transactions, rows of one whose end took too long
    /// come too late for every replica. A caller that got no response tries again.
    async fn publish_again(&self, which: &Condition) -> Result<(), StoreError> {
        if !self.0.is_postgres() {
            return Ok(());
        }
        let write = || async {
            let transaction = self.0.begin_write().await?;
            let revoked = token::Entity::find().filter(which.clone()).filter(token::Column::Revoked.is_not_null());
            let ids: Vec<Uuid> = revoked.all(&transaction).await?.into_iter().map(|row| row.id).collect();
            publish(&transaction, &ids).await?;
            Ok(transaction.commit().await?)
        };
        self.0.run(write).await
    }

    /// The unread revocations of any replica: of which tokens. None where there is one process.
    pub async fn revocations(&self, unread: &Unread) -> Result<Vec<Uuid>, StoreError> {
        if !self.0.is_postgres() {
            return Ok(Vec::new());
        }
        let read = || async {
            let query = Query::select()
                .expr_as(Expr::col("token"), "id")
                .from("app_token_revocations")
                .and_where(unread.condition())
                .take();
            Ok(Id::find_by_statement(DbBackend::Postgres.build(&query)).all(self.0.reader()).await?)
        };
        Ok(self.0.run(read).await?.into_iter().map(|row| row.id).collect())
    }

    /// Removes at most `limit` rows that told other replicas of revocations and meet an SQL condition; how many.
    pub async fn prune_revocations(&self, condition: &str, limit: u64) -> Result<u64, StoreError> {
        self.0.remove("app_token_revocations", "seq", condition, limit).await
    }

    /// Removes at most `limit` tokens that have been over or revoked since before this moment; how many. One that was imported
    /// and then revoked stays until it is over: imported once more, it would be valid again.
    pub async fn prune(&self, before: SystemTime, limit: u64) -> Result<u64, StoreError> {
        let before = micros(before);
        let over = Condition::any()
            .add(token::Column::Expires.lt(before))
            .add(token::Column::Revoked.lt(before).and(token::Column::Imported.is_null()))
            .add(token::Column::Slide.is_not_null().and(usage::Column::Slid.lt(before)));
        let write = || async {
            let transaction = self.0.begin_write().await?;
            let mut query = token::Entity::find()
                .left_join(usage::Entity)
                .select_only()
                .column(token::Column::Id)
                .filter(over.clone())
                .limit(limit);
            // what another replica has locked, to remove or to change it, is left to it
            QuerySelect::query(&mut query).lock_with_tables_behavior(
                LockType::Update,
                [token::Entity],
                LockBehavior::SkipLocked,
            );
            let found: Vec<Id> = query.into_model().all(&transaction).await?;
            let ids: Vec<Uuid> = found.into_iter().map(|row| row.id).collect();
            usage::Entity::delete_many().filter(usage::Column::Id.is_in(ids.clone())).exec(&transaction).await?;
            let gone = token::Entity::delete_many().filter(token::Column::Id.is_in(ids)).exec(&transaction).await?;
            transaction.commit().await?;
            Ok(gone.rows_affected)
        };
        self.0.run(write).await
    }
}

/// Writes revocations for the other replicas, in the transaction that revokes.
async fn publish(transaction: &Transaction, revoked: &[Uuid]) -> Result<(), StoreError> {
    let now = columns::now(DbBackend::Postgres);
    for some in revoked.chunks(1000) {
        let rows: Vec<String> = some.iter().map(|id| format!("('{id}'::uuid, {now})")).collect();
        let sql = format!("INSERT INTO app_token_revocations (token, at) VALUES {}", rows.join(", "));
        transaction.execute_unprepared(&sql).await?;
    }
    Ok(())
}
