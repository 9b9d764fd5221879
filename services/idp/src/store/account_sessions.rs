//! Sessions as their users and administrators see them, and the grants that end with one.

use std::time::SystemTime;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use store::StoreError;
use store::columns::micros;
use store::page::{Position, behind};
use uuid::Uuid;

use super::entity::{grant, participant, session};
use super::{Store, families, revocations, sessions};
use crate::model::Session;
use crate::revocations::grants_of_session;

impl Store {
    /// The live sessions of all users, or of one, the newest sign-ins first: those behind a position, `limit` at most.
    pub async fn live_sessions(
        &self,
        user: Option<&str>,
        after: Option<Position>,
        limit: u64,
        now: SystemTime,
    ) -> Result<Vec<Session>, StoreError> {
        let which = Condition::all()
            // as an expression, or SQLite would read all live sessions by their end and then sort them
            .add(Expr::col(session::Column::Over).add(0_i64).gt(micros(now)))
            .add_option(user.map(|user| session::Column::Person.eq(user)))
            .add_option(after.map(|after| behind(session::Column::SignedIn, session::Column::Id, after)));
        let query = session::Entity::find()
            .filter(which)
            .order_by_desc(session::Column::SignedIn)
            .order_by_desc(session::Column::Id)
            .limit(limit);
        let read = || async { Ok(query.clone().all(self.database.reader()).await?) };
        self.database.run(read).await?.into_iter().map(sessions::session).collect()
    }

    /// Which of these sessions has this `sid`, or had it before its user signed in again in the same browser: clients know it by that.
    pub async fn session_known_as(&self, sid: Uuid, among: &[Uuid]) -> Result<Option<Uuid>, StoreError> {
        if among.contains(&sid) {
            return Ok(Some(sid));
        }
        let query = participant::Entity::find()
            .filter(participant::Column::Session.is_in(among.iter().copied()))
            .filter(participant::Column::Sid.eq(sid));
        let read = || async { Ok(query.clone().all(self.database.reader()).await?) };
        Ok(self.database.run(read).await?.first().map(|participant| participant.session))
    }

    /// Ends every grant that a user has given in one of these sessions, also those that outlive a sign-out, and has it remembered until
    /// `until` that nothing more is derived from them.
    pub async fn revoke_grants_of_sessions(
        &self,
        user: &str,
        sessions: &[Uuid],
        until: SystemTime,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        if sessions.is_empty() {
            return Ok(());
        }
        // the member of the sign-in in the grant's JSON; where a text within it says the same, its quotes are escaped
        let given_in = |session: &Uuid| grant::Column::Content.contains(format!("\"s\":\"{session}\""));
        let in_any = sessions.iter().map(given_in).fold(Condition::any(), Condition::add);
        let which = Condition::all().add(grant::Column::Person.eq(user)).add(in_any);
        let write = || async {
            let transaction = self.database.begin_write().await?;
            let mut ended = families::end(&transaction, which.clone()).await?;
            ended.extend(sessions.iter().copied().map(grants_of_session));
            revocations::write(&transaction, &ended, until, now).await?;
            transaction.commit().await?;
            Ok(ended)
        };
        let ended = self.database.run(write).await?;
        self.revoked(&ended, until);
        Ok(())
    }
}
