//! Access tokens and ID tokens.

pub mod access_token;
pub mod refresh_token;

use std::sync::Arc;
use std::time::SystemTime;

use authn::{Actor, Profile, User};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::jose::half_hash;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use self::access_token::{AT_JWT, OPAQUE, SealedToken};
use super::claims;
use super::clients::{Client, SubjectType, TokenFormat};
use super::provider::Provider;
use crate::endpoints::IssuerEndpoints;
use crate::model::{Binding, Grant, Seconds, SignIn, seconds};
use crate::seal::Purpose;

/// What tokens are made of.
pub struct Issue<'a> {
    /// The issuer.
    pub endpoints: &'a IssuerEndpoints,
    /// For whom.
    pub client: &'a Client,
    /// What was granted.
    pub grant: &'a Grant,
    /// The person, as the directory knows it now; none where a client acts for itself.
    pub user: Option<&'a Arc<User>>,
    /// The profile of that user; empty where no claim needs it.
    pub profile: &'a Profile,
    /// What binds the access token.
    pub binding: Option<&'a Binding>,
    /// What the ID token repeats.
    pub nonce: Option<&'a str>,
    /// Now.
    pub now: SystemTime,
}

/// An access token.
pub struct AccessToken {
    /// The token.
    pub text: String,
    /// Seconds it lives.
    pub expires_in: Seconds,
}

/// What an ID token is bound to (`c_hash`, `at_hash`, `s_hash`), and how it is delivered.
#[derive(Default)]
pub struct IdTokenBindings<'a> {
    /// The code.
    pub code: Option<&'a str>,
    /// The access token.
    pub access_token: Option<&'a str>,
    /// The state.
    pub state: Option<&'a str>,
    /// Whether it is returned by the authorization endpoint alone, so that it has to carry the claims of the scopes itself
    /// (`response_type=id_token`).
    pub alone: bool,
    /// Whether it comes from the authorization endpoint (never unsigned there).
    pub front_channel: bool,
}

/// The claims of a JWT access token (RFC 9068 2.2).
#[derive(Serialize)]
struct AccessClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: Vec<&'a str>,
    exp: Seconds,
    iat: Seconds,
    jti: Uuid,
    client_id: &'a str,
    /// Whether the client is one of the installation's own ([`oidc::claims::FIRST_PARTY`]).
    first_party: bool,
    /// That the subject is a service account ([`oidc::claims::SERVICE_ACCOUNT`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<bool>,
    scope: String,
    #[serde(flatten)]
    sign_in: Option<SignInClaims<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'a Binding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Actor>,
    /// The grant, by which it is revoked.
    gid: Uuid,
    /// The single claims that userinfo shall answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    cl: Option<&'a str>,
    #[serde(flatten)]
    person: Map<String, Value>,
}

/// The claims of an ID token (`OpenID` Connect Core 2).
#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: String,
    aud: [&'a str; 1],
    azp: &'a str,
    exp: Seconds,
    iat: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(flatten)]
    sign_in: Option<SignInClaims<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    c_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s_hash: Option<String>,
    #[serde(flatten)]
    person: Map<String, Value>,
}

/// How the user signed in, as both tokens have it.
#[derive(Serialize)]
struct SignInClaims<'a> {
    auth_time: Seconds,
    acr: &'a str,
    amr: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
}

impl<'a> SignInClaims<'a> {
    fn of(sign_in: &'a SignIn) -> Self {
        Self { auth_time: sign_in.at, acr: &sign_in.acr, amr: &sign_in.amr, sid: sign_in.session }
    }

    fn without_session(self) -> Self {
        Self { sid: None, ..self }
    }
}

impl Issue<'_> {
    /// Makes the access token.
    pub fn access_token(&self, provider: &Provider) -> AccessToken {
        self.access_token_until(provider, Seconds::MAX)
    }

    /// Makes an access token that does not live longer than what it is derived from.
    pub fn access_token_until(&self, provider: &Provider, end: Seconds) -> AccessToken {
        let life = provider.config.lifetimes.of(self.endpoints.layout, &self.client.lifetimes).access_token.as_secs();
        let issued = seconds(self.now);
        let expires = end.min(issued.saturating_add(life));
        let token = provider.random.uuid();
        // a JWT would show the identifier that such a client must not learn
        let is_pairwise = matches!(self.client.subject, SubjectType::Pairwise { .. });
        let text = match self.client.format {
            TokenFormat::Jwt if !is_pairwise => self.jwt(provider, token, issued, expires),
            TokenFormat::Jwt | TokenFormat::Opaque => self.opaque(provider, token, issued, expires),
        };
        AccessToken { text, expires_in: expires.saturating_sub(issued) }
    }

    fn opaque(&self, provider: &Provider, token: Uuid, issued: Seconds, expires: Seconds) -> String {
        let sealed = SealedToken { token, grant: self.grant, binding: self.binding, issued, expires };
        let mut text = provider.sealer.seal(Purpose::AccessToken, &sealed);
        text.insert_str(0, OPAQUE);
        text
    }

    fn jwt(&self, provider: &Provider, token: Uuid, issued: Seconds, expires: Seconds) -> String {
        let Self { client, grant, .. } = self;
        let more = &client.access_token_claims;
        let person = self.user.filter(|_| !more.is_empty());
        let mut aud = Vec::with_capacity(1 + grant.resources.len());
        aud.push(client.id.as_str());
        aud.extend(grant.resources.iter().map(String::as_str).filter(|resource| *resource != client.id));
        let body = AccessClaims {
            iss: &self.endpoints.issuer,
            sub: grant.person.as_deref().unwrap_or(&client.id),
            aud,
            exp: expires,
            iat: issued,
            jti: token,
            client_id: &client.id,
            first_party: client.is_first_party_for(grant),
            service_account: client.service_account.map(|_| true),
            scope: grant.scope.to_string(),
            sign_in: grant.sign_in.as_ref().map(SignInClaims::of),
            cnf: self.binding,
            act: grant.actor.as_ref(),
            gid: grant.id,
            cl: grant.claims.as_deref(),
            person: person
                .map(|user| self.bounded(provider, user, claims::named(self.subject(user), client, &grant.scope, more)))
                .unwrap_or_default(),
        };
        provider.keys.signer(provider.keys.choose(client.signatures.access_token)).jwt(AT_JWT, &body)
    }

    /// Makes the ID token. It always says when the user signed in, and else only what was asked for, and what the client
    /// is registered for: the other claims of scopes are answered by userinfo, unless there is no access token to ask it with
    /// (`OpenID` Connect Core 5.4).
    pub fn id_token(&self, provider: &Provider, bindings: &IdTokenBindings<'_>) -> String {
        let Self { client, grant, .. } = self;
        let issued = seconds(self.now);
        let life = provider.config.lifetimes.of(self.endpoints.layout, &client.lifetimes).id_token.as_secs();
        let algorithm = provider.keys.choose(client.signatures.id_token);
        let hash = |text: Option<&str>| text.map(|text| half_hash(algorithm, text));
        let sign_in = grant.sign_in.as_ref().map(SignInClaims::of);
        let body = IdClaims {
            iss: &self.endpoints.issuer,
            sub: claims::subject(&provider.sealer, client, grant.person.as_deref().unwrap_or(&client.id)),
            aud: [&client.id],
            azp: &client.id,
            exp: issued.saturating_add(life),
            iat: issued,
            nonce: self.nonce,
            sign_in: if client.learns_sessions() { sign_in } else { sign_in.map(SignInClaims::without_session) },
            at_hash: hash(bindings.access_token),
            c_hash: hash(bindings.code),
            s_hash: hash(bindings.state),
            person: self.user.map(|user| self.bounded(provider, user, self.told(user, bindings))).unwrap_or_default(),
        };
        if client.signatures.id_token_unsigned && provider.config.unsigned_id_tokens && !bindings.front_channel {
            return unsigned(&body);
        }
        provider.keys.signer(algorithm).jwt("JWT", &body)
    }

    fn bounded(&self, provider: &Provider, user: &User, told: Map<String, Value>) -> Map<String, Value> {
        claims::bounded(told, user, provider.config.max_groups_size, &self.endpoints.url(self.endpoints.paths.userinfo))
    }

    fn subject<'s>(&'s self, user: &'s User) -> claims::Subject<'s> {
        claims::Subject { user, profile: self.profile }
    }

    fn told(&self, user: &User, bindings: &IdTokenBindings<'_>) -> Map<String, Value> {
        let Self { client, grant, .. } = self;
        let mut told = if bindings.alone {
            claims::of_scopes(self.subject(user), client, &grant.scope)
        } else {
            claims::named(self.subject(user), client, &grant.scope, &client.id_token_claims)
        };
        if grant.claims.is_some() {
            claims::add_asked(&mut told, self.subject(user), client, &claims::asked(grant).id_token);
        }
        told
    }
}

/// An unsecured JWT (RFC 7519 6).
fn unsigned(claims: &impl Serialize) -> String {
    let mut text = URL_SAFE_NO_PAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims).expect("claims are JSON"), &mut text);
    text.push('.');
    text
}

#[cfg(test)]
mod tests;
