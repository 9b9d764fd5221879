//! Authorization codes: sealed, so that only their being redeemed is written.

use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, Condition, EntityTrait};
use store::StoreError;
use store::columns::micros;
use uuid::Uuid;

use super::entity::{grant, used_code};
use super::{Store, families, revocations};
use crate::model::Family;

/// What became of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// This is the first time; what was to be remembered with it is durable.
    First,
    /// It was redeemed before. Its grant is revoked now (row I7).
    Again,
}

impl Store {
    /// Marks a code as redeemed until `kept`, and begins a family in the same transaction. A second time its grant is revoked in the
    /// same transaction (until `until`). Of any number of callers on any number of replicas one is the first.
    pub async fn redeem_code(
        &self,
        grant: Uuid,
        kept: SystemTime,
        family: Option<&Family>,
        now: SystemTime,
        until: SystemTime,
    ) -> Result<Redeemed, StoreError> {
        let family = family.map(families::row).transpose()?;
        let mark = used_code::ActiveModel { grant_id: Set(grant), expires: Set(micros(kept)) };
        let conflict = OnConflict::column(used_code::Column::GrantId).do_nothing().to_owned();
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let mark = used_code::Entity::insert(mark.clone()).on_conflict(conflict.clone());
            let outcome = if mark.exec_without_returning(&transaction).await? > 0 {
                if let Some(family) = family.clone() {
                    grant::Entity::insert(family).exec_without_returning(&transaction).await?;
                }
                Redeemed::First
            } else {
                families::end(&transaction, Condition::all().add(grant::Column::Id.eq(grant))).await?;
                revocations::write(&transaction, &[grant], until, now).await?;
                Redeemed::Again
            };
            transaction.commit().await?;
            Ok(outcome)
        };
        let outcome = self.database.run(write).await?;
        if outcome == Redeemed::Again {
            self.revoked(&[grant], until);
        }
        Ok(outcome)
    }

    /// Revokes the grant of a code that comes after its end, if it was redeemed before that; whether it was.
    pub async fn replay_code(&self, grant: Uuid, until: SystemTime, now: SystemTime) -> Result<bool, StoreError> {
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let marked = used_code::Entity::find_by_id(grant).all(&transaction).await?;
            // the family outlives the mark
            let ended = families::end(&transaction, Condition::all().add(grant::Column::Id.eq(grant))).await?;
            if marked.is_empty() && ended.is_empty() {
                return Ok(false);
            }
            revocations::write(&transaction, &[grant], until, now).await?;
            transaction.commit().await?;
            Ok(true)
        };
        let was_redeemed = self.database.run(write).await?;
        if was_redeemed {
            self.revoked(&[grant], until);
        }
        Ok(was_redeemed)
    }
}
