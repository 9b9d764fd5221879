//! Stores the keys of signed URLs. What is acknowledged is durable.

mod entity;

use std::time::SystemTime;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, DeleteMany, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use store::columns::{micros, time};
use store::{Database, StoreError};

use super::Ended;
use entity::{ActiveModel, Column, Entity, Model};

/// A stored key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its identifier.
    pub(crate) id: String,
    /// The login of its user when it was made.
    pub(crate) login: String,
    /// The identifier of its user.
    pub(crate) user_id: String,
    /// The issuer in that identifier.
    pub(crate) user_idp: String,
    /// A digest of its fetcher: a browser session, or the session of an access token.
    pub(crate) fetcher: String,
    /// The browser session that has fetched it.
    pub(crate) session: Option<String>,
    /// The issuer of the access token that has fetched it.
    pub(crate) issuer: Option<String>,
    /// The subject of that token.
    pub(crate) subject: Option<String>,
    /// The session of that token.
    pub(crate) sid: Option<String>,
    /// The key and the access token, sealed.
    pub(crate) sealed: Vec<u8>,
    /// Until when that token is authenticated at each use of the key; always if there is no such time.
    pub(crate) token_end: Option<SystemTime>,
    /// When it was created: not before the last change of the password.
    pub(crate) created: SystemTime,
    /// When it expires.
    pub(crate) ends: SystemTime,
}

/// Keys in `SQLite` or `PostgreSQL`.
pub(crate) struct Rows(Database);

/// What a logout token of this issuer ends among the keys that access tokens have fetched. A key whose session is not known ends
/// with any session that may be its own.
pub(crate) fn of_ended(issuer: &str, ended: &Ended) -> DeleteMany<Entity> {
    let which = match (&ended.subject, &ended.sid) {
        (Some(subject), Some(sid)) => {
            let unknown = Condition::all().add(Column::Sid.is_null()).add(Column::Subject.eq(subject));
            Condition::any().add(Column::Sid.eq(sid)).add(unknown)
        }
        (Some(subject), None) => Condition::all().add(Column::Subject.eq(subject)),
        (None, Some(sid)) => Condition::any().add(Column::Sid.eq(sid)).add(Column::Sid.is_null()),
        // names nothing; no key lacks an identifier
        (None, None) => Condition::all().add(Column::Id.is_null()),
    };
    Entity::delete_many().filter(Column::Issuer.eq(issuer)).filter(Column::Created.lte(micros(ended.at))).filter(which)
}

impl Rows {
    /// Those in this database, whose schema is up to date.
    pub(crate) fn new(database: Database) -> Self {
        Self(database)
    }

    /// The keys that verify what was signed with this login, the newest first.
    ///
    /// # Errors
    /// When the database fails, as of all the others.
    pub(crate) async fn of_login(&self, login: &str, now: SystemTime) -> Result<Vec<Row>, StoreError> {
        self.find(&Condition::all().add(Column::Login.eq(login)), now).await
    }

    /// The keys that this fetcher has of this user, the newest first.
    pub(crate) async fn of_fetcher(
        &self,
        user_id: &str,
        fetcher: &str,
        now: SystemTime,
    ) -> Result<Vec<Row>, StoreError> {
        self.find(&of(user_id, fetcher), now).await
    }

    async fn find(&self, which: &Condition, now: SystemTime) -> Result<Vec<Row>, StoreError> {
        let read = || async {
            let query = Entity::find().filter(which.clone()).filter(Column::Ends.gt(micros(now)));
            Ok(query.order_by_desc(Column::Created).order_by_desc(Column::Id).all(self.0.reader()).await?)
        };
        Ok(self.0.run(read).await?.into_iter().map(row).collect())
    }

    /// Adds a key. Those that the fetcher had before end at `replaced_until` at the latest, and the oldest of the user's beyond
    /// `most` at once.
    pub(crate) async fn add(&self, row: &Row, replaced_until: SystemTime, most: u64) -> Result<(), StoreError> {
        let write = || async {
            let transaction = self.0.begin_write().await?;
            Entity::update_many()
                .col_expr(Column::Ends, Expr::value(micros(replaced_until)))
                .filter(of(&row.user_id, &row.fetcher))
                .filter(Column::Ends.gt(micros(replaced_until)))
                .exec(&transaction)
                .await?;
            Entity::insert(model(row)).exec_without_returning(&transaction).await?;
            let ids: Vec<String> = Entity::find()
                .select_only()
                .column(Column::Id)
                .filter(Column::UserId.eq(&row.user_id))
                .order_by_desc(Column::Created)
                .order_by_desc(Column::Id)
                .into_tuple()
                .all(&transaction)
                .await?;
            let surplus = ids.into_iter().skip(usize::try_from(most).unwrap_or(usize::MAX));
            let surplus: Vec<_> = surplus.filter(|id| *id != row.id).collect();
            if !surplus.is_empty() {
                Entity::delete_many().filter(Column::Id.is_in(surplus)).exec(&transaction).await?;
            }
            transaction.commit().await?;
            Ok(())
        };
        self.0.run(write).await
    }

    /// Replaces the access token that is authenticated when a key is used. Returns whether the key still exists.
    pub(crate) async fn replace_token(
        &self,
        id: &str,
        sealed: &[u8],
        token_end: Option<SystemTime>,
    ) -> Result<bool, StoreError> {
        let write = || async {
            let update = Entity::update_many()
                .col_expr(Column::Sealed, Expr::value(sealed.to_vec()))
                .col_expr(Column::TokenEnd, Expr::value(token_end.map(micros)))
                .filter(Column::Id.eq(id));
            Ok(update.exec(self.0.connection()).await?.rows_affected > 0)
        };
        self.0.run(write).await
    }

    /// Ends a key; whether there was one.
    pub(crate) async fn end(&self, id: &str) -> Result<bool, StoreError> {
        let write = || async {
            let delete = Entity::delete_many().filter(Column::Id.eq(id));
            Ok(delete.exec(self.0.connection()).await?.rows_affected > 0)
        };
        self.0.run(write).await
    }

    /// Ends what a logout token of this issuer says; how many.
    pub(crate) async fn end_by(&self, issuer: &str, ended: &Ended) -> Result<u64, StoreError> {
        let write = || async { Ok(of_ended(issuer, ended).exec(self.0.connection()).await?.rows_affected) };
        self.0.run(write).await
    }

    /// The sessions whose access tokens have fetched keys: each one's issuer and `sid`.
    pub(crate) async fn token_sessions(&self) -> Result<Vec<(String, String)>, StoreError> {
        let read = || async {
            let query = Entity::find().select_only().column(Column::Issuer).column(Column::Sid).distinct();
            let query = query.filter(Column::Issuer.is_not_null()).filter(Column::Sid.is_not_null());
            Ok(query.into_tuple().all(self.0.reader()).await?)
        };
        self.0.run(read).await
    }

    /// Ends the keys of one of them; how many.
    pub(crate) async fn end_session(&self, issuer: &str, sid: &str) -> Result<u64, StoreError> {
        let write = || async {
            let delete = Entity::delete_many().filter(Column::Issuer.eq(issuer)).filter(Column::Sid.eq(sid));
            Ok(delete.exec(self.0.connection()).await?.rows_affected)
        };
        self.0.run(write).await
    }

    /// Removes the keys that have ended, or whose browser session has; how many.
    pub(crate) async fn prune(&self, now: SystemTime) -> Result<u64, StoreError> {
        let has_ended = format!("ends <= {}", micros(now));
        let lacks_session = "(session IS NOT NULL AND session NOT IN (SELECT id FROM proxy_sessions))";
        let over = format!("({has_ended} OR {lacks_session})");
        store::prune(|limit| self.0.remove("proxy_signing_keys", "id", &over, limit)).await
    }
}

fn of(user_id: &str, fetcher: &str) -> Condition {
    Condition::all().add(Column::UserId.eq(user_id)).add(Column::Fetcher.eq(fetcher))
}

fn model(row: &Row) -> ActiveModel {
    ActiveModel {
        id: Set(row.id.clone()),
        login: Set(row.login.clone()),
        user_id: Set(row.user_id.clone()),
        user_idp: Set(row.user_idp.clone()),
        fetcher: Set(row.fetcher.clone()),
        session: Set(row.session.clone()),
        issuer: Set(row.issuer.clone()),
        subject: Set(row.subject.clone()),
        sid: Set(row.sid.clone()),
        sealed: Set(row.sealed.clone()),
        token_end: Set(row.token_end.map(micros)),
        created: Set(micros(row.created)),
        ends: Set(micros(row.ends)),
    }
}

fn row(model: Model) -> Row {
    Row {
        id: model.id,
        login: model.login,
        user_id: model.user_id,
        user_idp: model.user_idp,
        fetcher: model.fetcher,
        session: model.session,
        issuer: model.issuer,
        subject: model.subject,
        sid: model.sid,
        sealed: model.sealed,
        token_end: model.token_end.map(time),
        created: time(model.created),
        ends: time(model.ends),
    }
}
