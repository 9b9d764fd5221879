//! Announcing to other replicas that there are changes to read.

use sea_orm::ConnectionTrait;
use sea_orm::sqlx::postgres::{PgListener, PgPoolOptions};

use crate::{Database, StoreError};

/// Receives the announcements of one channel, on a connection of its own.
#[derive(Debug)]
pub(crate) struct Listener(PgListener);

impl Database {
    /// Announces on this channel that something has changed. Outside of any transaction: in one it would have all commits of
    /// the server wait for each other. Nothing happens on `SQLite`, which has one process, and where no replica can listen.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached.
    pub(crate) async fn announce(&self, channel: &'static str) -> Result<(), StoreError> {
        if self.server().is_none_or(|server| server.listening.is_none()) {
            return Ok(());
        }
        self.run(|| async { Ok(self.connection().execute_unprepared(&format!("NOTIFY {channel}")).await.map(drop)?) })
            .await
    }

    /// Listens on a channel; `None` on `SQLite`, and behind a pooler that hands sessions out transaction by transaction, unless
    /// [`Options::listen_url`](crate::Options::listen_url) names the server itself: a listener needs a session of its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached.
    pub(crate) async fn listen(&self, channel: &'static str) -> Result<Option<Listener>, StoreError> {
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
    pub(crate) async fn received(&mut self) -> Result<(), StoreError> {
        Ok(self.0.try_recv().await.map(drop)?)
    }
}
