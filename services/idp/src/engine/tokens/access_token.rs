//! Verifies access tokens.

use authn::Actor;
use oidc::jose::UnverifiedJwt;
use oidc::scope::Scopes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::endpoints::IssuerEndpoints;
use crate::engine::provider::Provider;
use crate::model::{Binding, Grant, Seconds, SignIn, seconds};
use crate::seal::Purpose;

/// The prefix of opaque access tokens, by which scanners find leaked ones.
pub(crate) const OPAQUE: &str = "dwo_";
/// The type of JWT access tokens (RFC 9068 2.1), which no other JWT of this server has.
pub(crate) const AT_JWT: &str = "at+jwt";

/// The content of a valid access token of this server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PresentedToken {
    /// The identifier of this token (`jti`).
    #[serde(rename = "j")]
    pub token: Uuid,
    /// What it is derived from, as far as the token tells: layout, client, person, sign-in, scope, single claims, resources
    /// and actor.
    #[serde(rename = "g")]
    pub grant: Grant,
    /// The key or certificate to which it is bound: it is valid only with a proof of possession.
    #[serde(rename = "b", default)]
    pub binding: Option<Binding>,
    /// When it was issued.
    #[serde(rename = "t")]
    pub issued: Seconds,
    /// When it expires.
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
    act: Option<Actor>,
    gid: Uuid,
    cl: Option<String>,
}

impl PresentedToken {
    /// Verifies an access token: it was issued by this issuer and has not expired, neither it nor its grant is revoked, and the
    /// session on which it depends has not ended. While the revocations of other replicas are unknown, no token is valid. An ID
    /// token is never accepted (`docs/security-requirements.md#i30`). The caller has to check the proof of possession of a bound
    /// token.
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

    /// Its audience.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.grant.client.as_str()).chain(self.grant.resources.iter().map(String::as_str))
    }
}

impl AccessClaims {
    fn into_presented(self, endpoints: &IssuerEndpoints) -> Option<PresentedToken> {
        let scope: Scopes = self.scope.parse().ok()?;
        // the subject is a user only if a user has signed in
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
