//! Consents.

use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use store::StoreError;
use store::columns::{micros, time};

use super::entity::{consent, grant};
use super::{Store, families, revocations};
use crate::revocations::Revocation;

/// The most consents of a user that are listed.
const LISTED: u64 = 1000;

/// A consent that a user has given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConsent {
    /// The client.
    pub client: String,
    /// The scope, in the form of the parameter `scope`.
    pub scope: String,
    /// When it was last given.
    pub at: SystemTime,
}

impl Store {
    /// The consent of a user for a client.
    pub async fn consent(&self, person: &str, client: &str) -> Result<Option<StoredConsent>, StoreError> {
        let key = (person.to_owned(), client.to_owned());
        let read = || async {
            // without a LIMIT, as SQLite plans a statement anew at each use whose LIMIT is a parameter
            let found = consent::Entity::find_by_id(key.clone()).all(self.database.reader()).await?;
            Ok(found.into_iter().next())
        };
        Ok(self.database.run(read).await?.map(consent))
    }

    /// All consents of a user, by client; a thousand at most.
    pub async fn consents(&self, person: &str) -> Result<Vec<StoredConsent>, StoreError> {
        let read = || async {
            let query = consent::Entity::find()
                .filter(consent::Column::Person.eq(person))
                .order_by_asc(consent::Column::Client)
                .limit(LISTED);
            Ok(query.all(self.database.reader()).await?)
        };
        Ok(self.database.run(read).await?.into_iter().map(consent).collect())
    }

    /// Stores a consent; its scope replaces the former one.
    pub async fn give_consent(
        &self,
        person: &str,
        client: &str,
        scope: &str,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let row = consent::ActiveModel {
            person: Set(person.to_owned()),
            client: Set(client.to_owned()),
            scope: Set(scope.to_owned()),
            given: Set(micros(now)),
        };
        let conflict = OnConflict::columns([consent::Column::Person, consent::Column::Client])
            .update_columns([consent::Column::Scope, consent::Column::Given])
            .to_owned();
        let write = || async {
            let insert = consent::Entity::insert(row.clone()).on_conflict(conflict.clone());
            Ok(insert.exec_without_returning(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }

    /// Revokes a consent, the grants that are based on it and what `tokens` names, in one transaction. Returns whether there
    /// was a consent.
    pub async fn take_back_consent(
        &self,
        person: &str,
        client: &str,
        tokens: Revocation,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let key = (person.to_owned(), client.to_owned());
        let which = Condition::all().add(grant::Column::Person.eq(person)).add(grant::Column::Client.eq(client));
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let gone = consent::Entity::delete_by_id(key.clone()).exec(&transaction).await?;
            let mut ended = families::end(&transaction, which.clone()).await?;
            ended.push(tokens.id);
            revocations::write(&transaction, &ended, tokens.until, now).await?;
            transaction.commit().await?;
            Ok((gone.rows_affected > 0, ended))
        };
        let (was_there, ended) = self.database.run(write).await?;
        self.revoked(&ended, tokens.until);
        Ok(was_there)
    }
}

fn consent(row: consent::Model) -> StoredConsent {
    StoredConsent { client: row.client, scope: row.scope, at: time(row.given) }
}
