//! Pushed requests (RFC 9126).

use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use store::StoreError;
use store::columns::micros;

use super::Store;
use super::entity::{once, pushed};

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

    /// Reads it, for this client only. It stays until it is answered or has expired.
    pub async fn pushed_request(
        &self,
        digest: [u8; 32],
        client: &str,
        now: SystemTime,
    ) -> Result<Option<String>, StoreError> {
        let query = pushed::Entity::find_by_id(digest.to_vec())
            .filter(pushed::Column::Client.eq(client))
            .filter(pushed::Column::Expires.gt(micros(now)));
        let read = || async {
            let found = query.clone().all(self.database.connection()).await?;
            Ok(found.into_iter().next().map(|row| row.request))
        };
        self.database.run(read).await
    }

    /// Uses it up, as its answer is issued; `false` if it was used up before. Atomic over all replicas. The mark is kept until
    /// `kept`, by when no flow that began with the request can go on.
    pub async fn use_up_request(&self, digest: [u8; 32], kept: SystemTime) -> Result<bool, StoreError> {
        let mark = once::ActiveModel { digest: Set(digest.to_vec()), expires: Set(micros(kept)) };
        let conflict = OnConflict::column(once::Column::Digest).do_nothing().to_owned();
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let mark = once::Entity::insert(mark.clone()).on_conflict(conflict.clone());
            let is_first = mark.exec_without_returning(&transaction).await? > 0;
            pushed::Entity::delete_by_id(digest.to_vec()).exec(&transaction).await?;
            transaction.commit().await?;
            Ok(is_first)
        };
        self.database.run(write).await
    }
}
