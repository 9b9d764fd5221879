//! Migrations that are lists of tables, columns and indexes.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{blob, text};

/// A migration that makes changes one after the other, in one transaction.
pub struct Migration {
    name: &'static str,
    changes: fn() -> Vec<Change>,
}

impl Migration {
    /// `name` is what the history table records: it never changes.
    pub fn boxed(name: &'static str, changes: fn() -> Vec<Change>) -> Box<dyn MigrationTrait> {
        Box::new(Self { name, changes })
    }
}

/// One change of a schema.
#[derive(Debug)]
pub enum Change {
    /// Creates a table.
    Table(Box<TableCreateStatement>),
    /// Adds a column to a table.
    Column(TableAlterStatement),
    /// Creates an index.
    Index(IndexCreateStatement),
    /// Runs a statement.
    Sql(&'static str),
}

impl From<TableCreateStatement> for Change {
    fn from(table: TableCreateStatement) -> Self {
        Self::Table(Box::new(table))
    }
}

/// Creates a table with these columns.
pub fn table(name: &'static str, columns: impl IntoIterator<Item = ColumnDef>) -> Change {
    let mut table = Table::create().table(name).to_owned();
    for column in columns {
        table.col(column);
    }
    table.into()
}

/// Adds a column to a table. The version before does not write it: it is nullable or has a default.
pub fn column(table: &'static str, column: ColumnDef) -> Change {
    Change::Column(Table::alter().table(table).add_column(column).to_owned())
}

/// Creates an index over columns of a table.
pub fn index<const N: usize>(name: &'static str, table: &'static str, columns: [&'static str; N]) -> Change {
    Change::Index(index_over(name, table, columns))
}

/// Creates an index over columns of a table that no two rows share.
pub fn unique_index<const N: usize>(name: &'static str, table: &'static str, columns: [&'static str; N]) -> Change {
    Change::Index(index_over(name, table, columns).unique().to_owned())
}

/// A text that is the primary key.
pub fn pk_text(name: &'static str) -> ColumnDef {
    text(name).primary_key().to_owned()
}

/// Bytes that are the primary key.
pub fn pk_blob(name: &'static str) -> ColumnDef {
    blob(name).primary_key().to_owned()
}

fn index_over<const N: usize>(
    name: &'static str,
    table: &'static str,
    columns: [&'static str; N],
) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).to_owned();
    for column in columns {
        index.col(column);
    }
    index
}

impl MigrationName for Migration {
    fn name(&self) -> &str {
        self.name
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's method leaves the lifetime out, and so must its implementation"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Also on `SQLite`: a start that is interrupted leaves nothing half done.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for change in (self.changes)() {
            match change {
                Change::Table(table) => manager.create_table(*table).await?,
                Change::Column(column) => manager.alter_table(column).await?,
                Change::Index(index) => manager.create_index(index).await?,
                Change::Sql(sql) => {
                    manager.get_connection().execute_unprepared(sql).await?;
                }
            }
        }
        Ok(())
    }
}
