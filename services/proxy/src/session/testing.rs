//! Sessions that no issuer has begun, for tests of what depends on them.

use std::sync::Arc;
use std::time::Duration;

use ::store::Database;
use authn::EndedSessions;
use config::{Environment, Secret};
use runtime::{Clock, Context};

use super::seal::Purpose;
use super::tokens::Tokens;
use super::{Sessions, digest_of};
use crate::config::{Config, Session};
use crate::sign_in::SignIn;
use crate::store::sessions::Row;

/// Sessions in this database, with an issuer that is never called.
pub(crate) fn sessions(database: &Database, clock: &Clock) -> Arc<Sessions> {
    Arc::new(sessions_of(database, clock))
}

fn sessions_of(database: &Database, clock: &Clock) -> Sessions {
    let secret = Secret::from("a-secret-of-at-least-32-characters");
    let session = Session { client_id: "edge".to_owned(), secret, ..Session::default() };
    let (url, issuer) = ("http://localhost:9200".to_owned(), "http://localhost:9".to_owned());
    let config = Config { url, issuer, session, ..Config::default() };
    let context = Context { clock: clock.clone(), ..Context::new(Environment::default()) };
    Sessions::over(database.clone(), &config, &context).expect("are open")
}

/// The same, with an issuer in this process that has ended some of its sessions.
pub(crate) fn sessions_with_ended(
    database: &Database,
    clock: &Clock,
    ended_sessions: Arc<dyn EndedSessions>,
) -> Arc<Sessions> {
    Arc::new(Sessions { ended_at_issuer: Some(ended_sessions), ..sessions_of(database, clock) })
}

impl Sessions {
    /// Begins a session with this access token, which does not end; what a browser sends of it.
    pub(crate) async fn begin_for_test(&self, access: &str) -> String {
        let (secret, now) = (self.secret(), self.clock.now());
        let key = digest_of(&secret);
        let (access, id) = (access.to_owned(), "id".to_owned());
        let tokens =
            Tokens { access, refresh: None, id, sign_in: SignIn::default(), stepped_up: false, finished: Vec::new() };
        let far = now + Duration::from_hours(1000);
        let row = Row {
            tokens: self.sealer.seal(Purpose::Tokens(&key), &tokens),
            key,
            subject: "einstein".to_owned(),
            sid: None,
            access_end: far,
            created: now,
            used: now,
            ends: far,
            version: 1,
        };
        self.rows.add(&row).await.expect("adds");
        format!("{}={secret}", self.cookies.session())
    }

    /// Ends the session of a request.
    pub(crate) async fn end_for_test(&self, headers: &http::HeaderMap) {
        let key = self.key(headers).expect("there is a session");
        assert!(self.rows.end(&key).await.expect("ends"));
    }
}
