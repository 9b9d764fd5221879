//! Users and groups in `SQLite` or `PostgreSQL`.

mod changes;
mod groups;
mod ldap_password_changes;
mod mail_change;
mod profiles;
mod users;

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, IntoCondition, Order, Query, SelectStatement, SimpleExpr};
use store::columns::containing;
use store::{Database, StoreError};

use crate::rules::fold;

pub(crate) use changes::UserChange;
pub(crate) use ldap_password_changes::LdapPasswordChanges;

/// By what people are looked for. Names and addresses are compared as logins are (RFC 8265): regardless of case, width and
/// composition.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    Id(&'a str),
    Username(&'a str),
    Mail(&'a str),
    UidNumber(i64),
    GidNumber(i64),
}

/// By what a group is looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GroupKey<'a> {
    Id(&'a str),
    Name(&'a str),
}

/// A page of a list in the order of names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageRange<'a> {
    /// The folded name after which it begins; empty to begin at the first.
    pub(crate) after: &'a str,
    /// The most entries.
    pub(crate) limit: u64,
}

/// Users and groups. A method that writes is atomic and on disk when it returns.
pub(crate) struct UserStore {
    database: Database,
}

impl UserStore {
    /// Those in this database, whose schema is up to date.
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Deletes the rows of a table that match the condition; returns their number.
    async fn delete(&self, table: &'static str, condition: SimpleExpr) -> Result<u64, StoreError> {
        let delete = Query::delete().from_table(table).and_where(condition).take();
        self.database.run(|| async { Ok(self.database.connection().execute(&delete).await?.rows_affected()) }).await
    }
}

/// In the order of a unique column, so that a page begins exactly where the one before ended.
fn along(column: &'static str, range: PageRange<'_>, mut query: SelectStatement) -> SelectStatement {
    query.and_where(Expr::col(column).gt(range.after)).order_by(column, Order::Asc).limit(range.limit).take()
}

/// The text is somewhere in the column, regardless of case.
fn contains(column: &'static str, text: &str) -> impl IntoCondition {
    Expr::col(column).like(containing(&fold(text)))
}
