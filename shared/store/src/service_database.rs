//! The database of a service, as it is opened when the service starts.

use std::time::Duration;

use runtime::Metrics;
use sea_orm_migration::MigratorTrait;

use crate::{Database, Options, StoreError};

impl Database {
    /// Opens the database of a service: its statements are measured, and its schema is brought up to date.
    ///
    /// # Errors
    /// As of [`connect`](Self::connect) and [`migrate`](Self::migrate).
    pub async fn open<M: MigratorTrait>(url: &str, options: &Options, metrics: &Metrics) -> Result<Self, StoreError> {
        let database = Self::connect(url, options).await?.measured(metrics);
        database.migrate::<M>().await?;
        Ok(database)
    }

    /// The same for a service that remembers what it reads: no other process works with a `SQLite` file at the same time.
    ///
    /// # Errors
    /// As of [`open`](Self::open) and [`claim`](Self::claim).
    pub async fn open_claimed<M: MigratorTrait>(
        url: &str,
        options: &Options,
        metrics: &Metrics,
        (service, patience): (&str, Duration),
    ) -> Result<Self, StoreError> {
        let database = Self::connect(url, options).await?.measured(metrics).claim(service, patience).await?;
        database.migrate::<M>().await?;
        Ok(database)
    }
}
