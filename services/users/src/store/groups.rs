//! The part of [`SqlPeople`](super::SqlPeople) that is about groups.

use sea_orm::{
    ConnectionTrait, DbErr, QueryResult,
    sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement, SimpleExpr},
};
use store::{Database, StoreError};

use super::{GroupKey, Stretch, sql};
use crate::{Group, PeopleError, rules::fold};

pub(super) async fn find(database: &Database, key: GroupKey<'_>) -> Result<Option<Group>, PeopleError> {
    let condition = match key {
        GroupKey::Id(id) => Expr::col("id").eq(id),
        GroupKey::Name(name) => Expr::col("name_key").eq(&*fold(name)),
    };
    Ok(read(database, &groups().and_where(condition).take()).await?.pop())
}

pub(super) async fn search(database: &Database, text: &str, stretch: Stretch<'_>) -> Result<Vec<Group>, PeopleError> {
    Ok(read(database, &sql::along("name_key", stretch, groups()).cond_where(sql::contains("name_key", text)).take())
        .await?)
}

pub(super) async fn add(database: &Database, group: &Group) -> Result<(), StoreError> {
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
    database.run(|| async { Ok(database.connection().execute(&insert).await.map(drop)?) }).await
}

/// Gives a group another name; whether there is such a group.
pub(super) async fn rename(database: &Database, id: &str, name: &str) -> Result<bool, StoreError> {
    let update = Query::update()
        .table("groups")
        .value("name", name)
        .value("name_key", fold(name).into_owned())
        .and_where(Expr::col("id").eq(id))
        .take();
    database.run(|| async { Ok(database.connection().execute(&update).await?.rows_affected() > 0) }).await
}

pub(super) async fn add_member(database: &Database, group: &str, person: &str) -> Result<bool, PeopleError> {
    let insert = Query::insert()
        .into_table("memberships")
        .columns(["user_id", "group_id"])
        .values_panic([person.into(), group.into()])
        .on_conflict(OnConflict::columns(["user_id", "group_id"]).do_nothing().to_owned())
        .take();
    match database.run(|| async { Ok(database.connection().execute(&insert).await?) }).await {
        Ok(outcome) => Ok(outcome.rows_affected() > 0),
        // both were there when they were looked up: one has gone since
        Err(error) if error.is_missing_reference() => Err(PeopleError::NoSuchPerson),
        Err(error) => Err(error.into()),
    }
}

/// Deletes what the condition fits; how many rows that were.
pub(super) async fn delete(database: &Database, table: &'static str, condition: SimpleExpr) -> Result<u64, StoreError> {
    let delete = Query::delete().from_table(table).and_where(condition).take();
    database.run(|| async { Ok(database.connection().execute(&delete).await?.rows_affected()) }).await
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

async fn read(database: &Database, query: &SelectStatement) -> Result<Vec<Group>, StoreError> {
    let rows = database.run(|| async { Ok(database.reader().query_all(query).await?) }).await?;
    Ok(rows.iter().map(group).collect::<Result<_, _>>()?)
}

fn group(row: &QueryResult) -> Result<Group, DbErr> {
    Ok(Group {
        id: row.try_get("", "id")?,
        name: row.try_get("", "name")?,
        description: row.try_get("", "description")?,
        member_count: row.try_get::<i64>("", "member_count")?.unsigned_abs(),
    })
}
