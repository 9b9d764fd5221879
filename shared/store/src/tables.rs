//! The tables of a service as values: by these, rows are read and written without knowing what they mean.

use std::collections::BTreeSet;
use std::fmt::Write;

use crypto::Fingerprinter;
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, TryGetable, Value};

use crate::StoreError;

/// A table with a primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    columns: Vec<Column>,
    /// The columns of the primary key, in its order.
    key: Vec<Column>,
    /// The tables that its rows refer to.
    references: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    kind: Kind,
}

/// What a column holds, on both kinds of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Boolean,
    Double,
    Text,
    Bytes,
    Uuid,
}

impl Kind {
    /// That of a type as `SQLite` has it for a column; `None` for one that no migration uses.
    fn of(declared: &str) -> Option<Self> {
        let declared = declared.to_ascii_lowercase();
        Some(match declared.split('(').next().unwrap_or_default() {
            "integer" | "bigint" | "smallint" => Self::Integer,
            "boolean" => Self::Boolean,
            "double" => Self::Double,
            "text" | "varchar" | "char" => Self::Text,
            "blob" | "varbinary_blob" => Self::Bytes,
            "uuid_text" => Self::Uuid,
            _ => return None,
        })
    }
}

/// The tables of a `SQLite` database that are wanted, those first that others refer to.
///
/// # Errors
/// [`StoreError::Internal`] for a table that cannot be copied: it has no primary key, or a column of a type that is not known.
pub(crate) async fn describe(
    connection: &impl ConnectionTrait,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Table>, StoreError> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut tables = Vec::new();
    for row in query(connection, sql).await? {
        let name: String = row.try_get("", "name")?;
        if is_wanted(&name) {
            tables.push(table(connection, name).await?);
        }
    }
    in_order(tables)
}

async fn query(connection: &impl ConnectionTrait, sql: &str) -> Result<Vec<QueryResult>, StoreError> {
    Ok(connection.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?)
}

async fn table(connection: &impl ConnectionTrait, name: String) -> Result<Table, StoreError> {
    let (mut columns, mut key) = (Vec::new(), Vec::new());
    let sql = format!("SELECT name, type, pk FROM pragma_table_info({}) ORDER BY cid", text(&name));
    for row in query(connection, &sql).await? {
        let (column, declared): (String, String) = (row.try_get("", "name")?, row.try_get("", "type")?);
        let Some(kind) = Kind::of(&declared) else {
            let problem = format!("the column {column} of the table {name} is of the type {declared:?}");
            return Err(StoreError::internal(format!("{problem}, which cannot be copied")));
        };
        let column = Column { name: column, kind };
        let position: i64 = row.try_get("", "pk")?;
        if position > 0 {
            key.push((position, column.clone()));
        }
        columns.push(column);
    }
    key.sort_by_key(|(position, _)| *position);
    let key: Vec<_> = key.into_iter().map(|(_, column)| column).collect();
    if key.is_empty() {
        return Err(StoreError::internal(format!("the table {name} has no primary key and cannot be copied")));
    }
    let sql = format!("SELECT \"table\" AS target FROM pragma_foreign_key_list({})", text(&name));
    let rows = query(connection, &sql).await?;
    let references: Result<BTreeSet<String>, DbErr> = rows.iter().map(|row| row.try_get("", "target")).collect();
    Ok(Table { name, columns, key, references: references? })
}

/// Tables after those that they refer to.
fn in_order(mut tables: Vec<Table>) -> Result<Vec<Table>, StoreError> {
    let mut ordered: Vec<Table> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let is_ready = |table: &Table, waiting: &[Table]| {
            !waiting.iter().any(|other| other.name != table.name && table.references.contains(&other.name))
        };
        let (ready, waiting): (Vec<_>, Vec<_>) = tables.iter().cloned().partition(|table| is_ready(table, &tables));
        if ready.is_empty() {
            let names: Vec<_> = waiting.iter().map(|table| table.name.as_str()).collect();
            return Err(StoreError::internal(format!("the tables {} refer to one another", names.join(", "))));
        }
        ordered.extend(ready);
        tables = waiting;
    }
    Ok(ordered)
}

impl Table {
    /// Reads all rows in the order of the primary key, which is the same on both kinds of database: that of bytes.
    pub(crate) fn select(&self, backend: DbBackend) -> String {
        let is_postgres = backend == DbBackend::Postgres;
        let column = |column: &Column| match column.kind {
            Kind::Integer if is_postgres => format!("CAST({} AS bigint)", column.quoted()),
            _ => column.quoted(),
        };
        let table = quoted(&self.name);
        let part = |column: &Column| match column.kind {
            Kind::Text if is_postgres => format!("{table}.{} COLLATE \"C\"", column.quoted()),
            _ => format!("{table}.{}", column.quoted()),
        };
        let columns: Vec<_> = self.columns.iter().map(column).collect();
        let key: Vec<_> = self.key.iter().map(part).collect();
        format!("SELECT {} FROM {table} ORDER BY {}", columns.join(", "), key.join(", "))
    }

    /// Inserts so many rows.
    pub(crate) fn insert(&self, backend: DbBackend, rows: usize) -> String {
        let columns: Vec<_> = self.columns.iter().map(Column::quoted).collect();
        let mut sql = format!("INSERT INTO {} ({}) VALUES ", quoted(&self.name), columns.join(", "));
        let mut parameter = 0;
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..columns.len() {
                parameter += 1;
                let comma = if column == 0 { "" } else { ", " };
                let written = match backend {
                    DbBackend::Postgres => write!(sql, "{comma}${parameter}"),
                    _ => write!(sql, "{comma}?"),
                };
                written.expect("writing to a string cannot fail");
            }
            sql.push(')');
        }
        sql
    }

    /// Its name in SQL.
    pub(crate) fn quoted_name(&self) -> String {
        quoted(&self.name)
    }

    /// Removes all rows.
    pub(crate) fn delete(&self) -> String {
        format!("DELETE FROM {}", quoted(&self.name))
    }

    /// Answers with a row if there is one.
    pub(crate) fn any(&self) -> String {
        format!("SELECT 1 AS found FROM {} LIMIT 1", quoted(&self.name))
    }

    /// Moves the sequence of the primary key of a `PostgreSQL` table behind the rows that were inserted with their numbers; `None` for
    /// a table whose primary key is no number. Does nothing where there is no sequence.
    pub(crate) fn advance_sequence(&self) -> Option<String> {
        let [Column { name, kind: Kind::Integer }] = self.key.as_slice() else { return None };
        let (table, column) = (quoted(&self.name), quoted(name));
        Some(format!(
            "SELECT setval(name::regclass, (SELECT max({column}) FROM {table})) \
             FROM (SELECT pg_get_serial_sequence({}, {}) AS name) AS sequences \
             WHERE name IS NOT NULL AND EXISTS (SELECT 1 FROM {table})",
            text(&table),
            text(name)
        ))
    }

    /// How many columns it has.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    /// The checksum begins with the names and kinds of the columns.
    pub(crate) fn fingerprinter(&self) -> Fingerprinter {
        let mut fingerprinter = Fingerprinter::new();
        for Column { name, kind } in &self.columns {
            add_bytes(&mut fingerprinter, name.as_bytes());
            fingerprinter.update(&[*kind as u8]);
        }
        fingerprinter
    }

    /// The values of a row that [`select`](Self::select) has read, which are added to the checksum: each has one encoding, whatever the
    /// database.
    pub(crate) fn values(
        &self,
        row: &QueryResult,
        fingerprinter: &mut Fingerprinter,
    ) -> Result<Vec<Value>, StoreError> {
        let value = |(index, column): (usize, &Column)| column.kind.read(row, index, fingerprinter);
        self.columns.iter().enumerate().map(value).collect()
    }
}

impl Column {
    fn quoted(&self) -> String {
        quoted(&self.name)
    }
}

impl Kind {
    fn read(self, row: &QueryResult, index: usize, into: &mut Fingerprinter) -> Result<Value, StoreError> {
        Ok(match self {
            Self::Integer => cell::<i64>(row, index, into, |number, into| into.update(&number.to_be_bytes()))?.into(),
            Self::Boolean => cell::<bool>(row, index, into, |value, into| into.update(&[u8::from(*value)]))?.into(),
            // a column of SQLite does not tell 0.0 and -0.0 apart; their sum with 0.0 is 0.0
            Self::Double => {
                cell::<f64>(row, index, into, |number, into| into.update(&(number + 0.0).to_be_bytes()))?.into()
            }
            Self::Text => cell::<String>(row, index, into, |text, into| add_bytes(into, text.as_bytes()))?.into(),
            Self::Bytes => cell::<Vec<u8>>(row, index, into, |bytes, into| add_bytes(into, bytes))?.into(),
            Self::Uuid => cell::<Uuid>(row, index, into, |id, into| into.update(id.as_bytes()))?.into(),
        })
    }
}

/// Reads a value, and adds whether there is one and then the value itself to a checksum.
fn cell<T: TryGetable>(
    row: &QueryResult,
    index: usize,
    into: &mut Fingerprinter,
    add: impl FnOnce(&T, &mut Fingerprinter),
) -> Result<Option<T>, StoreError> {
    let value: Option<T> = row.try_get_by_index(index)?;
    into.update(&[u8::from(value.is_some())]);
    if let Some(value) = &value {
        add(value, into);
    }
    Ok(value)
}

/// Adds bytes after their length, so that no two lists of values are the same text.
fn add_bytes(into: &mut Fingerprinter, bytes: &[u8]) {
    into.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
    into.update(bytes);
}

/// A name in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, references: &[&str]) -> Table {
        let id = Column { name: "id".to_owned(), kind: Kind::Text };
        let references = references.iter().map(|&name| name.to_owned()).collect();
        Table { name: name.to_owned(), columns: vec![id.clone()], key: vec![id], references }
    }

    #[test]
    fn tables_follow_those_that_they_refer_to() {
        let tables = vec![named("a", &["c", "a"]), named("b", &["a"]), named("c", &[])];
        let ordered = in_order(tables).expect("there is an order");
        assert_eq!(ordered.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["c", "a", "b"]);
        let circle = in_order(vec![named("a", &["b"]), named("b", &["a"])]).expect_err("there is none");
        assert!(circle.to_string().contains("a, b"), "{circle}");
    }

    #[test]
    fn names_are_quoted() {
        let table = named("some \"groups\"", &[]);
        assert_eq!(
            table.insert(DbBackend::Postgres, 2),
            "INSERT INTO \"some \"\"groups\"\"\" (\"id\") VALUES ($1), ($2)"
        );
        assert_eq!(table.insert(DbBackend::Sqlite, 1), "INSERT INTO \"some \"\"groups\"\"\" (\"id\") VALUES (?)");
        assert!(table.select(DbBackend::Postgres).ends_with("\"\"\".\"id\" COLLATE \"C\""));
        assert_eq!(table.advance_sequence(), None);
    }
}
