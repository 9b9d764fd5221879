//! One-time links that are sent to users by mail. Only their digests are stored.

use std::time::SystemTime;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, UpdateMany};
use store::StoreError;
use store::columns::{micros, time};

use super::Store;
use super::entity::link;
use super::rows::damaged;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Setting another password after the user has lost the former one.
    PasswordReset,
    /// Setting the first password.
    Invitation,
    /// Verifying another mail address.
    MailChange,
}

impl LinkPurpose {
    const fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::Invitation => "invitation",
            Self::MailChange => "mail",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::PasswordReset, Self::Invitation, Self::MailChange].into_iter().find(|purpose| purpose.name() == name)
    }
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// SHA-256 of its secret.
    pub digest: [u8; 32],
    /// What it is for.
    pub purpose: LinkPurpose,
    /// Whose it is.
    pub person: String,
    /// SHA-256 of the address that the user had when it was made: that to which it was sent, unless it verifies another one.
    pub address: [u8; 32],
    /// The address that it verifies, to which it was sent; none if it is for a password.
    pub new_address: Option<String>,
    /// SHA-256 of the cookie of the browser that asked for it; none if no browser did.
    pub browser: Option<[u8; 32]>,
    /// When it was made.
    pub created: SystemTime,
    /// When it ends.
    pub expires: SystemTime,
}

impl Store {
    /// Adds a link, unless its user was sent so many for its purpose since a time; whether it was added. An invitation ends the
    /// ones before it, which may have gone to another address, and a link that verifies an address those for other addresses.
    pub async fn add_link(&self, added: &StoredLink, (most, since): (u64, SystemTime)) -> Result<bool, StoreError> {
        let row = link::ActiveModel {
            digest: Set(added.digest.to_vec()),
            purpose: Set(added.purpose.name().to_owned()),
            person: Set(added.person.clone()),
            address: Set(Some(added.address.to_vec())),
            new_address: Set(added.new_address.clone()),
            browser: Set(added.browser.map(Vec::from)),
            created: Set(micros(added.created)),
            expires: Set(micros(added.expires)),
            used: Set(None),
        };
        let sent = link::Entity::find()
            .filter(link::Column::Person.eq(&added.person))
            .filter(link::Column::Purpose.eq(added.purpose.name()))
            .filter(link::Column::Created.gte(micros(since)));
        let write = || async {
            let transaction = self.database.begin_serializable().await?;
            if sent.clone().count(&transaction).await? >= most {
                return Ok(false);
            }
            let former = use_up(&added.person, added.created);
            match added.purpose {
                LinkPurpose::PasswordReset => {}
                LinkPurpose::Invitation => former.exec(&transaction).await.map(drop)?,
                LinkPurpose::MailChange => {
                    let of_purpose = link::Column::Purpose.eq(added.purpose.name());
                    former.filter(of_purpose).exec(&transaction).await.map(drop)?;
                }
            }
            link::Entity::insert(row.clone()).exec_without_returning(&transaction).await?;
            transaction.commit().await?;
            Ok(true)
        };
        self.database.run(write).await
    }

    /// The link with this digest, if it was not used and has not ended.
    pub async fn link(&self, digest: [u8; 32], now: SystemTime) -> Result<Option<StoredLink>, StoreError> {
        let read = || async {
            let query = link::Entity::find_by_id(digest.to_vec())
                .filter(link::Column::Used.is_null())
                .filter(link::Column::Expires.gt(micros(now)));
            Ok(query.one(self.database.reader()).await?)
        };
        let Some(row) = self.database.run(read).await? else { return Ok(None) };
        // a purpose of a later version, or a link of an earlier one, of which it is not known where it was sent to
        let (Some(purpose), Some(address)) = (LinkPurpose::of(&row.purpose), row.address) else { return Ok(None) };
        let bytes = |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).map_err(|_| damaged("a link"));
        Ok(Some(StoredLink {
            digest,
            purpose,
            person: row.person,
            address: bytes(address)?,
            new_address: row.new_address,
            browser: row.browser.map(bytes).transpose()?,
            created: time(row.created),
            expires: time(row.expires),
        }))
    }

    /// Uses up a link. Returns whether it could be used: one of concurrent attempts can.
    pub async fn use_link(&self, digest: [u8; 32], now: SystemTime) -> Result<bool, StoreError> {
        let update = link::Entity::update_many()
            .col_expr(link::Column::Used, Expr::value(micros(now)))
            .filter(link::Column::Digest.eq(digest.to_vec()))
            .filter(link::Column::Used.is_null())
            .filter(link::Column::Expires.gt(micros(now)));
        let write = || async { Ok(update.clone().exec(self.database.connection()).await?.rows_affected > 0) };
        self.database.run(write).await
    }

    /// Makes a link usable again that was used at a time, and whose act has failed; not if a later link has ended it.
    pub async fn restore_link(&self, failed: &StoredLink, used: SystemTime) -> Result<(), StoreError> {
        let digest = failed.digest.to_vec();
        let later = link::Entity::find()
            .filter(link::Column::Person.eq(&failed.person))
            .filter(link::Column::Digest.ne(digest.clone()))
            .filter(link::Column::Created.gte(micros(used)))
            .filter(link::Column::Purpose.ne(LinkPurpose::PasswordReset.name()));
        let update = link::Entity::update_many()
            .col_expr(link::Column::Used, Expr::value(None::<i64>))
            .filter(link::Column::Digest.eq(digest))
            .filter(link::Column::Used.eq(micros(used)));
        let write = || async {
            let transaction = self.database.begin_serializable().await?;
            if later.clone().count(&transaction).await? == 0 {
                update.clone().exec(&transaction).await?;
            }
            Ok(transaction.commit().await?)
        };
        self.database.run(write).await
    }

    /// Uses up all links of a user.
    pub async fn use_links_of(&self, user: &str, now: SystemTime) -> Result<(), StoreError> {
        let update = use_up(user, now);
        self.database.run(|| async { Ok(update.clone().exec(self.database.connection()).await.map(drop)?) }).await
    }
}

/// Uses up all links of a user.
fn use_up(user: &str, now: SystemTime) -> UpdateMany<link::Entity> {
    link::Entity::update_many()
        .col_expr(link::Column::Used, Expr::value(micros(now)))
        .filter(link::Column::Person.eq(user))
        .filter(link::Column::Used.is_null())
}
