//! Second factors, recovery codes and trusted devices.

use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use store::columns::{micros, time};
use store::{StoreError, Transaction};
use uuid::Uuid;

use super::Store;
use super::entity::{factor, recovery_code, trusted_device};
use super::rows::{count, damaged};

/// What a second factor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorKind {
    /// Time-based one-time passwords (RFC 6238). A user has at most one.
    Totp,
    /// A passkey (Web Authentication). A user may have several.
    Passkey,
}

impl FactorKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Totp, Self::Passkey].into_iter().find(|kind| kind.name() == name)
    }
}

/// A second factor of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFactor {
    /// Its identifier.
    pub id: Uuid,
    /// Whose it is.
    pub person: String,
    /// What it is.
    pub kind: FactorKind,
    /// Tells apart factors of a kind of which a user may have several: the identifier of a passkey's credential.
    pub name: String,
    /// Its secret, sealed.
    pub sealed: Vec<u8>,
    /// Whether the user was an administrator when it was enrolled.
    pub is_administrator: bool,
    /// The time step of the last code that was accepted.
    pub last_step: Option<u64>,
    /// Wrong codes since the last right one.
    pub failures: u32,
    /// Until when no code is checked.
    pub blocked_until: SystemTime,
    /// When it was enrolled.
    pub created: SystemTime,
    /// When it was last used.
    pub used: Option<SystemTime>,
}

impl Store {
    /// The second factors of a user. A kind of a later version is left out.
    pub async fn factors(&self, person: &str) -> Result<Vec<StoredFactor>, StoreError> {
        let read = || async {
            let query = factor::Entity::find().filter(factor::Column::Person.eq(person));
            Ok(query.order_by_asc(factor::Column::Created).all(self.database.reader()).await?)
        };
        let rows = self.database.run(read).await?;
        let known = rows.into_iter().filter_map(|row| FactorKind::of(&row.kind).map(|kind| stored(row, kind)));
        known.collect()
    }

    /// Whether an administrator has a second factor.
    pub async fn has_factor_of_administrator(&self) -> Result<bool, StoreError> {
        let read = || async {
            let query = factor::Entity::find().filter(factor::Column::Administrator.eq(true)).limit(1);
            Ok(!query.all(self.database.reader()).await?.is_empty())
        };
        self.database.run(read).await
    }

    /// Adds a second factor and replaces the user's recovery codes by those with these digests, in one transaction. Returns
    /// whether it was added: not if the user has one of this kind already or, if it has to be the first, one of any kind.
    pub async fn add_factor(
        &self,
        added: &StoredFactor,
        codes: &[[u8; 32]],
        only_first: bool,
    ) -> Result<bool, StoreError> {
        let row = row(added);
        let key = [factor::Column::Person, factor::Column::Kind, factor::Column::Name];
        let conflict = OnConflict::columns(key).do_nothing().to_owned();
        let known = factor::Entity::find().filter(factor::Column::Person.eq(&added.person));
        let write = || async {
            let transaction = self.database.begin_serializable().await?;
            if only_first && known.clone().count(&transaction).await? > 0 {
                return Ok(false);
            }
            let insert = factor::Entity::insert(row.clone()).on_conflict(conflict.clone());
            if insert.exec_without_returning(&transaction).await? == 0 {
                return Ok(false);
            }
            replace_codes(&transaction, &added.person, codes).await?;
            transaction.commit().await?;
            Ok(true)
        };
        self.database.run(write).await
    }

    /// Counts a code as wrong before it is checked, so that concurrent guesses count too; no code is checked until then.
    /// Returns whether `known` was the number of wrong codes: otherwise another guess was counted meanwhile.
    pub async fn count_guess(&self, factor: Uuid, known: u32, blocked_until: SystemTime) -> Result<bool, StoreError> {
        let update = factor::Entity::update_many()
            .col_expr(factor::Column::Failures, Expr::value(i64::from(known) + 1))
            .col_expr(factor::Column::BlockedUntil, Expr::value(micros(blocked_until)))
            .filter(factor::Column::Id.eq(factor))
            .filter(factor::Column::Failures.eq(i64::from(known)));
        let write = || async { Ok(update.clone().exec(self.database.connection()).await?.rows_affected > 0) };
        self.database.run(write).await
    }

    /// Accepts the code of a time step, and forgets the wrong ones. Returns whether it was accepted: not if it, or a later one,
    /// was accepted before.
    pub async fn accept_step(&self, factor: Uuid, step: u64, now: SystemTime) -> Result<bool, StoreError> {
        let step = i64::try_from(step).map_err(|_| damaged("a time step"))?;
        let is_new = Condition::any().add(factor::Column::LastStep.is_null()).add(factor::Column::LastStep.lt(step));
        let update = forgive()
            .col_expr(factor::Column::LastStep, Expr::value(step))
            .col_expr(factor::Column::Used, Expr::value(micros(now)))
            .filter(factor::Column::Id.eq(factor))
            .filter(is_new);
        let write = || async { Ok(update.clone().exec(self.database.connection()).await?.rows_affected > 0) };
        self.database.run(write).await
    }

    /// Uses up a recovery code, and forgets the wrong codes. Returns whether there was such a code.
    pub async fn use_recovery_code(&self, person: &str, digest: [u8; 32]) -> Result<bool, StoreError> {
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let delete = recovery_code::Entity::delete_many()
                .filter(recovery_code::Column::Digest.eq(digest.to_vec()))
                .filter(recovery_code::Column::Person.eq(person));
            if delete.exec(&transaction).await?.rows_affected == 0 {
                return Ok(false);
            }
            forgive().filter(factor::Column::Person.eq(person)).exec(&transaction).await?;
            transaction.commit().await?;
            Ok(true)
        };
        self.database.run(write).await
    }

    /// Replaces the recovery codes of a user by those with these digests.
    pub async fn replace_recovery_codes(&self, person: &str, codes: &[[u8; 32]]) -> Result<(), StoreError> {
        let write = || async {
            let transaction = self.database.begin_write().await?;
            replace_codes(&transaction, person, codes).await?;
            Ok(transaction.commit().await?)
        };
        self.database.run(write).await
    }

    /// How many recovery codes a user has left.
    pub async fn recovery_codes_left(&self, person: &str) -> Result<u64, StoreError> {
        let query = recovery_code::Entity::find().filter(recovery_code::Column::Person.eq(person));
        self.database.run(|| async { Ok(query.clone().count(self.database.reader()).await?) }).await
    }

    /// Removes all second factors of a user with the recovery codes and trusted devices, in one transaction. Returns whether
    /// there was a factor.
    pub async fn remove_factors(&self, person: &str) -> Result<bool, StoreError> {
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let factors = factor::Entity::delete_many().filter(factor::Column::Person.eq(person));
            let removed = factors.exec(&transaction).await?.rows_affected;
            replace_codes(&transaction, person, &[]).await?;
            let devices = trusted_device::Entity::delete_many().filter(trusted_device::Column::Person.eq(person));
            devices.exec(&transaction).await?;
            transaction.commit().await?;
            Ok(removed > 0)
        };
        self.database.run(write).await
    }

    /// Trusts the device whose cookie has this digest, for a user and until a time.
    pub async fn trust_device(&self, digest: [u8; 32], person: &str, expires: SystemTime) -> Result<(), StoreError> {
        let row = trusted_device::ActiveModel {
            digest: Set(digest.to_vec()),
            person: Set(person.to_owned()),
            expires: Set(micros(expires)),
        };
        let write = || async {
            let insert = trusted_device::Entity::insert(row.clone());
            Ok(insert.exec_without_returning(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }

    /// Whether the device whose cookie has this digest is trusted for a user until after a time.
    pub async fn is_trusted_device(
        &self,
        digest: [u8; 32],
        person: &str,
        after: SystemTime,
    ) -> Result<bool, StoreError> {
        let read = || async {
            let query = trusted_device::Entity::find_by_id(digest.to_vec())
                .filter(trusted_device::Column::Person.eq(person))
                .filter(trusted_device::Column::Expires.gt(micros(after)));
            Ok(!query.all(self.database.reader()).await?.is_empty())
        };
        self.database.run(read).await
    }

    /// The sealed secrets of the factors behind `after`, by their identifiers, `limit` at most.
    pub async fn sealed_factors(&self, after: Uuid, limit: u64) -> Result<Vec<(Uuid, Vec<u8>)>, StoreError> {
        let query = factor::Entity::find()
            .select_only()
            .columns([factor::Column::Id, factor::Column::Sealed])
            .filter(factor::Column::Id.gt(after))
            .order_by_asc(factor::Column::Id)
            .limit(limit);
        self.database.run(|| async { Ok(query.clone().into_tuple().all(self.database.reader()).await?) }).await
    }

    /// Puts another sealed form of a factor's secret in the place of `former`, if that is still there.
    pub async fn reseal_factor(&self, id: Uuid, former: &[u8], sealed: &[u8]) -> Result<(), StoreError> {
        let update = factor::Entity::update_many()
            .col_expr(factor::Column::Sealed, Expr::value(sealed.to_vec()))
            .filter(factor::Column::Id.eq(id))
            .filter(factor::Column::Sealed.eq(former.to_vec()));
        self.database.run(|| async { Ok(update.clone().exec(self.database.connection()).await.map(drop)?) }).await
    }
}

/// Forgets wrong codes.
pub(super) fn forgive() -> sea_orm::UpdateMany<factor::Entity> {
    factor::Entity::update_many()
        .col_expr(factor::Column::Failures, Expr::value(0_i64))
        .col_expr(factor::Column::BlockedUntil, Expr::value(0_i64))
}

/// Puts recovery codes with these digests in the place of those of a user.
pub(super) async fn replace_codes(
    transaction: &Transaction,
    person: &str,
    codes: &[[u8; 32]],
) -> Result<(), StoreError> {
    let former = recovery_code::Entity::delete_many().filter(recovery_code::Column::Person.eq(person));
    former.exec(transaction).await?;
    if codes.is_empty() {
        return Ok(());
    }
    let rows = codes
        .iter()
        .map(|digest| recovery_code::ActiveModel { digest: Set(digest.to_vec()), person: Set(person.to_owned()) });
    recovery_code::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    Ok(())
}

/// The row of a factor.
pub(super) fn row(factor: &StoredFactor) -> factor::ActiveModel {
    factor::ActiveModel {
        id: Set(factor.id),
        person: Set(factor.person.clone()),
        kind: Set(factor.kind.name().to_owned()),
        name: Set(factor.name.clone()),
        sealed: Set(factor.sealed.clone()),
        administrator: Set(factor.is_administrator),
        last_step: Set(factor.last_step.and_then(|step| i64::try_from(step).ok())),
        failures: Set(i64::from(factor.failures)),
        blocked_until: Set(micros(factor.blocked_until)),
        created: Set(micros(factor.created)),
        used: Set(factor.used.map(micros)),
    }
}

pub(super) fn stored(row: factor::Model, kind: FactorKind) -> Result<StoredFactor, StoreError> {
    let step = |step| u64::try_from(step).map_err(|_| damaged("a second factor"));
    Ok(StoredFactor {
        id: row.id,
        person: row.person,
        kind,
        name: row.name,
        sealed: row.sealed,
        is_administrator: row.administrator,
        last_step: row.last_step.map(step).transpose()?,
        failures: count(row.failures)?,
        blocked_until: time(row.blocked_until),
        created: time(row.created),
        used: row.used.map(time),
    })
}
