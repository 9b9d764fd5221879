//! Groups and their members.

use sea_orm::{
    ConnectionTrait, DbErr, QueryResult,
    sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement, SimpleExpr},
};
use store::StoreError;

use super::users::{people, taken};
use super::{GroupKey, PageRange, UserStore, along, contains};
use crate::{Group, PeopleError, Person, rules::fold};

impl UserStore {
    /// The group that matches the key.
    pub(crate) async fn group(&self, key: GroupKey<'_>) -> Result<Option<Group>, PeopleError> {
        let condition = match key {
            GroupKey::Id(id) => Expr::col("id").eq(id),
            GroupKey::Name(name) => Expr::col("name_key").eq(&*fold(name)),
        };
        Ok(self.read_groups(&groups().and_where(condition).take()).await?.pop())
    }

    /// Groups in whose name the text stands, regardless of case.
    pub(crate) async fn groups(&self, text: &str, range: PageRange<'_>) -> Result<Vec<Group>, PeopleError> {
        let query = along("name_key", range, groups()).cond_where(contains("name_key", text)).take();
        Ok(self.read_groups(&query).await?)
    }

    /// Adds a group without members.
    pub(crate) async fn add_group(&self, group: &Group) -> Result<(), PeopleError> {
        let insert = Query::insert()
            .into_table("groups")
            .columns(["id", "name", "name_key", "description"])
            .values_panic([
                group.id.as_str().into(),
                group.name.as_str().into(),
                fold(&group.name).into_owned().into(),
                group.description.clone().into(),
            ])
            .take();
        let write = || async { Ok(self.database.connection().execute(&insert).await.map(drop)?) };
        self.database.run(write).await.map_err(taken)
    }

    /// Gives a group another name.
    pub(crate) async fn rename_group(&self, id: &str, name: &str) -> Result<(), PeopleError> {
        let update = Query::update()
            .table("groups")
            .value("name", name)
            .value("name_key", fold(name).into_owned())
            .and_where(Expr::col("id").eq(id))
            .take();
        let write = || async { Ok(self.database.connection().execute(&update).await?.rows_affected()) };
        match self.database.run(write).await.map_err(taken)? {
            0 => Err(PeopleError::NoSuchGroup),
            _ => Ok(()),
        }
    }

    /// Removes a group; its members stay.
    pub(crate) async fn remove_group(&self, id: &str) -> Result<(), PeopleError> {
        match self.delete("groups", Expr::col("id").eq(id)).await? {
            0 => Err(PeopleError::NoSuchGroup),
            _ => Ok(()),
        }
    }

    /// Adds a user to a group; `false` for a member.
    pub(crate) async fn add_member(&self, group: &str, user: &str) -> Result<bool, PeopleError> {
        let insert = Query::insert()
            .into_table("memberships")
            .columns(["user_id", "group_id"])
            .values_panic([user.into(), group.into()])
            .on_conflict(OnConflict::columns(["user_id", "group_id"]).do_nothing().to_owned())
            .take();
        match self.database.run(|| async { Ok(self.database.connection().execute(&insert).await?) }).await {
            Ok(outcome) => Ok(outcome.rows_affected() > 0),
            // both were there when they were looked up: one has gone since
            Err(error) if error.is_missing_reference() => Err(PeopleError::NoSuchPerson),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a user from a group; `false` for a user who is no member.
    pub(crate) async fn remove_member(&self, group: &str, user: &str) -> Result<bool, PeopleError> {
        let membership = Expr::col("group_id").eq(group).and(Expr::col("user_id").eq(user));
        Ok(self.delete("memberships", membership).await? > 0)
    }

    /// The members of a group.
    pub(crate) async fn members(&self, group: &str, range: PageRange<'_>) -> Result<Vec<Person>, PeopleError> {
        let members =
            Query::select().column("user_id").from("memberships").and_where(Expr::col("group_id").eq(group)).take();
        let query = along("username_key", range, people()).and_where(Expr::col("id").in_subquery(members)).take();
        self.read(query).await
    }

    async fn read_groups(&self, query: &SelectStatement) -> Result<Vec<Group>, StoreError> {
        let read = || async { Ok(self.database.reader().query_all(query).await?) };
        let rows = self.database.run(read).await?;
        Ok(rows.iter().map(group).collect::<Result<_, _>>()?)
    }
}

fn groups() -> SelectStatement {
    let members = Query::select()
        .expr(Expr::col("user_id").count())
        .from("memberships")
        .and_where(Expr::col("group_id").equals(("groups", "id")))
        .take();
    Query::select()
        .columns(["id", "name", "description"])
        .expr_as(SimpleExpr::SubQuery(None, Box::new(members.into())), "member_count")
        .from("groups")
        .take()
}

fn group(row: &QueryResult) -> Result<Group, DbErr> {
    Ok(Group {
        id: row.try_get("", "id")?,
        name: row.try_get("", "name")?,
        description: row.try_get("", "description")?,
        member_count: row.try_get::<i64>("", "member_count")?.unsigned_abs(),
    })
}
