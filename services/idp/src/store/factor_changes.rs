//! What users change of their second factors, and the devices on which no code is asked for.

use std::time::SystemTime;

use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter};
use store::columns::micros;
use store::{StoreError, Transaction};
use uuid::Uuid;

use super::Store;
use super::entity::{factor, trusted_device};
use super::factors::{FactorKind, StoredFactor, replace_codes, row};

/// Which factor is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorToRemove {
    /// The authenticator app.
    App,
    /// The passkey with this identifier.
    Passkey(Uuid),
}

impl FactorToRemove {
    fn is_one_of(self, factors: &[Uuid]) -> bool {
        matches!(self, Self::Passkey(id) if factors.contains(&id))
    }

    fn filter(self) -> Condition {
        match self {
            Self::App => Condition::all().add(factor::Column::Kind.eq(FactorKind::Totp.name())),
            Self::Passkey(id) => {
                let kind = factor::Column::Kind.eq(FactorKind::Passkey.name());
                Condition::all().add(kind).add(factor::Column::Id.eq(id))
            }
        }
    }
}

/// What came of removing a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is removed.
    Done,
    /// The user has no such factor.
    Absent,
    /// It is the last one, and stays.
    IsLast,
}

impl Store {
    /// Puts a second factor in the place of the user's one of the same kind, and recovery codes with these digests in the place of
    /// the former ones. Trust in devices ends. All of it is one transaction.
    pub async fn replace_factor(&self, factor: &StoredFactor, codes: &[[u8; 32]]) -> Result<(), StoreError> {
        let row = row(factor);
        let write = || async {
            let transaction = self.database.begin_write().await?;
            delete_factor(&transaction, &factor.person, factor.kind).await?;
            factor::Entity::insert(row.clone()).exec_without_returning(&transaction).await?;
            replace_codes(&transaction, &factor.person, codes).await?;
            forget_devices(&transaction, &factor.person).await?;
            Ok(transaction.commit().await?)
        };
        self.database.run(write).await
    }

    /// Removes one second factor of a user, ends trust in the user's devices, and removes the recovery codes if no other factor is
    /// left. With `keep_last` nothing is done if none would be left but those that it names, whatever is removed at the same time; one of
    /// these is removed as long as any other factor is left, for without one the password alone would enrol another.
    pub async fn remove_factor(
        &self,
        person: &str,
        which: FactorToRemove,
        keep_last: Option<&[Uuid]>,
    ) -> Result<Removal, StoreError> {
        let write = || async {
            let transaction = self.database.begin_serializable().await?;
            let delete = factor::Entity::delete_many().filter(factor::Column::Person.eq(person)).filter(which.filter());
            if delete.exec(&transaction).await?.rows_affected == 0 {
                return Ok(Removal::Absent);
            }
            let left = factor::Entity::find().filter(factor::Column::Person.eq(person));
            let is_none_left = left.clone().count(&transaction).await? == 0;
            if let Some(unusable) = keep_last {
                let usable = left.filter(factor::Column::Id.is_not_in(unusable.iter().copied()));
                if is_none_left || !which.is_one_of(unusable) && usable.count(&transaction).await? == 0 {
                    return Ok(Removal::IsLast);
                }
            }
            if is_none_left {
                replace_codes(&transaction, person, &[]).await?;
            }
            forget_devices(&transaction, person).await?;
            transaction.commit().await?;
            Ok(Removal::Done)
        };
        self.database.run(write).await
    }

    /// How many devices are trusted for a user until after a time.
    pub async fn trusted_devices(&self, person: &str, after: SystemTime) -> Result<u64, StoreError> {
        let query = trusted_device::Entity::find()
            .filter(trusted_device::Column::Person.eq(person))
            .filter(trusted_device::Column::Expires.gt(micros(after)));
        self.database.run(|| async { Ok(query.clone().count(self.database.reader()).await?) }).await
    }

    /// Ends trust in all devices of a user.
    pub async fn forget_trusted_devices(&self, person: &str) -> Result<(), StoreError> {
        let delete = trusted_device::Entity::delete_many().filter(trusted_device::Column::Person.eq(person));
        let write = || async { Ok(delete.clone().exec(self.database.connection()).await.map(drop)?) };
        self.database.run(write).await
    }
}

/// Deletes the factors of a kind; returns how many there were.
async fn delete_factor(transaction: &Transaction, person: &str, kind: FactorKind) -> Result<u64, StoreError> {
    let delete = factor::Entity::delete_many()
        .filter(factor::Column::Person.eq(person))
        .filter(factor::Column::Kind.eq(kind.name()));
    Ok(delete.exec(transaction).await?.rows_affected)
}

async fn forget_devices(transaction: &Transaction, person: &str) -> Result<(), StoreError> {
    let delete = trusted_device::Entity::delete_many().filter(trusted_device::Column::Person.eq(person));
    Ok(delete.exec(transaction).await.map(drop)?)
}
