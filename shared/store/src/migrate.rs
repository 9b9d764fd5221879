//! Brings the schema up to date while replicas of the previous and of the next version run.

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::sea_query::Query;
use sea_orm::{ConnectionTrait, SqlxPostgresConnector, TransactionOptions};
use sea_orm_migration::{IntoSchemaManagerConnection, MigratorTrait, SchemaManager};

use crate::connection::{Connection, Session};
use crate::{Database, Options, StoreError};

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
            let transaction = self.begin_as_writer().await?;
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
        let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(server.pool(&limits));
        let outcome = match server.session_with(&limits) {
            Session::Own => among_replicas(|| apply::<M, _>(&pool)).await,
            // in one transaction, which keeps the session
            session @ Session::PerTransaction(_) => {
                let connection = Connection::new(pool.clone(), session);
                among_replicas(|| apply_at_once::<M>(&connection)).await
            }
        };
        pool.close().await?;
        outcome
    }
}

/// Each migration is a transaction that ends by recording itself: of two replicas one fails, and finds it done when it
/// tries again.
async fn among_replicas<F>(apply: impl Fn() -> F) -> Result<(), StoreError>
where
    F: Future<Output = Result<(), StoreError>>,
{
    for attempt in 1..5 {
        match apply().await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::debug!(attempt, %error, "migrating is tried again"),
        }
        tokio::time::sleep(Duration::from_millis(100 * attempt)).await;
    }
    apply().await
}

async fn apply_at_once<M: MigratorTrait>(connection: &Connection) -> Result<(), StoreError> {
    let transaction = connection.begin(TransactionOptions::default()).await?;
    apply::<M, _>(&transaction).await?;
    Ok(transaction.commit().await?)
}

async fn apply<'c, M: MigratorTrait, C: ConnectionTrait>(connection: &'c C) -> Result<(), StoreError>
where
    &'c C: IntoSchemaManagerConnection<'c>,
{
    let History { unknown, pending } = History::read::<M, _>(connection).await?;
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
    /// Makes nothing, so that a role that may not CREATE can work with a schema that is up to date.
    async fn read<'c, M: MigratorTrait, C: ConnectionTrait>(connection: &'c C) -> Result<Self, StoreError>
    where
        &'c C: IntoSchemaManagerConnection<'c>,
    {
        let table = M::migration_table_name();
        let mut taken = BTreeSet::new();
        if SchemaManager::new(connection).has_table(table.to_string()).await? {
            let steps = Query::select().column("version").from(table).take();
            for row in connection.query_all(&steps).await? {
                taken.insert(row.try_get::<String>("", "version")?);
            }
        }
        let known: BTreeSet<String> = M::migrations().iter().map(|step| step.name().to_owned()).collect();
        Ok(Self {
            unknown: taken.difference(&known).cloned().collect(),
            pending: known.difference(&taken).cloned().collect(),
        })
    }
}
