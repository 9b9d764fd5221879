//! The order in which administrators search the tokens of all users.

use sea_orm_migration::MigrationTrait;
use store::schema::{Change, Migration};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261129_000003_search", || {
        vec![Change::Sql("CREATE INDEX app_tokens_created ON app_tokens (created, id) WHERE revoked IS NULL")]
    })
}
