//! What has fetched a key of signed URLs. The key ends with it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{Credentials, EndedSessions, UserType, amr, kind};
use oidc::claims::{identifier, time};
use oidc::jose::UnverifiedJwt;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::SignedUrls;
use crate::authentication::Authentication;
use crate::credential::Credential;
use crate::identity::Identity;
use crate::request_info::RequestInfo;
use crate::session::{Sessions, digest_of};
use crate::verdict::{Verdict, is_accepted};

/// The time before its expiry in which a refused token is not taken for revoked, since clocks differ.
const EXPIRY_LEEWAY: Duration = Duration::from_secs(10);

/// A browser session, or an access token of `OpenID` Connect.
pub(super) enum Fetcher {
    /// The browser session with this key.
    Session(String),
    /// The token.
    Token(AccessToken),
}

/// An access token, which the gateway has accepted.
pub(super) struct AccessToken {
    pub(super) secret: SecretString,
    /// Its issuer.
    pub(super) issuer: Option<String>,
    /// Its subject at the issuer.
    pub(super) subject: Option<String>,
    /// Its session at the issuer, which sends a logout token when the session ends.
    pub(super) sid: Option<String>,
    /// The client to which it was issued.
    pub(super) client: Option<String>,
    /// Its expiry, until which it is authenticated at each use of the key. `None` if the end of its session may go unnoticed: then the
    /// key ends with the token.
    pub(super) end: Option<SystemTime>,
}

impl Fetcher {
    /// The fetcher of an authenticated request; `None` if it may not have a key. App tokens, passwords, signed URLs, machines, and
    /// credentials without the full scope of their user may not.
    pub(super) fn of(info: &RequestInfo<'_>, identity: &Identity, sessions: Option<&Arc<Sessions>>) -> Option<Self> {
        let claims = &identity.claims;
        let is_user = !matches!(claims.user.id.kind, UserType::Service | UserType::Application | UserType::SpaceOwner);
        if !is_user || claims.actor.is_some() || !claims.scopes.is_full_user() {
            return None;
        }
        let is_of = |method: &str| claims.amr.iter().any(|amr| amr == method);
        match &Credential::of(info).ok()? {
            None if !SignedUrls::is_one(info) => sessions?.key(info.headers).map(Self::Session),
            Some(credential @ Credential::Bearer(secret)) if !credential.is_app_token() && !is_of(amr::APP) => {
                Some(Self::Token(AccessToken::read(secret, is_of(amr::OIDC_CLIENT))))
            }
            _ => None,
        }
    }

    /// A digest that identifies it. All tokens of a client's session have the same.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Session(key) => digest_of(&format!("session {key}")),
            Self::Token(token) => match (&token.issuer, &token.sid) {
                (Some(issuer), Some(sid)) => {
                    digest_of(&serde_json::json!(["sid", issuer, sid, token.client]).to_string())
                }
                _ => digest_of(&format!("token {}", token.secret.expose_secret())),
            },
        }
    }

    /// Whether an issuer in this process has ended its session; `None` if that is unknown at present.
    pub(super) fn has_ended(&self, ended: &dyn EndedSessions) -> Option<bool> {
        match self {
            Self::Token(AccessToken { issuer: Some(issuer), sid: Some(sid), .. }) => ended.has_ended(issuer, sid),
            _ => Some(false),
        }
    }

    /// Whether the session has not ended, or the token is still accepted.
    pub(super) async fn is_alive(
        &self,
        authentication: &Authentication,
        sessions: Option<&Arc<Sessions>>,
        now: SystemTime,
    ) -> Result<bool, Verdict> {
        match self {
            Self::Session(key) => match sessions {
                Some(sessions) => sessions.is_alive(authentication, key).await,
                None => Ok(false),
            },
            Self::Token(token) if token.end.is_some_and(|end| end <= now + EXPIRY_LEEWAY) => Ok(true),
            Self::Token(token) => {
                let credentials = Credentials::new("", token.secret.clone());
                is_accepted(authentication.authenticate(kind::BEARER, &credentials).await)
            }
        }
    }
}

impl AccessToken {
    /// Reads the claims of an accepted token; an opaque one has none. The key of a client that only acts for the user ends with the
    /// token.
    fn read(secret: &SecretString, is_delegated: bool) -> Self {
        let jwt = UnverifiedJwt::parse(secret.expose_secret()).ok();
        let none = Map::new();
        let claims = jwt.as_ref().map_or(&none, UnverifiedJwt::claims);
        let named = |name| identifier(claims, name).ok().flatten();
        let client = || ["azp", "client_id"].into_iter().find_map(|name| claims.get(name).and_then(Value::as_str));
        let sid = named("sid");
        let is_notified = sid.is_some() && named("iss").is_some() && !is_delegated;
        Self {
            secret: secret.clone(),
            issuer: claims.get("iss").and_then(Value::as_str).map(str::to_owned),
            subject: named("sub"),
            sid,
            client: client().map(str::to_owned),
            end: time(claims, "exp").ok().flatten().filter(|_| is_notified),
        }
    }
}
