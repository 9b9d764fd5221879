//! Pushed requests (RFC 9126).

use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use store::StoreError;

use super::Store;
use super::entity::pushed;
use super::rows::micros;

impl Store {
    /// Keeps a pushed request under the SHA-256 of its name.
    pub async fn push_request(
        &self,
        digest: [u8; 32],
        client: &str,
        request: &str,
        expires: SystemTime,
    ) -> Result<(), StoreError> {
        let row = pushed::ActiveModel {
            digest: Set(digest.to_vec()),
            client: Set(client.to_owned()),
            request: Set(request.to_owned()),
            expires: Set(micros(expires)),
        };
        let write = || async {
            let insert = pushed::Entity::insert(row.clone());
            Ok(insert.exec_without_returning(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }

    /// Takes it out: once, and only for this client. Atomic; another client's try does not use it up.
    pub async fn take_request(
        &self,
        digest: [u8; 32],
        client: &str,
        now: SystemTime,
    ) -> Result<Option<String>, StoreError> {
        let delete = pushed::Entity::delete_many()
            .filter(pushed::Column::Digest.eq(digest.to_vec()))
            .filter(pushed::Column::Client.eq(client))
            .filter(pushed::Column::Expires.gt(micros(now)));
        let write = || async {
            let taken = delete.clone().exec_with_returning(self.database.connection()).await?;
            Ok(taken.into_iter().next().map(|row| row.request))
        };
        self.database.run(write).await
    }
}
