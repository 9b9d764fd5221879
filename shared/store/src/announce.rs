//! Telling other replicas that there is something new to read.

use sea_orm::ConnectionTrait;
use sea_orm::sqlx::postgres::{PgListener, PgPoolOptions};

use crate::{Database, StoreError};

/// Hears what is announced on one channel, on a connection of its own.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Database {
    /// Tells everybody who listens on this channel that something has changed. Outside of any transaction: in one it would
    /// have all commits of the server wait for each other. Nothing happens on `SQLite`, which has one process, and where no replica
    /// can listen.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached.
    pub async fn announce(&self, channel: &'static str) -> Result<(), StoreError> {
        if self.server().is_none_or(|server| server.listening.is_none()) {
            return Ok(());
        }
        self.run(|| async { Ok(self.connection().execute_unprepared(&format!("NOTIFY {channel}")).await.map(drop)?) })
            .await
    }

    /// Listens on a channel; `None` on `SQLite`, and behind a pooler that hands sessions out transaction by transaction, unless
    /// [`Options::listen_url`](crate::Options::listen_url) leads past it: a listener needs a session to itself.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached.
    pub async fn listen(&self, channel: &'static str) -> Result<Option<Listener>, StoreError> {
        let Some(address) = self.server().and_then(|server| server.listening.clone()) else { return Ok(None) };
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let mut listener = PgListener::connect_with(&pool.connect_lazy_with(address)).await?;
        listener.listen(channel).await?;
        Ok(Some(Listener(listener)))
    }
}

impl Listener {
    /// Returns when something was announced, or when the connection was lost and made again: then something may have been.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] while the connection cannot be made again.
    pub async fn heard(&mut self) -> Result<(), StoreError> {
        Ok(self.0.try_recv().await.map(drop)?)
    }
}
