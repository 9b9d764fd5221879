//! Names and addresses in prepared form (RFC 8265), so that no new one is a variant of one that was stored before they had to be
//! prepared.

use std::collections::HashMap;

use authn::Login;
use sea_orm::ConnectionTrait;
use sea_orm_migration::{prelude::*, schema};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[expect(elided_lifetimes_in_paths, reason = "async_trait needs the lifetimes as the trait has them")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Also on `SQLite`: a start that is interrupted leaves nothing half done.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for [name, key, prepared] in
            [["username", "username_key", "username_prepared"], ["mail", "mail_key", "mail_prepared"]]
        {
            // absent for what cannot be prepared, for variants of another user's, and for what the version before writes
            let column = schema::text_null(prepared);
            manager.alter_table(Table::alter().table("people").add_column(column).to_owned()).await?;
            fill(manager, [name, key, prepared]).await?;
            let index =
                Index::create().name(format!("people_{prepared}")).table("people").col(prepared).unique().to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// Most keys are the prepared form: those are copied by the database, and the others corrected one by one.
async fn fill(manager: &SchemaManager<'_>, [name, key, prepared]: [&'static str; 3]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    connection.execute(&Query::update().table("people").value(prepared, Expr::col(key)).take()).await?;
    let names = Query::select()
        .columns(["id", name, key])
        .from("people")
        .and_where(Expr::col(key).is_not_null())
        .order_by("id", Order::Asc)
        .take();
    let (mut taken, mut others) = (HashMap::new(), Vec::new());
    for row in connection.query_all(&names).await? {
        let (id, name, key): (String, String, String) =
            (row.try_get("", "id")?, row.try_get("", name)?, row.try_get("", key)?);
        match Login::new(&name).prepared() {
            Some(prepared) if prepared == key => drop(taken.insert(key, id)),
            other => others.push((id, other.map(str::to_owned))),
        }
    }
    for (id, form) in others {
        let owner = form.as_ref().and_then(|form| taken.get(form));
        if let Some(owner) = owner {
            tracing::warn!(
                user = id,
                other = owner,
                column = name,
                "the names of two users differ only in composition or width; give one of them another (doorward user)"
            );
        }
        let form = form.filter(|_| owner.is_none());
        let is_it = Expr::col("id").eq(id.as_str());
        connection
            .execute(&Query::update().table("people").value(prepared, form.clone()).and_where(is_it).take())
            .await?;
        taken.extend(form.map(|form| (form, id)));
    }
    Ok(())
}
