//! Accounts in `SQLite` or `PostgreSQL`. What is acknowledged is durable.

mod entity;
mod rows;

use std::collections::BTreeMap;
use std::time::SystemTime;

use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use store::columns::{containing, micros};
use store::{Database, StoreError, Transaction};
use uuid::Uuid;

use crate::model::{Change, MAX_SECRETS, StoredAccount, StoredSecret, Use};
use entity::{account, secret};

/// The outcome of adding a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretAdded {
    /// It is durable.
    Done,
    /// The account has as many valid secrets as it may have; nothing was changed.
    Full,
    /// There is no such account.
    NoAccount,
}

/// Which accounts are listed.
#[derive(Debug, Clone, Default)]
pub struct Page<'a> {
    /// Only those whose identifier or display name contains this text, in upper or lower case.
    pub query: &'a str,
    /// The last identifier that is known already; empty for none.
    pub after: &'a str,
    /// How many at most.
    pub limit: u64,
}

/// The accounts in a database.
pub struct AccountStore(Database);

impl AccountStore {
    /// Those in this database, whose schema is up to date.
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    /// The account with this identifier and its secrets: one indexed read.
    pub async fn find(&self, id: &str) -> Result<Option<StoredAccount>, StoreError> {
        let read = || async {
            let query = account::Entity::find_by_id(id).find_with_related(secret::Entity);
            Ok(query.all(self.0.reader()).await?)
        };
        self.0.run(read).await?.into_iter().next().map(rows::account).transpose()
    }

    /// Accounts in the order of their identifiers.
    pub async fn list(&self, page: &Page<'_>) -> Result<Vec<StoredAccount>, StoreError> {
        let accounts = account::Entity::find()
            .filter(self.contains(page.query))
            .filter(account::Column::Id.gt(page.after))
            .order_by_asc(account::Column::Id)
            .limit(page.limit);
        let read = || async {
            let accounts = accounts.clone().all(self.0.reader()).await?;
            let ids = accounts.iter().map(|account| account.id.clone());
            let secrets = secret::Entity::find().filter(secret::Column::Account.is_in(ids));
            Ok((accounts, secrets.all(self.0.reader()).await?))
        };
        let (accounts, secrets) = self.0.run(read).await?;
        let mut of_accounts: BTreeMap<String, Vec<secret::Model>> = BTreeMap::new();
        for secret in secrets {
            of_accounts.entry(secret.account.clone()).or_default().push(secret);
        }
        let with_secrets = accounts.into_iter().map(|account| {
            let secrets = of_accounts.remove(&account.id).unwrap_or_default();
            rows::account((account, secrets))
        });
        with_secrets.collect()
    }

    /// Adds an account with its secrets; whether the identifier was free.
    pub async fn create(&self, account: &StoredAccount) -> Result<bool, StoreError> {
        let write = || async {
            let transaction = self.0.begin_serializable().await?;
            // secrets of an account that had the identifier before must never authenticate this one
            remove_secrets(&transaction, &account.id).await?;
            let row = rows::of_account(account);
            account::Entity::insert(row).exec_without_returning(&transaction).await?;
            for secret in &account.secrets {
                let row = rows::of_secret(&account.id, secret);
                secret::Entity::insert(row).exec_without_returning(&transaction).await?;
            }
            Ok(transaction.commit().await?)
        };
        match self.0.run(write).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_taken("service_accounts") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Changes something of an account; whether there is one.
    pub async fn update(&self, id: &str, change: &Change) -> Result<bool, StoreError> {
        let Change { display_name, scopes, disabled, expires } = change;
        let mut update = account::Entity::update_many().filter(account::Column::Id.eq(id));
        if let Some(name) = display_name {
            update = update.col_expr(account::Column::DisplayName, Expr::value(name.as_str()));
        }
        if let Some(scopes) = scopes {
            update = update.col_expr(account::Column::Scopes, Expr::value(rows::scopes(scopes)));
        }
        if let Some(disabled) = disabled {
            update = update.col_expr(account::Column::Disabled, Expr::value(*disabled));
        }
        if let Some(expires) = expires {
            update = update.col_expr(account::Column::Expires, Expr::value(expires.map(micros)));
        }
        let write = || async { Ok(update.clone().exec(self.0.connection()).await?.rows_affected > 0) };
        self.0.run(write).await
    }

    /// Deletes an account and its secrets; whether there was one.
    pub async fn delete(&self, id: &str) -> Result<bool, StoreError> {
        let write = || async {
            let transaction = self.0.begin_serializable().await?;
            remove_secrets(&transaction, id).await?;
            let deleted = account::Entity::delete_by_id(id).exec(&transaction).await?.rows_affected > 0;
            transaction.commit().await?;
            Ok(deleted)
        };
        self.0.run(write).await
    }

    /// Adds a secret, and removes those that have ended. With `others_end` the others end then, if not sooner.
    pub async fn add_secret(
        &self,
        id: &str,
        new: &StoredSecret,
        others_end: Option<SystemTime>,
        now: SystemTime,
    ) -> Result<SecretAdded, StoreError> {
        let of_account = || Condition::all().add(secret::Column::Account.eq(id));
        let write = || async {
            // of two that are added at the same time only one may be the second
            let transaction = self.0.begin_serializable().await?;
            if account::Entity::find_by_id(id).one(&transaction).await?.is_none() {
                return Ok(SecretAdded::NoAccount);
            }
            let ended = of_account().add(secret::Column::Expires.lte(micros(now)));
            secret::Entity::delete_many().filter(ended).exec(&transaction).await?;
            let count = secret::Entity::find().filter(of_account()).count(&transaction).await?;
            if usize::try_from(count).is_ok_and(|count| count >= MAX_SECRETS) {
                return Ok(SecretAdded::Full);
            }
            if let Some(end) = others_end.map(micros) {
                let later = secret::Column::Expires.is_null().or(secret::Column::Expires.gt(end));
                let update = secret::Entity::update_many()
                    .col_expr(secret::Column::Expires, Expr::value(end))
                    .filter(of_account().add(later));
                update.exec(&transaction).await?;
            }
            let row = rows::of_secret(id, new);
            secret::Entity::insert(row).exec_without_returning(&transaction).await?;
            transaction.commit().await?;
            Ok(SecretAdded::Done)
        };
        self.0.run(write).await
    }

    /// Removes a secret of an account; whether there was one.
    pub async fn remove_secret(&self, id: &str, secret: Uuid) -> Result<bool, StoreError> {
        let write = || async {
            let delete = secret::Entity::delete_by_id(secret).filter(secret::Column::Account.eq(id));
            Ok(delete.exec(self.0.connection()).await?.rows_affected > 0)
        };
        self.0.run(write).await
    }

    /// Writes uses down, in one transaction. What another replica has written stays where it is later.
    pub async fn write_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let write = || async {
            let transaction = self.0.begin_write().await?;
            for Use { account, secret, last_use } in uses {
                let at = micros(last_use.at);
                let earlier = secret::Column::Used.is_null().or(secret::Column::Used.lt(at));
                let of_secret = secret::Entity::update_many()
                    .col_expr(secret::Column::Used, Expr::value(at))
                    .filter(secret::Column::Id.eq(*secret))
                    .filter(earlier);
                of_secret.exec(&transaction).await?;
                let source = last_use.source.map(|source| source.to_string()).unwrap_or_default();
                let earlier = account::Column::Used.is_null().or(account::Column::Used.lt(at));
                let of_account = account::Entity::update_many()
                    .col_expr(account::Column::Used, Expr::value(at))
                    .col_expr(account::Column::UsedFrom, Expr::value(source))
                    .col_expr(account::Column::UsedBy, Expr::value(last_use.user_agent.as_str()))
                    .filter(account::Column::Id.eq(account.as_str()))
                    .filter(earlier);
                of_account.exec(&transaction).await?;
            }
            Ok(transaction.commit().await?)
        };
        self.0.run(write).await
    }

    /// The text is somewhere in the identifier or the display name.
    fn contains(&self, text: &str) -> Condition {
        if text.is_empty() {
            return Condition::all();
        }
        let text = self.0.lower(text);
        let like = |column: account::Column| {
            Expr::expr(Func::lower(Expr::col((account::Entity, column)))).like(containing(&text))
        };
        Condition::any().add(like(account::Column::Id)).add(like(account::Column::DisplayName))
    }
}

async fn remove_secrets(transaction: &Transaction, account: &str) -> Result<(), StoreError> {
    let secrets = secret::Entity::delete_many().filter(secret::Column::Account.eq(account));
    secrets.exec(transaction).await?;
    Ok(())
}
