//! Tokens of other systems.

use std::collections::HashSet;

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use store::{Database, StoreError};

use super::entity::{token, usage};
use super::{Foreign, rows};

/// All in one transaction. What was taken over before, or has an identifier that is taken, is left as it is.
pub(super) async fn import(database: &Database, tokens: &[Foreign]) -> Result<Vec<bool>, StoreError> {
    let write = || async {
        let transaction = database.begin_serializable().await?;
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
                new.push(rows::of_foreign(one));
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
    database.run(write).await
}

/// Whether any secret is another system's still.
pub(super) async fn any(database: &Database) -> Result<bool, StoreError> {
    let read = || async {
        let foreign =
            Condition::any().add(token::Column::Verifier.is_not_null()).add(token::Column::Imported.is_not_null());
        let found = token::Entity::find().filter(foreign).limit(1).one(database.reader()).await?;
        Ok(found.is_some())
    };
    database.run(read).await
}
