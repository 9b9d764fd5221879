//! Browser sessions, and the clients that take part in them.

use std::time::SystemTime;

use aws_lc_rs::digest::{self, SHA256};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use store::columns::{micros, span, time};
use store::{StoreError, Transaction};
use uuid::{Builder, Uuid};

use super::Store;
use super::entity::{delivery, participant, session};
use super::rows::{self, damaged};
use crate::model::Session;

/// The most live sessions of a user that are listed.
const LISTED: u64 = 1000;

/// The client of the rows that keep the identifiers of replaced sessions. No client has this name.
const REPLACED: &str = "";

/// A client that takes part in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The client.
    pub client: String,
    /// The name of the layout of its issuer.
    pub layout: String,
    /// The `sid` by which it knows the session: that of a former session, if the user has signed in again since.
    pub sid: Uuid,
}

impl Store {
    /// Adds a session.
    pub async fn begin_session(&self, session: &Session) -> Result<(), StoreError> {
        let row = row(session);
        let write = || async {
            let insert = session::Entity::insert(row.clone());
            Ok(insert.exec_without_returning(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }

    /// The session with this id, if it is stored; it may have ended.
    pub async fn session(&self, id: Uuid) -> Result<Option<Session>, StoreError> {
        let read = || async {
            // without a LIMIT, as SQLite plans a statement anew at each use whose LIMIT is a parameter
            let found = session::Entity::find_by_id(id).all(self.database.reader()).await?;
            Ok(found.into_iter().next())
        };
        self.database.run(read).await?.map(session).transpose()
    }

    /// Stores the time of its last use, which never moves back.
    pub async fn touch_session(&self, id: Uuid, seen: SystemTime) -> Result<(), StoreError> {
        let seen = micros(seen);
        let idle_end = || Expr::value(seen).add(Expr::col(session::Column::Idle));
        let over = Expr::case(Expr::col(session::Column::Ends).lt(idle_end()), Expr::col(session::Column::Ends))
            .finally(idle_end());
        let update = session::Entity::update_many()
            .col_expr(session::Column::Seen, Expr::value(seen))
            .col_expr(session::Column::Over, over.into())
            .filter(session::Column::Id.eq(id))
            .filter(session::Column::Seen.lt(seen));
        self.database.run(|| async { Ok(update.clone().exec(self.database.connection()).await.map(drop)?) }).await
    }

    /// Replaces a session by another of the same user and browser after a new sign-in, in one transaction: the old session is
    /// deleted, and its participants move to the new one but keep the old `sid`. The new one keeps the old identifier too, on which
    /// tokens of clients rest that do not take part, or that know the new one by now.
    pub async fn replace_session(&self, old: Uuid, new: &Session) -> Result<(), StoreError> {
        let row = row(new);
        let replaced = participant::ActiveModel {
            session: Set(new.id),
            client: Set(REPLACED.to_owned()),
            layout: Set(old.simple().to_string()),
            sid: Set(Some(old)),
        };
        let write = || async {
            let transaction = self.database.begin_write().await?;
            lock(&transaction, old).await?;
            session::Entity::insert(row.clone()).exec_without_returning(&transaction).await?;
            let known = Expr::col(participant::Column::Sid).if_null(old);
            let moved = participant::Entity::update_many()
                .col_expr(participant::Column::Session, Expr::value(new.id))
                .col_expr(participant::Column::Sid, known)
                .filter(participant::Column::Session.eq(old));
            moved.exec(&transaction).await?;
            participant::Entity::insert(replaced.clone()).exec_without_returning(&transaction).await?;
            session::Entity::delete_by_id(old).exec(&transaction).await?;
            Ok(transaction.commit().await?)
        };
        self.database.run(write).await
    }

    /// Adds a client to a session, of whose end it has to be notified by the present identifier.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if there is no such session, so that the client could not be notified of its end.
    pub async fn join_session(&self, session: Uuid, client: &str, layout: &str) -> Result<(), StoreError> {
        let row = participant::ActiveModel {
            session: Set(session),
            client: Set(client.to_owned()),
            layout: Set(layout.to_owned()),
            sid: Set(None),
        };
        let key = [participant::Column::Session, participant::Column::Client, participant::Column::Layout];
        let conflict = OnConflict::columns(key).update_column(participant::Column::Sid).to_owned();
        let write = || async {
            let insert = participant::Entity::insert(row.clone()).on_conflict(conflict.clone());
            Ok(insert.exec_without_returning(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }

    /// Ends a session: deletes it, queues one delivery for each participant with a back-channel (`tell` names the clients
    /// that have one), all in one transaction. Returns the participants: none if it has ended already.
    pub async fn end_session(
        &self,
        id: Uuid,
        tell: &[String],
        now: SystemTime,
    ) -> Result<Vec<Participant>, StoreError> {
        let write = || async {
            let transaction = self.database.begin_write().await?;
            // the lock keeps further clients from joining
            let Some(session) = lock(&transaction, id).await? else { return Ok(Vec::new()) };
            let participants = of(id).all(&transaction).await?;
            let told = participants.iter().filter(|one| tell.contains(&one.client));
            let deliveries: Vec<_> = told.map(|one| delivery(one, &session.person, now)).collect();
            if !deliveries.is_empty() {
                delivery::Entity::insert_many(deliveries).exec_without_returning(&transaction).await?;
            }
            session::Entity::delete_by_id(id).exec(&transaction).await?;
            transaction.commit().await?;
            Ok(participants)
        };
        Ok(self.database.run(write).await?.into_iter().map(taking_part).collect())
    }

    /// The participants of a session.
    pub async fn participants(&self, session: Uuid) -> Result<Vec<Participant>, StoreError> {
        let found = self.database.run(|| async { Ok(of(session).all(self.database.reader()).await?) }).await?;
        Ok(found.into_iter().map(taking_part).collect())
    }

    /// The identifiers by which tokens know a session: its own, and those of the sessions that it has replaced.
    pub async fn identifiers(&self, session: Uuid) -> Result<Vec<Uuid>, StoreError> {
        let query = participant::Entity::find().filter(participant::Column::Session.eq(session));
        let read = || async { Ok(query.clone().all(self.database.reader()).await?) };
        let known = self.database.run(read).await?.into_iter().filter_map(|row| row.sid);
        let mut identifiers: Vec<_> = known.chain([session]).collect();
        identifiers.sort_unstable();
        identifiers.dedup();
        Ok(identifiers)
    }

    /// The live sessions of a user, the last used ones first; a thousand at most.
    pub async fn sessions_of(&self, person: &str, now: SystemTime) -> Result<Vec<Session>, StoreError> {
        self.list_sessions(live(person, now)).await
    }

    /// Those of them that began before a moment.
    pub async fn sessions_before(
        &self,
        person: &str,
        moment: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Session>, StoreError> {
        self.list_sessions(live(person, now).filter(session::Column::SignedIn.lt(micros(moment)))).await
    }

    async fn list_sessions(&self, query: Select<session::Entity>) -> Result<Vec<Session>, StoreError> {
        let query = query.order_by_desc(session::Column::Seen).limit(LISTED);
        let read = || async { Ok(query.clone().all(self.database.reader()).await?) };
        self.database.run(read).await?.into_iter().map(session).collect()
    }
}

/// The live sessions of a user.
fn live(person: &str, now: SystemTime) -> Select<session::Entity> {
    session::Entity::find().filter(session::Column::Person.eq(person)).filter(session::Column::Over.gt(micros(now)))
}

/// Locks a session, so that other transactions that change or join it wait.
async fn lock(transaction: &Transaction, id: Uuid) -> Result<Option<session::Model>, StoreError> {
    Ok(session::Entity::find_by_id(id).lock_exclusive().all(transaction).await?.into_iter().next())
}

/// The participants of a session; at most one for each client and layout.
fn of(session: Uuid) -> sea_orm::Select<participant::Entity> {
    participant::Entity::find()
        .filter(participant::Column::Session.eq(session))
        .filter(participant::Column::Client.ne(REPLACED))
        .order_by_asc(participant::Column::Client)
        .order_by_asc(participant::Column::Layout)
}

fn taking_part(row: participant::Model) -> Participant {
    Participant { client: row.client, layout: row.layout, sid: row.sid.unwrap_or(row.session) }
}

/// The delivery to a participant. A session ends once for each, so its identifier is derived from session and participant.
fn delivery(to: &participant::Model, person: &str, now: SystemTime) -> delivery::ActiveModel {
    let mut name = digest::Context::new(&SHA256);
    for part in [to.session.as_bytes(), to.layout.as_bytes(), b"\0", to.client.as_bytes()] {
        name.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&name.finish().as_ref()[..16]);
    delivery::ActiveModel {
        id: Set(Builder::from_custom_bytes(bytes).into_uuid()),
        client: Set(to.client.clone()),
        layout: Set(to.layout.clone()),
        session: Set(to.sid.unwrap_or(to.session)),
        person: Set(person.to_owned()),
        attempts: Set(0),
        due: Set(micros(now)),
        created: Set(micros(now)),
    }
}

fn row(session: &Session) -> session::ActiveModel {
    let (seen, idle, ends) = (micros(session.seen), span(session.idle), micros(session.end));
    session::ActiveModel {
        id: Set(session.id),
        digest: Set(session.digest.to_vec()),
        person: Set(session.person.clone()),
        signed_in: Set(micros(session.signed_in)),
        amr: Set(session.amr.clone()),
        seen: Set(seen),
        idle: Set(idle),
        ends: Set(ends),
        over: Set(Ord::min(ends, seen.saturating_add(idle))),
        remembered: Set(session.remembered),
        user_agent: Set(session.user_agent.clone()),
        address: Set(session.address.map(|address| address.to_string())),
    }
}

pub(super) fn session(row: session::Model) -> Result<Session, StoreError> {
    let idle = u64::try_from(row.idle).map_err(|_| damaged("a session"))?;
    Ok(Session {
        id: row.id,
        digest: rows::digest(&row.digest)?,
        person: row.person,
        signed_in: time(row.signed_in),
        amr: row.amr,
        seen: time(row.seen),
        idle: std::time::Duration::from_micros(idle),
        end: time(row.ends),
        remembered: row.remembered,
        user_agent: row.user_agent,
        // shown only, so that one that cannot be read is none
        address: row.address.and_then(|address| address.parse().ok()),
    })
}
