//! Ending tokens, and removing what has ended.

use std::time::SystemTime;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, FromQueryResult, QueryFilter,
    QuerySelect, Statement,
};
use store::{Database, StoreError};
use uuid::Uuid;

use super::entity::{token, usage};
use crate::model::micros;

/// Since when, in seconds, revocations are told. Much longer than a transaction lasts: one that has begun to revoke before
/// the last question and ended after it must not be missed.
const LATELY: i64 = 15;
/// Microseconds since the epoch by the database's clock, which is the same for all replicas.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
/// After how many seconds no replica asks for a revocation any more.
const FORGOTTEN: i64 = 3600;

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

/// Revokes what is not revoked yet; which.
pub(super) async fn revoke(database: &Database, which: Condition, now: SystemTime) -> Result<Vec<Uuid>, StoreError> {
    let write = || async {
        let transaction = database.begin_write().await?;
        let update = token::Entity::update_many()
            .col_expr(token::Column::Revoked, Expr::value(micros(now)))
            .filter(which.clone())
            .filter(token::Column::Revoked.is_null());
        let revoked: Vec<Uuid> =
            update.exec_with_returning(&transaction).await?.into_iter().map(|row| row.id).collect();
        if database.is_postgres() {
            tell(&transaction, &revoked).await?;
        }
        transaction.commit().await?;
        Ok(revoked)
    };
    database.run(write).await
}

/// Leaves word for the other replicas, in the transaction that revokes.
async fn tell(transaction: &DatabaseTransaction, revoked: &[Uuid]) -> Result<(), StoreError> {
    for some in revoked.chunks(1000) {
        let words: Vec<String> = some.iter().map(|id| format!("('{id}'::uuid, {NOW})")).collect();
        let sql = format!("INSERT INTO app_token_revocations (token, at) VALUES {}", words.join(", "));
        transaction.execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Leaves word once more of what is revoked already: word that was left by a transaction whose end took too long may have
/// come too late for everybody. Whoever was told of no end tries again.
pub(super) async fn tell_again(database: &Database, which: Condition) -> Result<(), StoreError> {
    if !database.is_postgres() {
        return Ok(());
    }
    let write = || async {
        let transaction = database.begin_write().await?;
        let revoked = token::Entity::find().filter(which.clone()).filter(token::Column::Revoked.is_not_null());
        let ids: Vec<Uuid> = revoked.all(&transaction).await?.into_iter().map(|row| row.id).collect();
        tell(&transaction, &ids).await?;
        Ok(transaction.commit().await?)
    };
    database.run(write).await
}

/// A single process has nobody to hear it from.
pub(super) async fn revoked_lately(database: &Database) -> Result<Vec<Uuid>, StoreError> {
    if !database.is_postgres() {
        return Ok(Vec::new());
    }
    let read = || async {
        let sql = format!("SELECT token AS id FROM app_token_revocations WHERE at > {NOW} - {LATELY}000000");
        let question = Statement::from_string(DbBackend::Postgres, sql);
        Ok(Id::find_by_statement(question).all(database.reader()).await?)
    };
    Ok(database.run(read).await?.into_iter().map(|row| row.id).collect())
}

/// What was taken over and then revoked is kept until it is over: taken over once more, it would be good again.
pub(super) async fn prune(database: &Database, before: SystemTime, limit: u64) -> Result<u64, StoreError> {
    let before = micros(before);
    let over = Condition::any()
        .add(token::Column::Expires.lt(before))
        .add(token::Column::Revoked.lt(before).and(token::Column::Imported.is_null()))
        .add(token::Column::Slide.is_not_null().and(usage::Column::Slid.lt(before)));
    let write = || async {
        let transaction = database.begin_write().await?;
        let found: Vec<Id> = token::Entity::find()
            .left_join(usage::Entity)
            .select_only()
            .column(token::Column::Id)
            .filter(over.clone())
            .limit(limit)
            .into_model()
            .all(&transaction)
            .await?;
        let ids: Vec<Uuid> = found.into_iter().map(|row| row.id).collect();
        usage::Entity::delete_many().filter(usage::Column::Id.is_in(ids.clone())).exec(&transaction).await?;
        let gone = token::Entity::delete_many().filter(token::Column::Id.is_in(ids)).exec(&transaction).await?;
        if database.is_postgres() {
            let sql = format!("DELETE FROM app_token_revocations WHERE at < {NOW} - {FORGOTTEN}000000");
            transaction.execute_unprepared(&sql).await?;
        }
        transaction.commit().await?;
        Ok(gone.rows_affected)
    };
    database.run(write).await
}
