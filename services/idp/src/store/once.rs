//! What may be seen only once.

use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use sea_orm::sea_query::OnConflict;
use store::StoreError;
use store::columns::micros;

use super::Store;
use super::entity::once;

impl Store {
    /// Whether this is seen for the first time (assertions, proofs): atomic over all replicas.
    pub async fn first_time(&self, digest: [u8; 32], expires: SystemTime) -> Result<bool, StoreError> {
        let row = once::ActiveModel { digest: Set(digest.to_vec()), expires: Set(micros(expires)) };
        let conflict = OnConflict::column(once::Column::Digest).do_nothing().to_owned();
        let write = || async {
            let insert = once::Entity::insert(row.clone()).on_conflict(conflict.clone());
            Ok(insert.exec_without_returning(self.database.connection()).await? > 0)
        };
        self.database.run(write).await
    }

    /// Forgets that this was seen, so that it is seen for the first time once more.
    pub async fn forget(&self, digest: [u8; 32]) -> Result<(), StoreError> {
        let write = || async {
            let delete = once::Entity::delete_by_id(digest.to_vec());
            Ok(delete.exec(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }
}
