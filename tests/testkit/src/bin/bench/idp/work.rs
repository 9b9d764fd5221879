//! The requests to both servers.

use std::sync::Arc;

use authn::BoxError;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;

use super::{CLIENT_SECRET, flow};
use crate::http::{Ask, Connection, Reply};
use crate::load::Call;

/// What a sign-in asks for.
const SCOPE: &str = "openid";

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// idp.
    Ours,
    /// The other.
    Peer,
}

/// Where a server answers what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoints {
    /// Whose they are.
    pub(super) side: Side,
    /// The discovery document.
    pub(super) discovery: &'static str,
    /// The key set.
    pub(super) jwks: &'static str,
    /// Tokens.
    pub(super) token: &'static str,
    /// Introspection.
    pub(super) introspection: &'static str,
    /// Where a sign-in begins.
    pub(super) authorization: &'static str,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A token for a client itself: its identifier, and the algorithm of a JWT.
    ClientCredentials(&'static str, Option<&'static str>),
    /// Introspection of an opaque token.
    Introspection,
    /// The discovery document.
    Discovery,
    /// The key set.
    Jwks,
    /// A whole sign-in with a code and PKCE.
    SignIn,
}

impl Work {
    /// All there is.
    pub(super) const ALL: [Self; 8] = [
        Self::ClientCredentials("bench-opaque", None),
        Self::ClientCredentials("bench-es256", Some("ES256")),
        Self::ClientCredentials("bench-eddsa", Some("EdDSA")),
        Self::ClientCredentials("bench-rs256", Some("RS256")),
        Self::Introspection,
        Self::Discovery,
        Self::Jwks,
        Self::SignIn,
    ];

    /// What the row is called.
    pub(super) fn name(self) -> String {
        match self {
            Self::ClientCredentials(_, None) => "client_credentials, opaque token".to_owned(),
            Self::ClientCredentials(_, Some(algorithm)) => format!("client_credentials, JWT {algorithm}"),
            Self::Introspection => "introspection of an opaque token".to_owned(),
            Self::Discovery => "discovery".to_owned(),
            Self::Jwks => "JWKS".to_owned(),
            Self::SignIn => "code + PKCE, ID token RS256".to_owned(),
        }
    }

    /// Of how many requests one call consists.
    pub(super) fn requests(self) -> u32 {
        if self == Self::SignIn { flow::REQUESTS } else { 1 }
    }

    /// The call. What it needs is fetched over the connection: a token that is introspected.
    pub(super) async fn call(self, at: Endpoints, connection: &Connection) -> Result<Call<Connection>, BoxError> {
        let (ask, expected) = match self {
            Self::ClientCredentials(client, _) => (token(at, client), "\"access_token\""),
            Self::Introspection => {
                let token = access_token(&connection.ask(token(at, "bench-opaque")).await?)?;
                let ask = Ask::post(at.introspection, &[("token", &token)]);
                (Ask { authorization: Some(basic("bench-opaque")), ..ask }, "\"active\":true")
            }
            Self::Discovery => (Ask::get(at.discovery), "\"token_endpoint\""),
            Self::Jwks => (Ask::get(at.jwks), "\"keys\""),
            Self::SignIn => return Ok(sign_in(at)),
        };
        Ok(Arc::new(move |connection: Connection, _| {
            let ask = ask.clone();
            Box::pin(async move { connection.ask(ask).await.is_ok_and(|reply| reply.holds(expected)) })
        }))
    }

    /// Does the work once and looks closely at the answer.
    pub(super) async fn check(self, at: Endpoints, connection: &Connection) -> Result<(), BoxError> {
        match self {
            Self::ClientCredentials(client, algorithm) => {
                let token = access_token(&connection.ask(token(at, client)).await?)?;
                if signed_with(&token).as_deref() != algorithm {
                    return Err(format!("the token is not what {algorithm:?} says: {token}").into());
                }
            }
            Self::Introspection | Self::Discovery | Self::Jwks => {
                if !self.call(at, connection).await?(connection.clone(), 0).await {
                    return Err("the answer is not the expected one".into());
                }
            }
            Self::SignIn => drop(flow::sign_in(at, connection, 0, SCOPE).await?),
        }
        Ok(())
    }
}

fn sign_in(at: Endpoints) -> Call<Connection> {
    Arc::new(move |connection, number| {
        Box::pin(async move { flow::sign_in(at, &connection, number, SCOPE).await.is_ok() })
    })
}

fn token(at: Endpoints, client: &str) -> Ask {
    let ask = Ask::post(at.token, &[("grant_type", "client_credentials")]);
    Ask { authorization: Some(basic(client)), ..ask }
}

/// `client_secret_basic`
pub(super) fn basic(client: &str) -> Arc<str> {
    format!("Basic {}", STANDARD.encode(format!("{client}:{CLIENT_SECRET}"))).into()
}

fn access_token(reply: &Reply) -> Result<String, BoxError> {
    let answer: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let token = answer.as_ref().and_then(|answer| answer.get("access_token")?.as_str());
    token.map(str::to_owned).ok_or_else(|| format!("no access token: {reply:?}").into())
}

/// The algorithm of a JWT; none if it is none.
fn signed_with(token: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split_once('.')?.0).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    header.get("alg")?.as_str().map(str::to_owned)
}
