//! The documents by which clients describe themselves, of those clients to which users have granted something.

pub(super) mod entity;

use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use sea_orm::sea_query::{Expr, OnConflict};
use store::StoreError;
use store::columns::{micros, time};

use super::Store;
use entity::{ActiveModel, Column, Entity};

/// A document, as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// `client_id`: its URL.
    pub id: String,
    /// The metadata as JSON.
    pub metadata: String,
    /// When it was fetched.
    pub fetched: SystemTime,
    /// When the client was last granted something, or its document was fetched again for a token.
    pub used: SystemTime,
}

impl Store {
    /// The document of a client.
    pub async fn client_document(&self, id: &str) -> Result<Option<StoredDocument>, StoreError> {
        let read = || async {
            // without a LIMIT, as SQLite plans a statement anew at each use whose LIMIT is a parameter
            let found = Entity::find_by_id(id).all(self.database.reader()).await?;
            Ok(found.into_iter().next())
        };
        let found = self.database.run(read).await?;
        Ok(found.map(|row| StoredDocument {
            id: row.id,
            metadata: row.metadata,
            fetched: time(row.fetched),
            used: time(row.used),
        }))
    }

    /// Stores the document of a client. It replaces the former one, unless that was fetched later, by another replica; a time that is in the
    /// future is that of a wrong clock, and does not count.
    pub async fn keep_client_document(&self, document: &StoredDocument) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(document.id.clone()),
            metadata: Set(document.metadata.clone()),
            fetched: Set(micros(document.fetched)),
            used: Set(micros(document.used)),
        };
        let newer = |column: &str| {
            Expr::cust(format!(
                "CASE WHEN excluded.fetched >= idp_client_documents.fetched OR idp_client_documents.fetched > excluded.used \
                 THEN excluded.{column} ELSE idp_client_documents.{column} END"
            ))
        };
        let conflict = OnConflict::column(Column::Id)
            .value(Column::Metadata, newer("metadata"))
            .value(Column::Fetched, newer("fetched"))
            .update_column(Column::Used)
            .to_owned();
        let write = || async {
            let insert = Entity::insert(row.clone()).on_conflict(conflict.clone());
            Ok(insert.exec_without_returning(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }
}
