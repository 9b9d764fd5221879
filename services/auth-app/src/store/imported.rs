//! Tokens of other systems.

use std::collections::HashSet;

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use store::StoreError;

use super::entity::{token, usage};
use super::{ImportedToken, TokenStore, rows};

impl TokenStore {
    /// Imports tokens of another system, all or none; for each, whether it was new. One that was imported before, or whose
    /// identifier is taken, is left as it is.
    pub async fn import(&self, tokens: &[ImportedToken]) -> Result<Vec<bool>, StoreError> {
        let write = || async {
            let transaction = self.0.begin_serializable().await?;
            let digests = tokens.iter().map(|one| one.imported.to_vec());
            let ids = tokens.iter().map(|one| one.stored.token.id);
            let known = token::Entity::find()
                .filter(Condition::any().add(token::Column::Imported.is_in(digests)).add(token::Column::Id.is_in(ids)))
                .all(&transaction)
                .await?;
            let mut taken: HashSet<Vec<u8>> = known.iter().filter_map(|row| row.imported.clone()).collect();
            let mut ids: HashSet<_> = known.iter().map(|row| row.id).collect();
            let mut outcomes = Vec::with_capacity(tokens.len());
            let (mut new, mut used) = (Vec::new(), Vec::new());
            for one in tokens {
                let is_new = taken.insert(one.imported.to_vec()) && ids.insert(one.stored.token.id);
                outcomes.push(is_new);
                if is_new {
                    new.push(rows::of_imported(one));
                    used.extend(rows::usage_of(&one.stored.token));
                }
            }
            if !new.is_empty() {
                token::Entity::insert_many(new).exec_without_returning(&transaction).await?;
            }
            if !used.is_empty() {
                usage::Entity::insert_many(used).exec_without_returning(&transaction).await?;
            }
            transaction.commit().await?;
            Ok(outcomes)
        };
        self.0.run(write).await
    }

    /// Whether the secret of any token is known only by another system's verifier.
    pub async fn has_legacy_hashes(&self) -> Result<bool, StoreError> {
        let read = || async {
            let legacy =
                Condition::any().add(token::Column::Verifier.is_not_null()).add(token::Column::Imported.is_not_null());
            let found = token::Entity::find().filter(legacy).limit(1).one(self.0.reader()).await?;
            Ok(found.is_some())
        };
        self.0.run(read).await
    }
}
