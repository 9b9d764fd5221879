//! What sign-ins, codes, grants and tokens are made of.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authn::Actor;
use authn::grant::is_api_scope;
use oidc::scope::Scopes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::endpoints::EndpointProfile;

/// Whole seconds since the epoch, as tokens have them.
pub type Seconds = u64;

/// The whole seconds of a time.
pub fn seconds(time: SystemTime) -> Seconds {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The time of whole seconds.
pub fn time_of(seconds: Seconds) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// How and when a person signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The browser session, `sid` in tokens; none where no browser was there.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
    /// When the person proved who it is (`auth_time`).
    #[serde(rename = "t")]
    pub at: Seconds,
    /// By what means (RFC 8176), as in `pwd`.
    #[serde(rename = "m")]
    pub amr: Vec<String>,
    /// How sure that is (`acr`).
    #[serde(rename = "c")]
    pub acr: String,
}

/// What binds a token to a key of the client's (RFC 7800): only who has the key may use it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Binding {
    /// The thumbprint of a `DPoP` key (RFC 9449 6.1).
    #[serde(rename = "jkt")]
    Dpop(String),
    /// The thumbprint of a client certificate (RFC 8705 3.1).
    #[serde(rename = "x5t#S256")]
    Certificate(String),
}

impl Binding {
    /// The claim `cnf`.
    pub fn to_cnf(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// What a user has granted a client: what codes, refresh tokens and access tokens are derived from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Names the grant; all tokens that are derived from it are revoked by it.
    #[serde(rename = "i")]
    pub id: Uuid,
    /// The issuer that it was granted at.
    #[serde(rename = "l")]
    pub layout: EndpointProfile,
    /// The client.
    #[serde(rename = "k")]
    pub client: String,
    /// The person's identifier in the directory; none where a client acts for itself.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// How the person signed in; none where a client acts for itself.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignIn>,
    /// What was granted, in the form of the parameter `scope`.
    #[serde(rename = "o", with = "scope_text")]
    pub scope: Scopes,
    /// Single claims that were asked for, as JSON of the parameter `claims`.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
    /// The further audiences of its tokens (RFC 8707).
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Who acts for the person, and for whom that one does (RFC 8693 4.1).
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// Whether its tokens do nothing at the API but what their scopes of the API say, whichever client they are issued to: it goes back to a
    /// token of a client that is not the installation's own, or [has lost](loses_api_scopes) the scopes of the API.
    #[serde(rename = "y", default, skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
}

/// Whether scopes of the API were asked for or granted before, and none of them is left. A token of one of the installation's own clients acts as
/// the whole user without any, so that it would do more than before.
pub fn loses_api_scopes(before: &Scopes, after: &Scopes) -> bool {
    let asks_api = |scopes: &Scopes| scopes.iter().any(is_api_scope);
    asks_api(before) && !asks_api(after)
}

impl Grant {
    /// The session that the grant ends with: that of the sign-in, unless `offline_access` was granted. Once it is revoked, tokens of
    /// the grant are refused and its codes are not redeemed.
    pub fn ends_with_session(&self) -> Option<Uuid> {
        let session = self.sign_in.as_ref()?.session?;
        (!self.scope.asks_offline()).then_some(session)
    }
}

/// An authorization code, as it is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// What it stands for; its identifier is the grant's.
    #[serde(rename = "g")]
    pub grant: Grant,
    /// Where it was sent.
    #[serde(rename = "u")]
    pub redirect_uri: String,
    /// Whether the request named that, so that redeeming it must too (RFC 6749 4.1.3).
    #[serde(rename = "w")]
    pub redirect_was_named: bool,
    /// Goes into the ID token.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// `code_challenge` and `code_challenge_method`.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<(String, String)>,
    /// The `DPoP` key that alone may redeem it (RFC 9449 10).
    #[serde(rename = "j", default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// When it was issued; a code of a former version does not say it.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<Seconds>,
    /// When it ends.
    #[serde(rename = "e")]
    pub expires: Seconds,
}

/// A family of refresh tokens: one row, whose generation tells which token of the family is the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// What its access tokens are derived from.
    pub grant: Grant,
    /// What binds its tokens.
    pub binding: Option<Binding>,
    /// The current generation, from 0.
    pub generation: u32,
    /// When the current generation began, or was last used where tokens are not rotated.
    pub rotated: SystemTime,
    /// When it was granted.
    pub created: SystemTime,
    /// When it ends if it is not used.
    pub idle_end: SystemTime,
    /// When it ends however much it is used.
    pub end: SystemTime,
}

/// A browser session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Names it to clients (`sid`).
    pub id: Uuid,
    /// SHA-256 of the secret that the browser's cookie holds.
    pub digest: [u8; 32],
    /// Who signed in.
    pub person: String,
    /// When, as whole seconds.
    pub signed_in: SystemTime,
    /// By what means (RFC 8176), with spaces between them.
    pub amr: String,
    /// When it was last used, to within a minute.
    pub seen: SystemTime,
    /// How long it may stay unused.
    pub idle: Duration,
    /// When it ends however much it is used.
    pub end: SystemTime,
    /// Whether the cookie outlives the browser.
    pub remembered: bool,
    /// What the browser called itself when its user signed in; empty if that is not known.
    pub user_agent: String,
    /// The address from which the user signed in, if that is known.
    pub address: Option<IpAddr>,
}

impl Session {
    /// Whether it is still good.
    pub fn is_alive(&self, now: SystemTime) -> bool {
        now < self.end && self.seen.checked_add(self.idle).is_none_or(|idle_end| now < idle_end)
    }
}

mod scope_text {
    use oidc::scope::Scopes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(scope: &Scopes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(scope)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scopes, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(scope: &str, session: Option<Uuid>) -> Grant {
        let sign_in = SignIn { session, at: 0, amr: Vec::new(), acr: String::new() };
        Grant {
            id: Uuid::from_u128(1),
            layout: EndpointProfile::OpenCloud,
            client: "web".to_owned(),
            person: Some("einstein".to_owned()),
            sign_in: Some(sign_in),
            scope: scope.parse().unwrap(),
            claims: None,
            resources: Vec::new(),
            actor: None,
            limited: false,
        }
    }

    #[test]
    fn grant_ends_with_its_session_unless_it_is_offline() {
        let session = Some(Uuid::from_u128(7));
        assert_eq!(grant("openid profile", session).ends_with_session(), session);
        assert_eq!(grant("openid offline_access", session).ends_with_session(), None);
        assert_eq!(grant("openid offline", session).ends_with_session(), None, "the scope of Cells");
        assert_eq!(grant("openid", None).ends_with_session(), None, "no browser was there");
        assert_eq!(Grant { sign_in: None, ..grant("openid", None) }.ends_with_session(), None, "a client for itself");
    }
}
