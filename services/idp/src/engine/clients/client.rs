//! A registered client.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use authn::CallerName;
use authn::grant::is_api_scope;
use bounded_cache::HeapSize;
use oidc::certificate::CertificateName;
use oidc::client_id;
use oidc::jose::{Algorithm, KeySet};
use oidc::pkce;
use oidc::redirect::RedirectRules;
use oidc::response::{ResponseMode, ResponseType};
use oidc::scope::Scopes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use token::transaction::WorkloadPolicy;

use super::service_account::ServiceAccount;
use crate::engine::scopes::KNOWN;
use crate::lifetimes::ClientLifetimes;
use crate::model::Grant;

/// The origin of a registration, which decides who may change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Built in, as the documentation of a system names it.
    BuiltIn,
    /// From the configuration.
    Configured,
    /// Added by an administrator.
    Added,
    /// Dynamically registered (RFC 7591).
    Registered,
    /// Described by the document at its `client_id`.
    Document,
}

impl Source {
    /// Whether the client has written its metadata itself, and no operator has checked them (row I33).
    pub const fn is_self_described(self) -> bool {
        match self {
            Self::Registered | Self::Document => true,
            Self::BuiltIn | Self::Configured | Self::Added => false,
        }
    }
}

/// The security profile that a client follows (`profile`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecurityProfile {
    /// What its other metadata say.
    Standard,
    /// FAPI 2.0 (`fapi2`).
    Fapi2,
}

/// How a client authenticates (`token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// `none`: a public client.
    None,
    /// `client_secret_basic`
    SecretBasic,
    /// `client_secret_post`
    SecretPost,
    /// `client_secret_jwt`
    SecretJwt,
    /// `private_key_jwt`
    PrivateKeyJwt,
    /// `tls_client_auth`: by a certificate of a trusted authority with its name.
    TlsClient,
    /// `self_signed_tls_client_auth`: by a certificate from its key set.
    SelfSignedTlsClient,
    /// `spiffe_jwt`: by a JWT-SVID (draft-ietf-oauth-spiffe-client-auth-02).
    SpiffeJwt,
    /// `workload_jwt`: by a token of an issuer of the policy for workloads.
    WorkloadJwt,
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
    pub const ALL: [Self; Self::WorkloadJwt as usize + 1] = [
        Self::None,
        Self::SecretBasic,
        Self::SecretPost,
        Self::SecretJwt,
        Self::PrivateKeyJwt,
        Self::TlsClient,
        Self::SelfSignedTlsClient,
        Self::SpiffeJwt,
        Self::WorkloadJwt,
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
            Self::SpiffeJwt => "spiffe_jwt",
            Self::WorkloadJwt => "workload_jwt",
        }
    }

    /// Whether it needs a secret that both sides know.
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::SecretBasic | Self::SecretPost | Self::SecretJwt)
    }
}

/// When the user is asked for consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsentPolicy {
    /// Never, as the client belongs to the installation, unless the request has `prompt=consent`, or could be from an
    /// impersonating program (RFC 8252 8.6).
    Trusted,
    /// Once for each scope. The consent is stored until the user revokes it, and applies under the same condition.
    Remembered,
    /// Each time, as the identity of the client cannot be verified (RFC 8252 8.6).
    Always,
}

/// The format of access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenFormat {
    /// A JWT that resource servers verify themselves (RFC 9068).
    Jwt,
    /// An opaque token that only this service can read.
    Opaque,
}

/// The subject identifiers that a client receives (`subject_type`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SubjectType {
    /// `public`: the identifier in the directory, the same for all clients.
    Public,
    /// `pairwise`: another identifier in each sector, so that clients of different sectors cannot correlate users.
    Pairwise {
        /// The host of the sector (`OpenID` Connect Core 8.1).
        sector: String,
    },
}

/// The names of roles in the claim `roles`.
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

/// What a client may do on behalf of users with token exchange (RFC 8693).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExchangePolicy {
    /// It may get tokens without `act` (impersonation).
    pub impersonate: bool,
    /// It may get tokens that name it in `act` (delegation).
    pub delegate: bool,
    /// The targets for which it may get tokens (`audience`, `resource`); without any, only itself.
    pub audiences: Vec<String>,
}

/// What a client may request transaction tokens for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionPolicy {
    /// The scopes and names that it may request.
    pub allowed: WorkloadPolicy,
    /// How long its tokens are valid at most; as the setting says if it has no lifetime of its own.
    pub lifetime: Option<Duration>,
}

/// A secret, as it is compared: SHA-256, since secrets of clients are long and random.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretDigest {
    /// The digest.
    pub digest: [u8; 32],
    /// When it expires; never if there is no such time.
    pub expires: Option<SystemTime>,
}

/// The keys of a client.
#[derive(Clone)]
pub enum ClientKeys {
    /// Part of its registration (`jwks`).
    Inline(Arc<KeySet>),
    /// Fetched, and fetched again when a key is missing.
    Remote(RemoteKeys),
}

/// Keys that are fetched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteKeys {
    /// `jwks_uri`
    pub uri: String,
    /// A digest of the registration: keys that were fetched for a former registration are not used.
    pub registration: [u8; 32],
}

impl HeapSize for RemoteKeys {
    fn heap_size(&self) -> usize {
        let Self { uri, registration: _ } = self;
        uri.heap_size()
    }
}

/// The description of a client that users see.
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

/// How a client is notified that a user has signed out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogoutSettings {
    /// The redirect URIs after the sign-out (`post_logout_redirect_uris`).
    pub redirects: RedirectRules,
    /// The URI to which the server sends logout tokens (`backchannel_logout_uri`).
    pub backchannel: Option<String>,
    /// Whether it needs `sid` there.
    pub backchannel_session: bool,
    /// The URI that the browser loads in a frame (`frontchannel_logout_uri`).
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
    /// `introspection_signed_response_alg`: of the responses to requests that ask for a signed one; the usual one if none.
    pub introspection: Option<Algorithm>,
    /// `token_endpoint_auth_signing_alg`; any of the method's if none.
    pub assertion: Option<Algorithm>,
}

impl Signatures {
    /// The algorithms with which the server signs for the client, by the member of its registration.
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
    /// The origin of its registration.
    pub source: Source,
    /// The description that users see.
    pub presentation: Presentation,
    /// The security profile that it follows.
    pub profile: SecurityProfile,
    /// Whether it is a native application (`application_type` is `native`).
    pub is_native: bool,
    /// How it authenticates.
    pub auth: AuthMethod,
    /// Its secrets: while one is rotated, the former one is still valid.
    pub secrets: Vec<SecretDigest>,
    /// The secret itself, sealed, where it is needed (`client_secret_jwt`).
    pub sealed_secret: Option<Vec<u8>>,
    /// Its keys.
    pub keys: Option<ClientKeys>,
    /// The name in its certificate (`tls_client_auth_*`).
    pub tls_name: Option<CertificateName>,
    /// The SPIFFE IDs of the workloads that it is (`spiffe_id`).
    pub spiffe_id: Option<CallerName>,
    /// Its redirect URIs.
    pub redirects: RedirectRules,
    /// Its grant types.
    pub grants: BTreeSet<GrantType>,
    /// Its response types.
    pub responses: BTreeSet<ResponseType>,
    /// Its response modes (`response_modes`); all of them if there is no such list.
    pub response_modes: Option<BTreeSet<ResponseMode>>,
    /// Its PKCE requirements.
    pub pkce: pkce::Policy,
    /// When users are asked for consent.
    pub consent: ConsentPolicy,
    /// The scopes that it may request; all known ones if there is no such list.
    pub scopes: Option<Scopes>,
    /// The scopes that it gets by default.
    pub implicit_scopes: Scopes,
    /// Only members of one of these groups may use it; all users if there is none.
    pub groups: Vec<String>,
    /// The format of its access tokens.
    pub format: TokenFormat,
    /// The lifetimes of its tokens.
    pub lifetimes: ClientLifetimes,
    /// Its signing algorithms.
    pub signatures: Signatures,
    /// The subject identifiers that it receives.
    pub subject: SubjectType,
    /// The role names that it receives.
    pub roles: RoleNames,
    /// Claims of its JWT access tokens in addition to those that RFC 9068 requires, as far as scopes allow.
    pub access_token_claims: Vec<String>,
    /// Claims of its ID tokens in addition to those that `OpenID` Connect requires, as far as scopes allow: for clients that do not call
    /// userinfo.
    pub id_token_claims: Vec<String>,
    /// The `max_age` of requests without one (`default_max_age`).
    pub max_age: Option<Duration>,
    /// Whether ID tokens always have `auth_time` (`require_auth_time`).
    pub needs_auth_time: bool,
    /// The `acr_values` of requests without any (`default_acr_values`).
    pub acr_values: Vec<String>,
    /// Whether requests have to be pushed (`require_pushed_authorization_requests`).
    pub needs_pushed: bool,
    /// Whether requests have to be in a signed JWT (`require_signed_request_object`, RFC 9101 10.5).
    pub needs_signed_request: bool,
    /// Whether its tokens are bound to a `DPoP` key (`dpop_bound_access_tokens`).
    pub needs_dpop: bool,
    /// Whether its tokens are bound to its certificate (`tls_client_certificate_bound_access_tokens`).
    pub binds_certificate: bool,
    /// The URI at which a third party can initiate a sign-in (`initiate_login_uri`).
    pub initiate_login: Option<String>,
    /// The allowed URIs of request objects (`request_uris`).
    pub request_uris: Vec<String>,
    /// How it is notified of sign-outs.
    pub logout: LogoutSettings,
    /// The resource servers for which it may request tokens (`resource`, RFC 8707).
    pub resources: Vec<String>,
    /// What it may do with token exchange.
    pub exchange: ExchangePolicy,
    /// What it may request transaction tokens for, if it may.
    pub transaction_tokens: Option<TransactionPolicy>,
    /// The service account that it is. It is not registered then.
    pub service_account: Option<ServiceAccount>,
    /// Whether it may introspect every token, as a resource server; else only its own and those meant for it.
    pub introspects_all: bool,
    /// SHA-256 of the token by which it is managed (RFC 7592).
    pub management: Option<[u8; 32]>,
    /// When it was added.
    pub created: Option<SystemTime>,
}

impl Client {
    /// Whether it follows the FAPI 2.0 Security Profile.
    pub fn is_fapi2(&self) -> bool {
        self.profile == SecurityProfile::Fapi2
    }

    /// Whether its ID tokens name the session (`sid`). Under FAPI 2.0 only where that has a use: for a client that is notified when a user
    /// signs out, or that may exchange them for tokens, which end with the session.
    pub fn learns_sessions(&self) -> bool {
        let is_notified = self.logout.backchannel.is_some() || self.logout.frontchannel.is_some();
        !self.is_fapi2() || is_notified || self.may(GrantType::TokenExchange)
    }

    /// Whether it is a public client.
    pub fn is_public(&self) -> bool {
        self.auth == AuthMethod::None
    }

    /// Whether it is one of the installation's own, so that its tokens act as the user as a whole: built in, or trusted by the
    /// operator.
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

    /// Whether it may ask for this scope: by the list in its registration. Without one it may ask for every scope, but for those of
    /// the API only if it is one of the installation's own: they narrow what its tokens do, and widen what those of others do.
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

    /// Whether it may sign with this algorithm, where its registration names `registered` for what is signed.
    pub fn may_sign_with(&self, algorithm: Algorithm, registered: Option<Algorithm>) -> bool {
        match registered {
            Some(registered) => algorithm == registered,
            None => !self.is_fapi2() || Algorithm::FAPI.contains(&algorithm),
        }
    }

    /// Whether it may use this grant type.
    pub fn may(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }
}

impl std::fmt::Debug for Client {
    /// Without its credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}
