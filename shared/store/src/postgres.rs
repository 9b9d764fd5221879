//! `PostgreSQL`: a small pool, and an end to everything that hangs.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::{
    self, ConnectOptions, Connection, Row,
    postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions},
    raw_sql,
};

use crate::connection::Session;
use crate::measures::acquired;
use crate::{Options, StoreError, url};

/// A connection that lay idle this long is asked whether it still lives before a statement is entrusted to it.
const SUSPECT_AFTER: Duration = Duration::from_secs(1);
/// Connections are discarded at most so often, however many statements a read-only server refuses.
const DISCARD_INTERVAL: Duration = Duration::from_secs(1);
/// How long it may take to find out why there is no connection.
const DIAGNOSIS_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the reason counts.
const DIAGNOSIS_VALID_FOR: Duration = Duration::from_secs(1);
/// What a pooler answers that does not know a startup parameter.
const PROTOCOL_VIOLATION: &str = "08P01";
/// A setting without a meaning to the server, by which a connection recognises its own session.
const MARK: &str = "doorward.session";

/// A server, and how this process reaches it.
pub(crate) struct Server {
    /// As the URL names it.
    address: PgConnectOptions,
    /// What no other process calls its sessions.
    mark: String,
    pub(crate) session: Session,
    /// What a listener connects with; `None` where no session stays with it.
    pub(crate) listening: Option<PgConnectOptions>,
    refused: ReadOnly,
    diagnosis: tokio::sync::Mutex<Option<(Instant, String)>>,
    max_connections: u32,
}

/// When the server last refused to write, so that connections made before that are not used any more: they may lead to the
/// former primary.
#[derive(Default)]
struct ReadOnly(Mutex<Option<Instant>>);

impl Server {
    /// Connects once: a pool hides why it cannot, and whether a pooler is in between has to be known before the first statement.
    pub(crate) async fn reach(address: &PgConnectOptions, options: &Options) -> Result<Self, StoreError> {
        // no startup parameter without need: poolers refuse those that they do not know
        let address = address.clone().extra_float_digits(None).disable_statement_logging();
        let mark = format!("{:016x}", RandomState::new().build_hasher().finish());
        let mut server = Self {
            address,
            mark,
            session: Session::Own,
            listening: None,
            refused: ReadOnly::default(),
            diagnosis: tokio::sync::Mutex::default(),
            max_connections: options.max_connections,
        };
        let reached = tokio::time::timeout(options.acquire_timeout, server.has_own_sessions(options)).await;
        let is_own = reached.unwrap_or_else(|_| Err(StoreError::timed_out()))?;
        server.listening =
            match options.listen_url.expose() {
                "" => is_own.then(|| server.address.clone()),
                url => Some(url::postgres(url).map_err(|problem| {
                    StoreError::internal(format!("the URL of the database for listening {problem}"))
                })?),
            };
        if !is_own {
            let outcome = match server.listening {
                Some(_) => "changes are listened to at the server itself",
                None => "changes are not pushed; OCIS_DATABASE_LISTEN_URL names the server itself",
            };
            tracing::info!("a pooler hands out sessions of PostgreSQL transaction by transaction; {outcome}");
            server.session = Session::PerTransaction(limits_of_transaction(options));
        }
        Ok(server)
    }

    /// Whose the sessions are, with other limits.
    pub(crate) fn session_with(&self, options: &Options) -> Session {
        match self.session {
            Session::Own => Session::Own,
            Session::PerTransaction(_) => Session::PerTransaction(limits_of_transaction(options)),
        }
    }

    /// Whether each connection has a session of the server to itself, as was found when it was reached.
    pub(crate) fn has_sessions_of_its_own(&self) -> bool {
        matches!(self.session, Session::Own)
    }

    /// Whether each connection has a session of the server to itself.
    async fn has_own_sessions(&self, options: &Options) -> Result<bool, StoreError> {
        match PgConnection::connect_with(&self.with_own_session(options)).await {
            Ok(mut connection) => {
                let is_own = is_marked(&mut connection, &self.mark).await?;
                connection.close().await?;
                Ok(is_own)
            }
            Err(sqlx::Error::Database(refusal)) if refusal.code().is_some_and(|code| code == PROTOCOL_VIOLATION) => {
                PgConnection::connect_with(&self.address).await?.close().await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn with_own_session(&self, options: &Options) -> PgConnectOptions {
        self.address.clone().options([
            ("statement_timeout", &*milliseconds(options.statement_timeout)),
            ("idle_in_transaction_session_timeout", &*milliseconds(options.idle_in_transaction_timeout)),
            (MARK, &*self.mark),
        ])
    }

    /// A pool that connects when it is used.
    pub(crate) fn pool(self: &Arc<Self>, options: &Options) -> PgPool {
        let is_own = matches!(self.session, Session::Own);
        let address = if is_own {
            self.with_own_session(options)
        } else {
            // the name of a prepared statement means another one in another session
            self.address.clone().statement_cache_capacity(0)
        };
        let (marking, refusing) = (Arc::clone(self), Arc::clone(self));
        PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let server = Arc::clone(&marking);
                Box::pin(async move {
                    if is_own && !is_marked(connection, &server.mark).await? {
                        let text = "a pooler has come in between that hands out sessions; start the service again";
                        return Err(sqlx::Error::Protocol(text.to_owned()));
                    }
                    acquired();
                    Ok(())
                })
            })
            .before_acquire(move |connection, meta| {
                let is_outdated = refusing.refused.is_outdated(meta.age);
                Box::pin(async move {
                    if !is_outdated && meta.idle_for >= SUSPECT_AFTER {
                        connection.ping().await?;
                    }
                    if !is_outdated {
                        acquired();
                    }
                    Ok(!is_outdated)
                })
            })
            .after_release(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_lazy_with(address)
    }

    /// Discards the connections made so far: the server at their other end does not write.
    pub(crate) fn discard_connections(&self) {
        self.refused.note();
    }

    /// Why no connection was to be had in time.
    pub(crate) async fn why_no_connection(&self) -> String {
        let mut diagnosis = self.diagnosis.lock().await;
        if let Some((_, reason)) = diagnosis.as_ref().filter(|(at, _)| at.elapsed() < DIAGNOSIS_VALID_FOR) {
            return reason.clone();
        }
        let reason = match tokio::time::timeout(DIAGNOSIS_TIMEOUT, PgConnection::connect_with(&self.address)).await {
            Ok(Ok(connection)) => {
                // it has served its purpose
                drop(connection);
                format!("all {} connections of this pool are in use", self.max_connections)
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the server does not answer".to_owned(),
        };
        *diagnosis = Some((Instant::now(), reason.clone()));
        reason
    }
}

impl ReadOnly {
    fn note(&self) {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if at.is_none_or(|at| at.elapsed() >= DISCARD_INTERVAL) {
            tracing::warn!("the database is read-only; its connections are made again");
            *at = Some(Instant::now());
        }
    }

    /// Whether a connection of this age was made before the server refused.
    fn is_outdated(&self, age: Duration) -> bool {
        let at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        at.is_some_and(|at| at.elapsed() <= age)
    }
}

/// Whether the connection's session is the one that it has begun. In one message, which a pooler does not tear apart.
async fn is_marked(connection: &mut PgConnection, mark: &str) -> Result<bool, sqlx::Error> {
    let row = raw_sql("SELECT current_setting('doorward.session', true)").fetch_one(connection).await?;
    Ok(row.try_get::<Option<String>, _>(0)?.is_some_and(|found| found == mark))
}

/// The limits, where a session does not keep them.
fn limits_of_transaction(options: &Options) -> Arc<str> {
    let (statement, idle) =
        (milliseconds(options.statement_timeout), milliseconds(options.idle_in_transaction_timeout));
    format!("SET LOCAL statement_timeout = {statement}; SET LOCAL idle_in_transaction_session_timeout = {idle}").into()
}

fn milliseconds(duration: Duration) -> String {
    duration.as_millis().to_string()
}
