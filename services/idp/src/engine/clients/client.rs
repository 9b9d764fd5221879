//! A client, as the engine sees it.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use authn::grant::is_api_scope;
use bounded_cache::HeapSize;
use oidc::certificate::CertificateName;
use oidc::client_id;
use oidc::jose::{Algorithm, KeySet};
use oidc::pkce;
use oidc::redirect::RedirectRules;
use oidc::response::ResponseType;
use oidc::scope::Scopes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::engine::scopes::KNOWN;
use crate::model::{Grant, Lifetimes};

/// Where a client comes from, which decides who may change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// It is one of those that the documents of a system name.
    BuiltIn,
    /// It stands in the configuration.
    Configured,
    /// An administrator has added it.
    Added,
    /// It has registered itself (RFC 7591).
    Registered,
}

/// How a client proves who it is (`token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// `none`: it cannot.
    None,
    /// `client_secret_basic`
    SecretBasic,
    /// `client_secret_post`
    SecretPost,
    /// `client_secret_jwt`
    SecretJwt,
    /// `private_key_jwt`
    PrivateKeyJwt,
    /// `tls_client_auth`: by a certificate with its name, which an authority vouches for.
    TlsClient,
    /// `self_signed_tls_client_auth`: by a certificate that stands in its key set.
    SelfSignedTlsClient,
}

/// A grant type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantType {
    /// `authorization_code`
    AuthorizationCode,
    /// `implicit`
    Implicit,
    /// `refresh_token`
    RefreshToken,
    /// `client_credentials`
    ClientCredentials,
    /// `urn:ietf:params:oauth:grant-type:device_code`
    DeviceCode,
    /// `urn:ietf:params:oauth:grant-type:token-exchange`
    TokenExchange,
    /// `urn:ietf:params:oauth:grant-type:jwt-bearer`
    JwtBearer,
}

impl GrantType {
    /// All there are.
    pub const ALL: [Self; Self::JwtBearer as usize + 1] = [
        Self::AuthorizationCode,
        Self::Implicit,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::TokenExchange,
        Self::JwtBearer,
    ];

    /// The grant type as it stands in the parameter `grant_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::Implicit => "implicit",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }
}

impl AuthMethod {
    /// All there are.
    pub const ALL: [Self; Self::SelfSignedTlsClient as usize + 1] = [
        Self::None,
        Self::SecretBasic,
        Self::SecretPost,
        Self::SecretJwt,
        Self::PrivateKeyJwt,
        Self::TlsClient,
        Self::SelfSignedTlsClient,
    ];

    /// The method as it stands in `token_endpoint_auth_method`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::SecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClient => "tls_client_auth",
            Self::SelfSignedTlsClient => "self_signed_tls_client_auth",
        }
    }

    /// Whether it needs a secret that both sides know.
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::SecretBasic | Self::SecretPost | Self::SecretJwt)
    }
}

/// When a person is asked whether a client may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsentPolicy {
    /// Never, unless the request says `prompt=consent`, or any program could have sent it in the client's name (RFC 8252
    /// 8.6): the client belongs to the installation.
    Trusted,
    /// Once for what it asks for; the answer is kept until the user takes it back, and counts under the same condition.
    Remembered,
    /// Each time: nobody can tell whether it is the client that asks (RFC 8252 8.6).
    Always,
}

/// What an access token looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenFormat {
    /// A JWT that resource servers verify themselves (RFC 9068).
    Jwt,
    /// A text that only this service can read.
    Opaque,
}

/// How a person is called towards a client (`subject_type`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SubjectType {
    /// By the identifier in the directory, the same for all clients.
    Public,
    /// By another one in each sector: clients of different sectors cannot tell that it is the same person.
    Pairwise {
        /// The host that the sector is named by (`OpenID` Connect Core 8.1).
        sector: String,
    },
}

/// How the roles of a person are called in the claim `roles`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleNames {
    /// `opencloudAdmin`, `opencloudSpaceAdmin`, `opencloudUser`, `opencloudGuest`.
    OpenCloud,
    /// `ocisAdmin`, `ocisSpaceAdmin`, `ocisUser`, `ocisGuest`.
    Ocis,
    /// `admin`, `spaceadmin`, `user`, `guest`.
    Plain,
}

/// What a client may do in the name of others by exchanging tokens (RFC 8693).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExchangePolicy {
    /// It may get tokens in which it does not appear as who acts.
    pub impersonate: bool,
    /// It may get tokens in which it appears as who acts for the person.
    pub delegate: bool,
    /// For whom it may get tokens (`audience`, `resource`); without any, only for itself.
    pub audiences: Vec<String>,
}

/// A secret, as it is compared: SHA-256, since secrets of clients are long and random.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretDigest {
    /// The digest.
    pub digest: [u8; 32],
    /// When it ends; never if there is no such time.
    pub expires: Option<SystemTime>,
}

/// The keys of a client.
#[derive(Clone)]
pub enum ClientKeys {
    /// They stand in its registration.
    Inline(Arc<KeySet>),
    /// They are fetched, and again when one is not among them.
    Remote(RemoteKeys),
}

/// Keys that are fetched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteKeys {
    /// `jwks_uri`
    pub uri: String,
    /// A digest of the registration: when that changes, what was fetched before does not count any more.
    pub registration: [u8; 32],
}

impl HeapSize for RemoteKeys {
    fn heap_size(&self) -> usize {
        let Self { uri, registration: _ } = self;
        uri.heap_size()
    }
}

/// What people are shown of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presentation {
    /// Its name (`client_name`); the identifier where there is none.
    pub name: String,
    /// Its home page (`client_uri`).
    pub home: Option<String>,
    /// Its logo (`logo_uri`).
    pub logo: Option<String>,
    /// What it does with data (`policy_uri`).
    pub policy: Option<String>,
    /// Its terms (`tos_uri`).
    pub terms: Option<String>,
    /// Whom to ask (`contacts`).
    pub contacts: Vec<String>,
}

/// How a client is told that somebody has signed out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogoutSettings {
    /// Where browsers may be sent afterwards (`post_logout_redirect_uris`).
    pub redirects: RedirectRules,
    /// Where the server tells it (`backchannel_logout_uri`).
    pub backchannel: Option<String>,
    /// Whether it needs `sid` there.
    pub backchannel_session: bool,
    /// What the browser loads in a frame (`frontchannel_logout_uri`).
    pub frontchannel: Option<String>,
    /// Whether it needs `iss` and `sid` there.
    pub frontchannel_session: bool,
}

/// The algorithms a client is registered for; where there is none, the usual one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signatures {
    /// `id_token_signed_response_alg`; RS256 if none.
    pub id_token: Option<Algorithm>,
    /// ID tokens are not signed at all (`none`): only from the token endpoint (`OpenID` Connect Core 2).
    pub id_token_unsigned: bool,
    /// `userinfo_signed_response_alg`; plain JSON if none.
    pub userinfo: Option<Algorithm>,
    /// Of access tokens; RS256 if none.
    pub access_token: Option<Algorithm>,
    /// `authorization_signed_response_alg` (JARM); RS256 if none.
    pub authorization: Option<Algorithm>,
    /// `request_object_signing_alg`; any if none.
    pub request_object: Option<Algorithm>,
    /// Request objects need not be signed (`request_object_signing_alg` is `none`, or nothing is said).
    pub request_object_unsigned: bool,
    /// `introspection_signed_response_alg`; plain JSON if none.
    pub introspection: Option<Algorithm>,
    /// `token_endpoint_auth_signing_alg`; any of the method's if none.
    pub assertion: Option<Algorithm>,
}

impl Signatures {
    /// What we sign with for the client, by the member of its registration.
    pub fn ours(&self) -> impl Iterator<Item = (&'static str, Algorithm)> {
        let members = [
            ("id_token_signed_response_alg", self.id_token),
            ("userinfo_signed_response_alg", self.userinfo),
            ("access_token_signed_response_alg", self.access_token),
            ("authorization_signed_response_alg", self.authorization),
            ("introspection_signed_response_alg", self.introspection),
        ];
        members.into_iter().filter_map(|(member, algorithm)| Some((member, algorithm?)))
    }
}

/// A client.
#[expect(clippy::struct_excessive_bools, reason = "each is one member of a registration")]
#[derive(Clone)]
pub struct Client {
    /// `client_id`
    pub id: String,
    /// Where it comes from.
    pub source: Source,
    /// What people are shown.
    pub presentation: Presentation,
    /// Whether it is a program on somebody's machine (`application_type` is `native`).
    pub is_native: bool,
    /// How it proves who it is.
    pub auth: AuthMethod,
    /// Its secrets: while one is exchanged, the one before still counts.
    pub secrets: Vec<SecretDigest>,
    /// The secret itself, sealed, where it is needed (`client_secret_jwt`).
    pub sealed_secret: Option<Vec<u8>>,
    /// Its keys.
    pub keys: Option<ClientKeys>,
    /// The name in its certificate (`tls_client_auth_*`).
    pub tls_name: Option<CertificateName>,
    /// Where answers may be sent.
    pub redirects: RedirectRules,
    /// What it may ask the token endpoint for.
    pub grants: BTreeSet<GrantType>,
    /// What it may ask the authorization endpoint for.
    pub responses: BTreeSet<ResponseType>,
    /// What it has to do about PKCE.
    pub pkce: pkce::Policy,
    /// When people are asked.
    pub consent: ConsentPolicy,
    /// What it may ask for; anything that is known if there is no such list.
    pub scopes: Option<Scopes>,
    /// What it gets without asking.
    pub implicit_scopes: Scopes,
    /// Only members of one of these groups may use it; everybody if there is none.
    pub groups: Vec<String>,
    /// What its access tokens look like.
    pub format: TokenFormat,
    /// How long what it gets lives.
    pub lifetimes: Lifetimes,
    /// With what it is signed.
    pub signatures: Signatures,
    /// How people are called towards it.
    pub subject: SubjectType,
    /// How roles are called towards it.
    pub roles: RoleNames,
    /// Claims that its JWT access tokens carry beside those that RFC 9068 asks for, as far as scopes allow.
    pub access_token_claims: Vec<String>,
    /// How old a sign-in may be where the request does not say (`default_max_age`).
    pub max_age: Option<Duration>,
    /// Whether ID tokens always say when somebody signed in (`require_auth_time`).
    pub needs_auth_time: bool,
    /// How people shall sign in where the request does not say (`default_acr_values`).
    pub acr_values: Vec<String>,
    /// Whether requests have to be pushed first (`require_pushed_authorization_requests`).
    pub needs_pushed: bool,
    /// Whether its tokens are bound to a `DPoP` key (`dpop_bound_access_tokens`).
    pub needs_dpop: bool,
    /// Whether its tokens are bound to its certificate (`tls_client_certificate_bound_access_tokens`).
    pub binds_certificate: bool,
    /// Where it wants a sign-in to begin (`initiate_login_uri`).
    pub initiate_login: Option<String>,
    /// Where it may be referred to for a request object (`request_uris`).
    pub request_uris: Vec<String>,
    /// How it is told of the end.
    pub logout: LogoutSettings,
    /// For which resource servers it may ask for tokens (`resource`, RFC 8707).
    pub resources: Vec<String>,
    /// What it may exchange.
    pub exchange: ExchangePolicy,
    /// Whether it may introspect every token, as a resource server; else only its own and those meant for it.
    pub introspects_all: bool,
    /// SHA-256 of the token by which it is managed (RFC 7592).
    pub management: Option<[u8; 32]>,
    /// When it was added.
    pub created: Option<SystemTime>,
}

impl Client {
    /// Whether it cannot prove who it is.
    pub fn is_public(&self) -> bool {
        self.auth == AuthMethod::None
    }

    /// Whether it is one of the installation's own, so that its tokens act as the user as a whole: built in, or trusted by the operator.
    pub fn is_first_party(&self) -> bool {
        self.source == Source::BuiltIn || self.consent == ConsentPolicy::Trusted || client_id::is_built_in(&self.id)
    }

    /// Whether the tokens of a grant, issued to it, act as the user as a whole ([`oidc::claims::FIRST_PARTY`]).
    pub fn is_first_party_for(&self, grant: &Grant) -> bool {
        self.is_first_party() && !grant.limited
    }

    /// Whether it may ask for tokens for this resource server.
    pub fn may_target(&self, resource: &str) -> bool {
        self.resources.iter().any(|allowed| allowed == resource)
    }

    /// Whether it may ask for this scope: by the list in its registration. Without one it may ask for every scope, but for those of the
    /// API only if it is one of the installation's own: they narrow what its tokens do, and widen what those of others do.
    pub fn may_ask_for(&self, scope: &str) -> bool {
        match &self.scopes {
            Some(scopes) => scopes.contains(scope),
            None => !is_api_scope(scope) || self.is_first_party(),
        }
    }

    /// Whether users can grant it this scope: it may ask for it, and the scope means something here or is in its list.
    pub fn may_be_granted(&self, scope: &str) -> bool {
        self.may_ask_for(scope) && (self.scopes.is_some() || KNOWN.contains(&scope) || is_api_scope(scope))
    }

    /// Whether it may use this grant type.
    pub fn may(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }
}

impl std::fmt::Debug for Client {
    /// Without what it proves itself by.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}
