//! Passkeys, which are second factors that also sign in alone.

use std::time::SystemTime;

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use store::StoreError;
use store::columns::micros;
use uuid::Uuid;

use super::Store;
use super::entity::factor;
use super::factors::{FactorKind, StoredFactor, forgive, row, stored};

impl Store {
    /// Adds a passkey to a user who has fewer than so many. Returns whether it was added: not if the user has one with this credential
    /// already.
    pub async fn add_passkey(&self, added: &StoredFactor, most: u64) -> Result<bool, StoreError> {
        let row = row(added);
        let key = [factor::Column::Person, factor::Column::Kind, factor::Column::Name];
        let conflict = OnConflict::columns(key).do_nothing().to_owned();
        let known = factor::Entity::find()
            .filter(factor::Column::Person.eq(&added.person))
            .filter(factor::Column::Kind.eq(FactorKind::Passkey.name()));
        let write = || async {
            let transaction = self.database.begin_serializable().await?;
            if known.clone().count(&transaction).await? >= most {
                return Ok(false);
            }
            let insert = factor::Entity::insert(row.clone()).on_conflict(conflict.clone());
            let is_added = insert.exec_without_returning(&transaction).await? > 0;
            transaction.commit().await?;
            Ok(is_added)
        };
        self.database.run(write).await
    }

    /// The passkeys with the identifier of a credential, whoever has them. Users choose identifiers: more than one user may have
    /// one with the same.
    pub async fn passkeys_of_credential(&self, name: &str) -> Result<Vec<StoredFactor>, StoreError> {
        let query = factor::Entity::find()
            .filter(factor::Column::Name.eq(name))
            .filter(factor::Column::Kind.eq(FactorKind::Passkey.name()));
        let rows = self.database.run(|| async { Ok(query.clone().all(self.database.reader()).await?) }).await?;
        rows.into_iter().map(|row| stored(row, FactorKind::Passkey)).collect()
    }

    /// Accepts an answer of a passkey, with its state after that, and forgets failures. Returns whether `former` was the state:
    /// otherwise another answer was accepted meanwhile.
    pub async fn accept_passkey(
        &self,
        id: Uuid,
        former: &[u8],
        sealed: &[u8],
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let update = forgive()
            .col_expr(factor::Column::Sealed, Expr::value(sealed.to_vec()))
            .col_expr(factor::Column::Used, Expr::value(micros(now)))
            .filter(factor::Column::Id.eq(id))
            .filter(factor::Column::Sealed.eq(former.to_vec()));
        let write = || async { Ok(update.clone().exec(self.database.connection()).await?.rows_affected > 0) };
        self.database.run(write).await
    }
}
