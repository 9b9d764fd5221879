//! Durable revocations, for all replicas.

use std::time::SystemTime;

use sea_orm::sea_query::{Expr, OnConflict, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use store::columns::{self, micros, time};
use store::{StoreError, Transaction, Unread};
use uuid::Uuid;

use super::Store;
use super::entity::revocation;
use crate::revocations::Revocation;

/// The number of rows that one statement reads or writes.
const PAGE: usize = 1000;

impl Store {
    /// Revokes one token by its own id (not the grant).
    pub async fn revoke_token(&self, token: Uuid, until: SystemTime, now: SystemTime) -> Result<(), StoreError> {
        self.revoke_tokens(&[token], until, now).await
    }

    /// Revokes several tokens, all or none.
    pub async fn revoke_tokens(&self, tokens: &[Uuid], until: SystemTime, now: SystemTime) -> Result<(), StoreError> {
        let write = || async {
            let transaction = self.database.begin_write().await?;
            write(&transaction, tokens, until, now).await?;
            Ok(transaction.commit().await?)
        };
        self.database.run(write).await?;
        self.revoked(tokens, until);
        Ok(())
    }

    /// Those of these tokens that are revoked in the database at present.
    pub async fn revocations_among(&self, ids: &[Uuid], now: SystemTime) -> Result<Vec<Revocation>, StoreError> {
        let query = revocation::Entity::find()
            .filter(revocation::Column::Id.is_in(ids.iter().copied()))
            .filter(revocation::Column::Until.gt(micros(now)));
        let read = || async { Ok(query.clone().all(self.database.reader()).await?) };
        let rows = self.database.run(read).await?;
        Ok(rows.into_iter().map(|row| Revocation { id: row.id, until: time(row.until) }).collect())
    }

    /// The revocations of any replica that are unread, or all; of those only the ones that still count.
    pub async fn revocations(&self, unread: Option<&Unread>, now: SystemTime) -> Result<Vec<Revocation>, StoreError> {
        let connection = self.database.reader();
        let mut wanted = revocation::Entity::find().filter(revocation::Column::Until.gt(micros(now)));
        if let Some(unread) = unread {
            wanted = wanted.filter(unread.condition());
        }
        let mut found: Vec<Revocation> = Vec::new();
        loop {
            let after = found.last().map(|last| last.id);
            let read = || async {
                let mut page =
                    wanted.clone().order_by_asc(revocation::Column::Id).limit(u64::try_from(PAGE).unwrap_or(u64::MAX));
                if let Some(after) = after {
                    page = page.filter(revocation::Column::Id.gt(after));
                }
                Ok(page.all(connection).await?)
            };
            let rows = self.database.run(read).await?;
            let is_last = rows.len() < PAGE;
            found.extend(rows.into_iter().map(|row| Revocation { id: row.id, until: time(row.until) }));
            if is_last {
                return Ok(found);
            }
        }
    }
}

/// Writes revocations in the transaction that revokes. An existing one is written again, and its expiry never becomes earlier: on
/// a server that does not number transactions, replicas have missed it if the former transaction took too long to commit.
pub(super) async fn write(
    transaction: &Transaction,
    ids: &[Uuid],
    until: SystemTime,
    now: SystemTime,
) -> Result<(), StoreError> {
    if until <= now {
        // everything that was derived from it has expired
        return Ok(());
    }
    let mut ids = ids.to_vec();
    // two transactions that write the same rows in different orders would deadlock
    ids.sort_unstable();
    let at = || Expr::cust(columns::now(transaction.get_database_backend()));
    let later = "CASE WHEN excluded.until > idp_revocations.until THEN excluded.until ELSE idp_revocations.until END";
    for some in ids.chunks(PAGE) {
        let conflict = OnConflict::column(revocation::Column::Id)
            .value(revocation::Column::Until, Expr::cust(later))
            .value(revocation::Column::At, at())
            .to_owned();
        let mut insert = Query::insert()
            .into_table(revocation::Entity)
            .columns([revocation::Column::Id, revocation::Column::Until, revocation::Column::At])
            .on_conflict(conflict)
            .to_owned();
        for &id in some {
            insert.values_panic([id.into(), micros(until).into(), at()]);
        }
        transaction.execute(&insert).await?;
    }
    Ok(())
}
