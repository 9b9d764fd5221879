//! Bringing the schema up to date, beside replicas of the version before and of the version after.

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, SqlxPostgresConnector};
use sea_orm_migration::{IntoSchemaManagerConnection, MigratorTrait};

use crate::{Database, Options, StoreError, postgres};

impl Database {
    /// Brings the schema up to date. `M::migration_table_name` names the service's own history table (`users_migrations`), so
    /// that services can share a database. Replicas may do it at the same time. A schema that a newer version has already
    /// brought further is left as it is: migrations only ever add, so that both versions can run side by side. On `SQLite`
    /// all is done or nothing; on `PostgreSQL` each migration, unless it wants it otherwise.
    ///
    /// # Errors
    /// [`StoreError::Internal`] also when the schema has gone another way: it holds steps that are not known here, and lacks
    /// ones that are.
    pub async fn migrate<M: MigratorTrait>(&self) -> Result<(), StoreError> {
        let Some(server) = self.server() else {
            // what is interrupted leaves nothing half done, which could not be begun again
            let transaction = self.begin_write().await?;
            apply::<M, _>(&transaction).await?;
            return Ok(transaction.commit().await?);
        };
        // on a connection of its own: to build an index may take longer than a statement otherwise may
        let limits = Options {
            max_connections: 1,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::ZERO,
            ..Options::default()
        };
        let connection = SqlxPostgresConnector::from_sqlx_postgres_pool(postgres::connect(server, &limits).await?);
        let outcome = apply_among_replicas::<M>(&connection).await;
        connection.close().await?;
        outcome
    }
}

/// Each migration is a transaction that ends by recording itself: of two replicas one fails, and finds it done when it
/// tries again.
async fn apply_among_replicas<M: MigratorTrait>(connection: &DatabaseConnection) -> Result<(), StoreError> {
    for attempt in 1..5 {
        match apply::<M, _>(connection).await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::debug!(attempt, %error, "migrating is tried again"),
        }
        tokio::time::sleep(Duration::from_millis(100 * attempt)).await;
    }
    apply::<M, _>(connection).await
}

async fn apply<'c, M: MigratorTrait, C: ConnectionTrait>(connection: &'c C) -> Result<(), StoreError>
where
    &'c C: IntoSchemaManagerConnection<'c>,
{
    let History { unknown, pending } = History::read::<M>(connection).await?;
    // the migrator itself takes any step that it does not know for a fault
    match (unknown.as_slice(), pending.as_slice()) {
        ([], []) => Ok(()),
        ([], _) => Ok(M::up(connection, None).await?),
        (newer, []) => {
            let newer = newer.join(", ");
            tracing::warn!(
                newer,
                "the schema of the database is that of a newer version, which this one can work with"
            );
            Ok(())
        }
        (unknown, pending) => Err(StoreError::internal(format!(
            "its schema has gone another way: it holds {}, which this version does not know, and lacks {}",
            unknown.join(", "),
            pending.join(", ")
        ))),
    }
}

/// What is different between the steps that a database has taken and those that are known here, each in order.
struct History {
    unknown: Vec<String>,
    pending: Vec<String>,
}

impl History {
    async fn read<M: MigratorTrait>(connection: &impl ConnectionTrait) -> Result<Self, StoreError> {
        let taken = M::get_migration_models(connection).await?;
        let taken: BTreeSet<String> = taken.into_iter().map(|step| step.version).collect();
        let known: BTreeSet<String> = M::migrations().iter().map(|step| step.name().to_owned()).collect();
        Ok(Self {
            unknown: taken.difference(&known).cloned().collect(),
            pending: known.difference(&taken).cloned().collect(),
        })
    }
}
