//! What fetches a key of signed URLs. The key ends with it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{Credentials, EndedSessions, UserType, amr, kind};
use oidc::claims::{identifier, time};
use oidc::jose::UnverifiedJwt;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::Signed;
use crate::admission::Admission;
use crate::asked::Asked;
use crate::credential::Presented;
use crate::identity::Identity;
use crate::session::{Sessions, digest_of};
use crate::verdict::{Verdict, is_accepted};

/// As long before its end it is no revocation if a token is refused: clocks differ.
const SHORTLY: Duration = Duration::from_secs(10);

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
    /// Who has issued it.
    pub(super) issuer: Option<String>,
    /// Whose it is, in the issuer's words.
    pub(super) subject: Option<String>,
    /// Its session at the issuer, whose end the issuer tells.
    pub(super) sid: Option<String>,
    /// The client that it was issued to.
    pub(super) client: Option<String>,
    /// Until when the gateway is asked about it: its own end. `None` for one whose session may end without a word of the issuer; the
    /// gateway is asked about it as long as the key is used, so that the key ends with it.
    pub(super) end: Option<SystemTime>,
}

impl Fetcher {
    /// What a request was authenticated by, if a key is for that: not for app tokens, passwords, signed URLs and machines, nor for
    /// what may do only a part of what its user may.
    pub(super) fn of(asked: &Asked<'_>, identity: &Identity, sessions: Option<&Arc<Sessions>>) -> Option<Self> {
        let claims = &identity.claims;
        let is_person =
            !matches!(claims.user.id.kind, UserType::Service | UserType::Application | UserType::SpaceOwner);
        if !is_person || claims.actor.is_some() || !claims.scopes.is_full_user() {
            return None;
        }
        let is_of = |method: &str| claims.amr.iter().any(|amr| amr == method);
        match &Presented::of(asked).ok()? {
            None if !Signed::is_one(asked) => sessions?.key(asked.headers).map(Self::Session),
            Some(presented @ Presented::Bearer(secret)) if !presented.is_app_token() && !is_of(amr::APP) => {
                Some(Self::Token(AccessToken::read(secret, is_of(amr::OIDC_CLIENT))))
            }
            _ => None,
        }
    }

    /// A digest by which it is known again: a client's next token of the same session is the same fetcher.
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

    /// Whether an issuer of this process has ended its session; `None` if that cannot be told at this moment.
    pub(super) fn has_ended(&self, ended: &dyn EndedSessions) -> Option<bool> {
        match self {
            Self::Token(AccessToken { issuer: Some(issuer), sid: Some(sid), .. }) => ended.has_ended(issuer, sid),
            _ => Some(false),
        }
    }

    /// Whether it has not ended, as far as can be told at this moment.
    pub(super) async fn is_alive(
        &self,
        admission: &Admission,
        sessions: Option<&Arc<Sessions>>,
        now: SystemTime,
    ) -> Result<bool, Verdict> {
        match self {
            Self::Session(key) => match sessions {
                Some(sessions) => sessions.is_alive(admission, key).await,
                None => Ok(false),
            },
            Self::Token(token) if token.end.is_some_and(|end| end <= now + SHORTLY) => Ok(true),
            Self::Token(token) => {
                let credentials = Credentials::new("", token.secret.clone());
                is_accepted(admission.ask(kind::BEARER, &credentials).await)
            }
        }
    }
}

impl AccessToken {
    /// Reads what a token says that was accepted; of an opaque one nothing is known. A client that only acts for the user has the key as
    /// long as the token.
    fn read(secret: &SecretString, is_delegated: bool) -> Self {
        let jwt = UnverifiedJwt::parse(secret.expose_secret()).ok();
        let none = Map::new();
        let claims = jwt.as_ref().map_or(&none, UnverifiedJwt::claims);
        let named = |name| identifier(claims, name).ok().flatten();
        let client = || ["azp", "client_id"].into_iter().find_map(|name| claims.get(name).and_then(Value::as_str));
        let sid = named("sid");
        let is_told = sid.is_some() && named("iss").is_some() && !is_delegated;
        Self {
            secret: secret.clone(),
            issuer: claims.get("iss").and_then(Value::as_str).map(str::to_owned),
            subject: named("sub"),
            sid,
            client: client().map(str::to_owned),
            end: time(claims, "exp").ok().flatten().filter(|_| is_told),
        }
    }
}
