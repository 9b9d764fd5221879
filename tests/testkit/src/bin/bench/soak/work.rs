//! What is done in each round.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use authn::BoxError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

use crate::call::{authenticate, create_app_token, revoke_app_token};
use crate::family::{Family, MACHINE_KEY};
use crate::http::{Ask, Connection};
use crate::idp;
use crate::server::Server;

/// Every so many rounds a user signs in with a password.
const WITH_PASSWORD: u64 = 10;
/// Every so many rounds a user signs in to an application.
const TO_APPLICATION: u64 = 20;

/// How many calls there were.
#[derive(Debug, Default)]
pub(super) struct Counts {
    calls: AtomicU64,
    failed: AtomicU64,
    /// Why the first one failed.
    failure: OnceLock<String>,
}

impl Counts {
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Counts a call, and says in which call it was if it failed.
    fn note<T>(&self, what: &str, outcome: Result<T, BoxError>) -> Result<T, BoxError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        outcome.map_err(|error| format!("{what}: {error}").into())
    }
}

/// Connections of its own to all that is called.
pub(super) struct Lane {
    gateway: Channel,
    edge: Connection,
    /// The provider's address.
    idp: String,
    counts: Arc<Counts>,
}

impl Lane {
    /// Connects.
    pub(super) async fn connect(server: &Server, family: &Family, counts: Arc<Counts>) -> Result<Self, BoxError> {
        let gateway = Endpoint::from_shared(format!("http://{}", server.address))?.tcp_nodelay(true).connect().await?;
        let idp = family.setting("IDP_HTTP_ADDR").ok_or("the family has a provider")?;
        let [edge, _] = &family.edge;
        Ok(Self { gateway, edge: Connection::to(edge), idp: idp.to_owned(), counts })
    }

    /// Makes a round. What fails is counted, and ends the round.
    pub(super) async fn round(&self, number: u64) {
        if let Err(error) = self.all_of(number).await {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
            let _ = self.counts.failure.set(error.to_string());
        }
    }

    async fn all_of(&self, number: u64) -> Result<(), BoxError> {
        let person = usize::try_from(number)? % idp::USERS;
        self.app_token(&idp::login(person)).await?;
        if number.is_multiple_of(WITH_PASSWORD) {
            self.opens("basic", &idp::login(person), idp::PASSWORD).await?;
        }
        if number.is_multiple_of(TO_APPLICATION) {
            self.access_token(person).await?;
        }
        Ok(())
    }

    /// Makes an app token, uses it, revokes it, and tries it once more.
    async fn app_token(&self, login: &str) -> Result<(), BoxError> {
        let jwt = self.opens("machine", &format!("username:{login}"), MACHINE_KEY).await?;
        let secret = self.counts.note("making an app token", create_app_token(self.gateway.clone(), &jwt).await)?;
        let basic = format!("Basic {}", STANDARD.encode(format!("{login}:{secret}")));
        for _ in 0..2 {
            self.opens("appauth", login, &secret).await?;
            self.verifies(&basic, StatusCode::OK).await?;
        }
        self.counts.note("revoking an app token", revoke_app_token(self.gateway.clone(), &jwt, &secret).await)?;
        let outcome = authenticate(self.gateway.clone(), "appauth", login.to_owned(), secret).await;
        let refused = if outcome.is_ok() { Err("it is still good".into()) } else { Ok(()) };
        self.counts.note("a revoked app token", refused)?;
        self.verifies(&basic, StatusCode::UNAUTHORIZED).await
    }

    /// Signs a user in to an application on a connection of its own, as a browser does, and uses the access token.
    async fn access_token(&self, person: usize) -> Result<(), BoxError> {
        let outcome = idp::sign_in(&Connection::to(&self.idp), person).await;
        let reply = self.counts.note("signing in to an application", outcome)?;
        let tokens: Value = serde_json::from_slice(&reply.body)?;
        let access = tokens["access_token"].as_str().ok_or("no access token")?;
        self.opens("bearer", "", access).await?;
        self.verifies(&format!("Bearer {access}"), StatusCode::OK).await
    }

    /// The internal token for a credential.
    async fn opens(&self, kind: &'static str, client_id: &str, secret: &str) -> Result<String, BoxError> {
        let outcome = authenticate(self.gateway.clone(), kind, client_id.to_owned(), secret.to_owned()).await;
        self.counts.note(kind, outcome)
    }

    /// Asks the edge about a request with this credential; once more, on a new connection, where the server has closed the kept one
    /// at this moment (RFC 9112 9.3.1).
    async fn verifies(&self, authorization: &str, expected: StatusCode) -> Result<(), BoxError> {
        let headers = vec![
            ("x-original-uri", "/a?b=c"),
            ("x-original-method", "GET"),
            ("x-original-host", "cloud.example"),
            ("x-original-proto", "https"),
        ];
        let ask = Ask { authorization: Some(authorization.into()), headers, ..Ask::get("/verify") };
        let reply = match self.edge.ask(ask.clone()).await {
            Err(_) => self.edge.ask(ask).await,
            answered => answered,
        };
        let outcome = reply.and_then(|reply| {
            if reply.status == expected { Ok(()) } else { Err(format!("{reply:?} instead of {expected}").into()) }
        });
        self.counts.note("the edge", outcome)
    }
}
