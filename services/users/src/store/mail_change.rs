//! Mail addresses that users change by a link which was sent to the new one.

use authn::{MailChange, UserStatus};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use store::StoreError;

use super::UserStore;
use super::users::{NameColumn, attributes, is_name_of_other, people, read, taken};
use crate::PeopleError;

impl UserStore {
    /// Sets the mail address of a user who has the expected one, at the time `now` in seconds since the Unix epoch.
    pub(crate) async fn change_mail(&self, id: &str, change: MailChange<'_>, now: i64) -> Result<(), PeopleError> {
        self.database.run(|| self.change_mail_once(id, change, now)).await.map_err(taken)?
    }

    async fn change_mail_once(
        &self,
        id: &str,
        MailChange { address, expected }: MailChange<'_>,
        now: i64,
    ) -> Result<Result<(), PeopleError>, StoreError> {
        // it depends on what was read of other users
        let transaction = self.database.begin_serializable().await?;
        let query = people().and_where(Expr::col("id").eq(id)).lock_exclusive().take();
        let Some(mut person) = read(&transaction, &query).await?.pop() else {
            return Ok(Err(PeopleError::NoSuchPerson));
        };
        if person.mail != expected || person.status == UserStatus::Blocked {
            return Ok(Err(PeopleError::OutdatedMailChange));
        }
        // sign-in accepts both, so that the other user could be meant
        if is_name_of_other(&transaction, NameColumn::Username, address, id).await? {
            return Ok(Err(PeopleError::Taken("mail address")));
        }
        address.clone_into(&mut person.mail);
        person.updated = now;
        let mut values = attributes(&person);
        values.push(NameColumn::Mail.prepared(&person));
        let update = Query::update().table("people").values(values).and_where(Expr::col("id").eq(id)).take();
        transaction.execute(&update).await?;
        transaction.commit().await?;
        Ok(Ok(()))
    }
}
