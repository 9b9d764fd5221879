//! What is sealed: secrets of the installation itself, and what was sealed under a secret that was exchanged since.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use store::StoreError;

use super::Store;
use super::entity::{client, key, secret};

impl Store {
    /// The secret of this name; `sealed` is kept as that if there is none. Of any number of replicas one is the first.
    pub async fn secret(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let row = secret::ActiveModel { name: Set(name.to_owned()), sealed: Set(sealed.to_vec()) };
        let conflict = OnConflict::column(secret::Column::Name).do_nothing().to_owned();
        let write = || async {
            let connection = self.database.connection();
            let insert = secret::Entity::insert(row.clone()).on_conflict(conflict.clone());
            insert.exec_without_returning(connection).await?;
            Ok(secret::Entity::find_by_id(name).all(connection).await?.into_iter().next())
        };
        let found = self.database.run(write).await?;
        found.map(|row| row.sealed).ok_or_else(|| StoreError::internal("a secret is gone that was just there"))
    }

    /// Puts another sealed form of a secret in the place of `former`, if that is still there.
    pub async fn reseal_secret(&self, name: &str, former: &[u8], sealed: &[u8]) -> Result<(), StoreError> {
        let update = secret::Entity::update_many()
            .col_expr(secret::Column::Sealed, Expr::value(sealed.to_vec()))
            .filter(secret::Column::Name.eq(name))
            .filter(secret::Column::Sealed.eq(former.to_vec()));
        self.database.run(|| async { Ok(update.clone().exec(self.database.connection()).await.map(drop)?) }).await
    }

    /// The same for a signing key.
    pub async fn reseal_key(&self, kid: &str, former: &[u8], sealed: &[u8]) -> Result<(), StoreError> {
        let update = key::Entity::update_many()
            .col_expr(key::Column::Sealed, Expr::value(sealed.to_vec()))
            .filter(key::Column::Kid.eq(kid))
            .filter(key::Column::Sealed.eq(former.to_vec()));
        self.database.run(|| async { Ok(update.clone().exec(self.database.connection()).await.map(drop)?) }).await
    }

    /// The same for the secret of a client.
    pub async fn reseal_client(&self, id: &str, former: &[u8], sealed: &[u8]) -> Result<(), StoreError> {
        let update = client::Entity::update_many()
            .col_expr(client::Column::SealedSecret, Expr::value(sealed.to_vec()))
            .filter(client::Column::Id.eq(id))
            .filter(client::Column::SealedSecret.eq(former.to_vec()));
        self.database.run(|| async { Ok(update.clone().exec(self.database.connection()).await.map(drop)?) }).await
    }
}
