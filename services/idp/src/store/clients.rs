//! Clients, and the tokens by which they register themselves.

use std::collections::BTreeSet;
use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use store::columns::{micros, time};
use store::{StoreError, Transaction};
use uuid::Uuid;

use super::documents::entity as document;
use super::entity::{client, consent, grant, initial_access};
use super::{Store, families, revocations, versions};

/// A client as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredClient {
    /// `client_id`
    pub id: String,
    /// Whether it has registered itself; else an administrator has added it.
    pub registered: bool,
    /// Its metadata as JSON (RFC 7591 2, and ours), without secrets.
    pub metadata: String,
    /// SHA-256 of its secrets, the newest first: 32 bytes each, followed by 8 bytes of the second it ends at (0 is never).
    pub secrets: Vec<u8>,
    /// The secret, sealed, where it has to be known.
    pub sealed_secret: Option<Vec<u8>>,
    /// SHA-256 of the token by which it is managed.
    pub management: Option<Vec<u8>>,
    /// When it was added.
    pub created: SystemTime,
}

/// What came of changing a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientChange {
    /// It is changed.
    Done,
    /// It is not as it was read any more, and stays as it is now.
    Concurrent,
    /// It is gone.
    Gone,
}

impl Store {
    /// All clients that are kept, by identifier.
    pub async fn clients(&self) -> Result<Vec<StoredClient>, StoreError> {
        let read =
            || async { Ok(client::Entity::find().order_by_asc(client::Column::Id).all(self.database.reader()).await?) };
        Ok(self.database.run(read).await?.into_iter().map(client).collect())
    }

    /// One client.
    pub async fn client(&self, id: &str) -> Result<Option<StoredClient>, StoreError> {
        let read = || async {
            // without a LIMIT, as SQLite plans a statement anew at each use whose LIMIT is a parameter
            let found = client::Entity::find_by_id(id).all(self.database.reader()).await?;
            Ok(found.into_iter().next())
        };
        Ok(self.database.run(read).await?.map(client))
    }

    /// Adds a client.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if its id is taken.
    pub async fn add_client(&self, client: &StoredClient) -> Result<(), StoreError> {
        let row = row(client);
        let write = || async {
            let transaction = self.database.begin_write().await?;
            client::Entity::insert(row.clone()).exec_without_returning(&transaction).await?;
            versions::count(&transaction).await?;
            Ok(transaction.commit().await?)
        };
        self.database.run(write).await?;
        self.changed();
        Ok(())
    }

    /// Changes the metadata and secrets of a client that is still as it was `before`: of two changes at the same time neither undoes the
    /// other.
    pub async fn change_client(
        &self,
        before: &StoredClient,
        changed: &StoredClient,
    ) -> Result<ClientChange, StoreError> {
        let update = client::Entity::update_many()
            .col_expr(client::Column::Metadata, Expr::value(&*changed.metadata))
            .col_expr(client::Column::Secrets, Expr::value(changed.secrets.clone()))
            .col_expr(client::Column::SealedSecret, Expr::value(changed.sealed_secret.clone()))
            .filter(client::Column::Id.eq(&*before.id));
        let write = || async {
            let transaction = self.database.begin_serializable().await?;
            let found = client::Entity::find_by_id(&*before.id).all(&transaction).await?;
            let Some(now) = found.into_iter().next().map(client) else { return Ok(ClientChange::Gone) };
            if now != *before {
                return Ok(ClientChange::Concurrent);
            }
            update.clone().exec(&transaction).await?;
            versions::count(&transaction).await?;
            transaction.commit().await?;
            Ok(ClientChange::Done)
        };
        let outcome = self.database.run(write).await?;
        if outcome == ClientChange::Done {
            self.changed();
        }
        Ok(outcome)
    }

    /// Removes a client, its consents, and ends its grants; whether there was one.
    pub async fn remove_client(&self, id: &str, until: SystemTime, now: SystemTime) -> Result<bool, StoreError> {
        let write = || async {
            let transaction = self.database.begin_write().await?;
            if client::Entity::delete_by_id(id).exec(&transaction).await?.rows_affected == 0 {
                return Ok(None);
            }
            let ended = revoke_grants(&transaction, id, until, now).await?;
            versions::count(&transaction).await?;
            transaction.commit().await?;
            Ok(Some(ended))
        };
        let Some(ended) = self.database.run(write).await? else { return Ok(false) };
        self.revoked(&ended, until);
        self.changed();
        Ok(true)
    }

    /// Removes the consents of a client and ends its grants, as [`remove_client`](Self::remove_client) does: of one that is not in the
    /// database.
    pub async fn revoke_grants_of_client(
        &self,
        id: &str,
        until: SystemTime,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let ended = revoke_grants(&transaction, id, until, now).await?;
            transaction.commit().await?;
            Ok(ended)
        };
        let ended = self.database.run(write).await?;
        self.revoked(&ended, until);
        Ok(())
    }

    /// The clients that users have granted something before this moment, and that the database does not have, nor a document of: those of
    /// other sources, and those of none.
    pub async fn clients_only_in_grants(&self, before: SystemTime) -> Result<BTreeSet<String>, StoreError> {
        let stored = || Query::select().column(client::Column::Id).from(client::Entity).to_owned();
        let described = || Query::select().column(document::Column::Id).from(document::Entity).to_owned();
        let of_grants = grant::Entity::find()
            .select_only()
            .column(grant::Column::Client)
            .distinct()
            .filter(grant::Column::Created.lt(micros(before)))
            .filter(grant::Column::Client.not_in_subquery(stored()))
            .filter(grant::Column::Client.not_in_subquery(described()));
        let of_consents = consent::Entity::find()
            .select_only()
            .column(consent::Column::Client)
            .distinct()
            .filter(consent::Column::Given.lt(micros(before)))
            .filter(consent::Column::Client.not_in_subquery(stored()))
            .filter(consent::Column::Client.not_in_subquery(described()));
        let read = || async {
            let mut clients: Vec<String> = of_grants.clone().into_tuple().all(self.database.reader()).await?;
            clients.extend(of_consents.clone().into_tuple::<String>().all(self.database.reader()).await?);
            Ok(clients)
        };
        Ok(self.database.run(read).await?.into_iter().collect())
    }

    /// Adds an initial access token (SHA-256), good for `uses` registrations.
    pub async fn add_initial_access(&self, digest: [u8; 32], uses: u32, expires: SystemTime) -> Result<(), StoreError> {
        let row = initial_access::ActiveModel {
            digest: Set(digest.to_vec()),
            uses: Set(i64::from(uses)),
            expires: Set(micros(expires)),
        };
        let write = || async {
            let insert = initial_access::Entity::insert(row.clone());
            Ok(insert.exec_without_returning(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }

    /// Uses one up; whether it was good. Atomic.
    pub async fn use_initial_access(&self, digest: [u8; 32], now: SystemTime) -> Result<bool, StoreError> {
        let update = initial_access::Entity::update_many()
            .col_expr(initial_access::Column::Uses, Expr::col(initial_access::Column::Uses).sub(1))
            .filter(initial_access::Column::Digest.eq(digest.to_vec()))
            .filter(initial_access::Column::Uses.gt(0))
            .filter(initial_access::Column::Expires.gt(micros(now)));
        let write = || async { Ok(update.clone().exec(self.database.connection()).await?.rows_affected > 0) };
        self.database.run(write).await
    }
}

/// Removes the consents of a client and ends its grants; the grants that have ended.
async fn revoke_grants(
    transaction: &Transaction,
    id: &str,
    until: SystemTime,
    now: SystemTime,
) -> Result<Vec<Uuid>, StoreError> {
    consent::Entity::delete_many().filter(consent::Column::Client.eq(id)).exec(transaction).await?;
    let ended = families::end(transaction, Condition::all().add(grant::Column::Client.eq(id))).await?;
    revocations::write(transaction, &ended, until, now).await?;
    Ok(ended)
}

fn row(client: &StoredClient) -> client::ActiveModel {
    client::ActiveModel {
        id: Set(client.id.clone()),
        registered: Set(client.registered),
        metadata: Set(client.metadata.clone()),
        secrets: Set(client.secrets.clone()),
        sealed_secret: Set(client.sealed_secret.clone()),
        management: Set(client.management.clone()),
        created: Set(micros(client.created)),
    }
}

fn client(row: client::Model) -> StoredClient {
    StoredClient {
        id: row.id,
        registered: row.registered,
        metadata: row.metadata,
        secrets: row.secrets,
        sealed_secret: row.sealed_secret,
        management: row.management,
        created: time(row.created),
    }
}
