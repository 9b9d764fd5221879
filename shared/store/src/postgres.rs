//! `PostgreSQL`: a small pool, and an end to everything that hangs.

use std::time::Duration;

use sea_orm::sqlx::{
    ConnectOptions, Connection,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};

use crate::{Options, StoreError};

/// A connection that lay idle this long is asked whether it still lives before a statement is entrusted to it.
const SUSPECT_AFTER: Duration = Duration::from_secs(1);

pub(crate) async fn connect(server: &PgConnectOptions, options: &Options) -> Result<PgPool, StoreError> {
    let milliseconds = |duration: Duration| duration.as_millis().to_string();
    let server = server
        .clone()
        .options([
            ("statement_timeout", milliseconds(options.statement_timeout)),
            ("idle_in_transaction_session_timeout", milliseconds(options.idle_in_transaction_timeout)),
        ])
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for >= SUSPECT_AFTER {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    Ok(pool.connect_with(server).await?)
}
