//! When the passwords of users in LDAP were changed here: a row for each user who has done that. LDAP has nothing for it that every
//! server supports.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use bounded_cache::MIB;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use store::columns::{micros, time};
use store::{Database, Recent, StoreError};

/// The bound of what is known while the database is away, in bytes.
const RECENT: u64 = MIB;

/// The times of password changes, by the identifier of the user.
pub(crate) struct LdapPasswordChanges {
    database: Database,
    /// The epoch for users without a change.
    recent: Recent<SystemTime>,
}

impl LdapPasswordChanges {
    /// Those in this database, whose schema is up to date.
    pub(crate) fn new(database: Database) -> Self {
        Self { database, recent: Recent::new(RECENT) }
    }

    /// When the password of a user was last changed here.
    pub(crate) async fn of(&self, user_id: &str) -> Result<Option<SystemTime>, StoreError> {
        let query = Query::select()
            .columns(["user_id", "changed"])
            .from("ldap_password_changes")
            .and_where(Expr::col("user_id").eq(user_id))
            .take();
        let read = || async { Ok(self.database.reader().query_one(&query).await?.as_ref().map(row).transpose()?) };
        let changed = async { Ok(Some(self.database.run(read).await?.map_or(UNIX_EPOCH, |(_, changed)| changed))) };
        let changed = self.recent.read(user_id, changed).await?;
        Ok(changed.filter(|changed| *changed > UNIX_EPOCH))
    }

    /// The same of several users.
    pub(crate) async fn of_all(&self, user_ids: &[&str]) -> Result<HashMap<String, SystemTime>, StoreError> {
        if user_ids.is_empty() {
            return Ok(HashMap::new());
        }
        let query = Query::select()
            .columns(["user_id", "changed"])
            .from("ldap_password_changes")
            .and_where(Expr::col("user_id").is_in(user_ids.iter().copied()))
            .take();
        let read = || async { Ok(self.database.reader().query_all(&query).await?) };
        let rows = self.database.run(read).await?;
        Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
    }

    /// Notes a change at a time, unless a later one is noted already. One that lies in the future of `now`, as the clock was
    /// corrected since, is followed by this one directly.
    pub(crate) async fn note(&self, user_id: &str, at: SystemTime, now: SystemTime) -> Result<(), StoreError> {
        let _forgetting = self.recent.forgetting(Some(user_id.to_owned()));
        let (at, now) = (micros(at), micros(now));
        // one statement, so that of two changes at the same time the later one stays, whichever is written last
        let noted = Expr::col(("ldap_password_changes", "changed"));
        let latest =
            Expr::case(noted.clone().gt(now), noted.clone().add(1)).case(noted.clone().gt(at), noted).finally(at);
        let insert = Query::insert()
            .into_table("ldap_password_changes")
            .columns(["user_id", "changed"])
            .values_panic([user_id.into(), at.into()])
            .on_conflict(OnConflict::column("user_id").value("changed", latest).to_owned())
            .take();
        self.database.run(|| async { Ok(self.database.connection().execute(&insert).await.map(drop)?) }).await
    }
}

fn row(row: &QueryResult) -> Result<(String, SystemTime), DbErr> {
    Ok((row.try_get("", "user_id")?, time(row.try_get("", "changed")?)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use store::testing::{self, Cluster};

    use super::*;
    use crate::migration::Migrator;

    async fn later_change_stays(database: Database) {
        database.migrate::<Migrator>().await.expect("the schema");
        let changes = LdapPasswordChanges::new(database);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(changes.of("einstein").await.expect("reads"), None);
        changes.note("einstein", at(1_000), at(1_000)).await.expect("writes");
        assert_eq!(changes.of("einstein").await.expect("reads"), Some(at(1_000)));
        changes.note("einstein", at(900), at(1_001)).await.expect("writes");
        assert_eq!(changes.of("einstein").await.expect("reads"), Some(at(1_000)), "an earlier one changes nothing");
        changes.note("einstein", at(500), at(500)).await.expect("writes");
        let corrected = at(1_000) + Duration::from_micros(1);
        assert_eq!(changes.of("einstein").await.expect("reads"), Some(corrected), "the clock was ahead");
        changes.note("marie", at(2_000), at(2_000)).await.expect("writes");
        let all = changes.of_all(&["einstein", "marie", "lise"]).await.expect("reads");
        assert_eq!(all, HashMap::from([("einstein".to_owned(), corrected), ("marie".to_owned(), at(2_000))]));
        assert!(changes.of_all(&[]).await.expect("reads").is_empty());
    }

    #[tokio::test]
    async fn later_change_stays_in_sqlite() {
        later_change_stays(testing::sqlite().open().await).await;
    }

    #[tokio::test]
    async fn later_change_stays_in_postgres() {
        let Some(cluster) = Cluster::start().await else { return };
        later_change_stays(cluster.fresh_database().await.open().await).await;
    }
}
