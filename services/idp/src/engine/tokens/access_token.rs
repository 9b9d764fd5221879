//! Access tokens that come back.

use oidc::jose::UnverifiedJwt;
use oidc::scope::Scopes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::endpoints::IssuerEndpoints;
use crate::engine::provider::Provider;
use crate::model::{Binding, Grant, Seconds, SignIn, seconds};
use crate::seal::Purpose;

/// What opaque access tokens begin with, so that they are found where they should not be.
pub(crate) const OPAQUE: &str = "dwo_";
/// The type of JWT access tokens (RFC 9068 2.1); no other JWT of ours has it.
pub(crate) const AT_JWT: &str = "at+jwt";

/// What an access token says that was issued here and still counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PresentedToken {
    /// Names this one token (`jti`).
    #[serde(rename = "j")]
    pub token: Uuid,
    /// What it is derived from, as far as the token tells: layout, client, person, sign-in, scope, single claims, resources
    /// and actor.
    #[serde(rename = "g")]
    pub grant: Grant,
    /// What binds it: it counts only together with a proof of that key.
    #[serde(rename = "b", default)]
    pub binding: Option<Binding>,
    /// When it was issued.
    #[serde(rename = "t")]
    pub issued: Seconds,
    /// When it ends.
    #[serde(rename = "e")]
    pub expires: Seconds,
}

/// The same, as an opaque token holds it.
#[derive(Serialize)]
pub(crate) struct SealedToken<'a> {
    #[serde(rename = "j")]
    pub(crate) token: Uuid,
    #[serde(rename = "g")]
    pub(crate) grant: &'a Grant,
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    pub(crate) binding: Option<&'a Binding>,
    #[serde(rename = "t")]
    pub(crate) issued: Seconds,
    #[serde(rename = "e")]
    pub(crate) expires: Seconds,
}

/// The claims of a JWT access token, as they are read back.
#[derive(Deserialize)]
struct AccessClaims {
    iss: String,
    sub: String,
    aud: Vec<String>,
    exp: Seconds,
    iat: Seconds,
    jti: Uuid,
    client_id: String,
    /// Tokens from before this claim do not act as the user as a whole.
    #[serde(default)]
    first_party: bool,
    scope: String,
    auth_time: Option<Seconds>,
    #[serde(default)]
    acr: String,
    #[serde(default)]
    amr: Vec<String>,
    sid: Option<Uuid>,
    cnf: Option<Binding>,
    act: Option<Map<String, Value>>,
    gid: Uuid,
    cl: Option<String>,
}

impl PresentedToken {
    /// Reads an access token, and tells whether it counts: it was made here for this site, has not ended, and neither it nor
    /// its grant is revoked, nor has the session ended that it ends with. Where it is not known what other replicas have
    /// revoked, nothing counts. An ID token is never an access token (row I30). Whether a token that is bound came with the
    /// proof, the caller has to see.
    pub fn verify(provider: &Provider, endpoints: &IssuerEndpoints, text: &str) -> Option<Self> {
        let presented = Self::read(provider, endpoints, text)?;
        let revocations = &provider.revocations;
        let names = [Some(presented.grant.id), Some(presented.token), presented.grant.ends_with_session()];
        let revoked = names.into_iter().flatten().any(|name| revocations.contains(name))
            || revocations.cuts_off_grant(&presented.grant, presented.issued);
        (!revoked && revocations.is_current()).then_some(presented)
    }

    /// The same, revoked or not.
    pub(crate) fn read(provider: &Provider, endpoints: &IssuerEndpoints, text: &str) -> Option<Self> {
        let presented = match text.strip_prefix(OPAQUE) {
            Some(sealed) => Self::open(provider, endpoints, sealed)?,
            None => Self::of_jwt(provider, endpoints, text)?,
        };
        (seconds(provider.clock.now()) < presented.expires).then_some(presented)
    }

    fn open(provider: &Provider, endpoints: &IssuerEndpoints, sealed: &str) -> Option<Self> {
        let presented: Self = provider.sealer.open(Purpose::AccessToken, sealed).ok()?;
        (presented.grant.layout == endpoints.layout).then_some(presented)
    }

    fn of_jwt(provider: &Provider, endpoints: &IssuerEndpoints, text: &str) -> Option<Self> {
        let jwt = UnverifiedJwt::parse(text).ok()?;
        if !jwt.is_typ(AT_JWT) || !provider.keys.verifies(&jwt) {
            return None;
        }
        let claims: AccessClaims = serde_json::from_value(Value::Object(jwt.into_claims())).ok()?;
        (claims.iss == endpoints.issuer).then(|| claims.into_presented(endpoints)).flatten()
    }

    /// For whom it is.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.grant.client.as_str()).chain(self.grant.resources.iter().map(String::as_str))
    }
}

impl AccessClaims {
    fn into_presented(self, endpoints: &IssuerEndpoints) -> Option<PresentedToken> {
        let scope: Scopes = self.scope.parse().ok()?;
        // only where a person has signed in is the subject a person
        let sign_in = self.auth_time.map(|at| SignIn { session: self.sid, at, amr: self.amr, acr: self.acr });
        let resources = self.aud.into_iter().filter(|audience| *audience != self.client_id).collect();
        let grant = Grant {
            id: self.gid,
            layout: endpoints.layout,
            client: self.client_id,
            person: sign_in.is_some().then_some(self.sub),
            sign_in,
            scope,
            claims: self.cl,
            resources,
            actor: self.act,
            limited: !self.first_party,
        };
        Some(PresentedToken { token: self.jti, grant, binding: self.cnf, issued: self.iat, expires: self.exp })
    }
}
