//! Pending device authorization requests (RFC 8628).

use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use store::columns::{micros, time};
use store::{StoreError, Transaction};

use super::Store;
use super::entity::device;
use super::rows::{count, digest};

/// The seconds by which the polling interval of a device grows with `slow_down` (RFC 8628 3.5).
const SLOWER: i64 = 5;
/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// A stored device authorization request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDevice {
    /// SHA-256 of the device code.
    pub digest: [u8; 32],
    /// The user code, without separators.
    pub user_code: String,
    /// The request: sealed or plain JSON, which only the device module reads.
    pub request: String,
    /// The client.
    pub client: String,
    /// When it expires.
    pub expires: SystemTime,
    /// The polling interval in seconds.
    pub interval: u32,
}

/// The result of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// The user has not decided yet.
    Pending,
    /// The device polls too often; its interval is five seconds longer now (RFC 8628 3.5).
    SlowDown,
    /// The user has denied the request.
    Denied,
    /// The request has expired.
    Expired,
    /// The user has approved the request: the decision as it was stored. Returned once; then the code is unknown.
    Approved(String),
    /// There is no such code, or it belongs to another client.
    Unknown,
}

impl Store {
    /// Adds a request.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if its user code is taken.
    pub async fn add_device(&self, device: &StoredDevice) -> Result<(), StoreError> {
        let row = device::ActiveModel {
            digest: Set(device.digest.to_vec()),
            user_code: Set(device.user_code.clone()),
            client: Set(device.client.clone()),
            request: Set(device.request.clone()),
            expires: Set(micros(device.expires)),
            interval: Set(i64::from(device.interval)),
            polled: Set(None),
            decided: Set(false),
            approval: Set(None),
        };
        let write = || async {
            let insert = device::Entity::insert(row.clone());
            Ok(insert.exec_without_returning(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }

    /// The pending request with this user code.
    pub async fn device(&self, user_code: &str, now: SystemTime) -> Result<Option<StoredDevice>, StoreError> {
        let read = || async {
            // without a LIMIT, as SQLite plans a statement anew at each use whose LIMIT is a parameter
            let found = device::Entity::find().filter(waiting(user_code, now)).all(self.database.reader()).await?;
            Ok(found.into_iter().next())
        };
        self.database.run(read).await?.map(device).transpose()
    }

    /// Stores a decision: the text for [`Poll::Approved`], or a denial. Returns whether the request was still pending.
    pub async fn decide_device(
        &self,
        user_code: &str,
        approval: Option<&str>,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let update = device::Entity::update_many()
            .col_expr(device::Column::Decided, Expr::value(true))
            .col_expr(device::Column::Approval, Expr::value(approval.map(str::to_owned)))
            .filter(waiting(user_code, now));
        let write = || async { Ok(update.clone().exec(self.database.connection()).await?.rows_affected > 0) };
        self.database.run(write).await
    }

    /// Handles a poll of the device, atomically.
    pub async fn poll_device(&self, digest: [u8; 32], client: &str, now: SystemTime) -> Result<Poll, StoreError> {
        let now = micros(now);
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let query = device::Entity::find_by_id(digest.to_vec()).filter(device::Column::Client.eq(client));
            let found = query.lock_exclusive().all(&transaction).await?.into_iter().next();
            let Some(row) = found else { return Ok(Poll::Unknown) };
            let poll = if row.expires <= now {
                Poll::Expired
            } else if !row.decided {
                asked(&transaction, row, now).await?
            } else if let Some(approval) = row.approval {
                device::Entity::delete_by_id(row.digest).exec(&transaction).await?;
                Poll::Approved(approval)
            } else {
                Poll::Denied
            };
            transaction.commit().await?;
            Ok(poll)
        };
        self.database.run(write).await
    }
}

/// Stores the time of a poll without a decision.
async fn asked(transaction: &Transaction, row: device::Model, now: i64) -> Result<Poll, StoreError> {
    let patience = row.interval.saturating_mul(SECOND);
    let is_early = row.polled.is_some_and(|polled| now < polled.saturating_add(patience));
    let interval = if is_early { row.interval.saturating_add(SLOWER) } else { row.interval };
    let update = device::Entity::update_many()
        .col_expr(device::Column::Polled, Expr::value(now))
        .col_expr(device::Column::Interval, Expr::value(interval))
        .filter(device::Column::Digest.eq(row.digest));
    update.exec(transaction).await?;
    Ok(if is_early { Poll::SlowDown } else { Poll::Pending })
}

fn waiting(user_code: &str, now: SystemTime) -> Condition {
    Condition::all()
        .add(device::Column::UserCode.eq(user_code))
        .add(device::Column::Decided.eq(false))
        .add(device::Column::Expires.gt(micros(now)))
}

fn device(row: device::Model) -> Result<StoredDevice, StoreError> {
    Ok(StoredDevice {
        digest: digest(&row.digest)?,
        user_code: row.user_code,
        request: row.request,
        client: row.client,
        expires: time(row.expires),
        interval: count(row.interval)?,
    })
}
