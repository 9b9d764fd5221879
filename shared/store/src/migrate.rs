//! Brings the schema up to date while replicas of the previous and of the next version run.

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::sea_query::Query;
use sea_orm::{ConnectionTrait, DynIden, SqlxPostgresConnector, TransactionOptions};
use sea_orm_migration::{IntoSchemaManagerConnection, MigrationTrait, MigratorTrait, MigratorTraitSelf, SchemaManager};

use crate::connection::{Connection, Session};
use crate::sqlite::explained;
use crate::{Database, Options, StoreError};

/// The migrations of a service, in order, and the table of those that a database has taken.
#[derive(Clone, Copy)]
pub struct Migrations {
    steps: fn() -> Vec<Box<dyn MigrationTrait>>,
    history: fn() -> DynIden,
}

impl Migrations {
    /// Those of a migrator.
    pub const fn of<M: MigratorTrait>() -> Self {
        Self { steps: M::migrations, history: M::migration_table_name }
    }

    /// The names of all steps, in order.
    pub fn names(self) -> Vec<String> {
        (self.steps)().iter().map(|step| step.name().to_owned()).collect()
    }

    /// The name of the history table.
    pub(crate) fn history(self) -> String {
        (self.history)().to_string()
    }
}

impl MigratorTraitSelf for Migrations {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        (self.steps)()
    }

    fn migration_table_name(&self) -> DynIden {
        (self.history)()
    }
}

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
        self.bring_up_to_date(Migrations::of::<M>()).await
    }

    /// The same with the migrations as a value.
    ///
    /// # Errors
    /// As of [`migrate`](Self::migrate).
    pub async fn bring_up_to_date(&self, migrations: Migrations) -> Result<(), StoreError> {
        let Some(server) = self.server() else {
            let file = self.file().filter(|file| !file.as_os_str().is_empty());
            let outcome = self.bring_file_up_to_date(migrations).await;
            // it is the first write
            return outcome.map_err(|error| match file {
                Some(file) => explained(error, file),
                None => error,
            });
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
            Session::Own => among_replicas(|| apply(migrations, &pool)).await,
            // in one transaction, which keeps the session
            session @ Session::PerTransaction(_) => {
                let connection = Connection::new(pool.clone(), session);
                among_replicas(|| apply_at_once(migrations, &connection)).await
            }
        };
        pool.close().await?;
        outcome
    }

    async fn bring_file_up_to_date(&self, migrations: Migrations) -> Result<(), StoreError> {
        // what is interrupted leaves nothing half done, which could not be begun again
        let transaction = self.begin_as_writer().await?;
        apply(migrations, &transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// How far the schema is; changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database cannot be read.
    pub async fn schema_status(&self, migrations: Migrations) -> Result<SchemaStatus, StoreError> {
        let transaction = self.reader().begin(TransactionOptions::default()).await?;
        SchemaStatus::read(migrations, &transaction).await
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

async fn apply_at_once(migrations: Migrations, connection: &Connection) -> Result<(), StoreError> {
    let transaction = connection.begin(TransactionOptions::default()).await?;
    apply(migrations, &transaction).await?;
    Ok(transaction.commit().await?)
}

async fn apply<'c, C: ConnectionTrait>(migrations: Migrations, connection: &'c C) -> Result<(), StoreError>
where
    &'c C: IntoSchemaManagerConnection<'c>,
{
    let SchemaStatus { newer, pending, .. } = SchemaStatus::read(migrations, connection).await?;
    // the migrator itself takes any step that it does not know for a fault
    match (newer.as_slice(), pending.as_slice()) {
        ([], []) => Ok(()),
        ([], _) => Ok(migrations.up(connection, None).await?),
        (newer, []) => {
            let newer = newer.join(", ");
            tracing::warn!(
                newer,
                "the schema of the database is that of a newer version, which this one can work with"
            );
            Ok(())
        }
        (newer, pending) => Err(StoreError::internal(format!(
            "its schema has gone another way: it holds {}, which this version does not know, and lacks {}",
            newer.join(", "),
            pending.join(", ")
        ))),
    }
}

/// What is different between the steps that a database has taken and those that are known here, each in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStatus {
    /// Whether no step was ever taken: the service has nothing there.
    pub is_absent: bool,
    /// Steps that are still to be taken.
    pub pending: Vec<String>,
    /// Steps of a newer version, which are not known here.
    pub newer: Vec<String>,
}

impl SchemaStatus {
    /// That of a database that does not exist.
    pub fn absent(migrations: Migrations) -> Self {
        Self { is_absent: true, pending: migrations.names(), newer: Vec::new() }
    }

    /// Makes nothing, so that a role that may not CREATE can work with a schema that is up to date.
    pub(crate) async fn read<'c, C: ConnectionTrait>(
        migrations: Migrations,
        connection: &'c C,
    ) -> Result<Self, StoreError>
    where
        &'c C: IntoSchemaManagerConnection<'c>,
    {
        let table = migrations.migration_table_name();
        let mut taken = BTreeSet::new();
        if SchemaManager::new(connection).has_table(table.to_string()).await? {
            let steps = Query::select().column("version").from(table).take();
            for row in connection.query_all(&steps).await? {
                taken.insert(row.try_get::<String>("", "version")?);
            }
        }
        let known: BTreeSet<String> = migrations.names().into_iter().collect();
        Ok(Self {
            is_absent: taken.is_empty(),
            pending: known.difference(&taken).cloned().collect(),
            newer: taken.difference(&known).cloned().collect(),
        })
    }
}
