//! The metadata of an issuer (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2).

use oidc::jose::Algorithm;
use oidc::request::Display;
use oidc::response::{ResponseMode, ResponseType};
use oidc::scope;
use serde_json::{Map, Value, json};

use crate::endpoints::IssuerEndpoints;
use crate::engine::claims::SUPPORTED;
use crate::engine::clients::{AuthMethod, GrantType};

/// Scopes that no standard knows.
const GROUPS: &str = "groups";
const ROLES: &str = "roles";
/// The claims of tokens that are not of the user.
const TOKEN_CLAIMS: [&str; 15] = [
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "sid",
    "at_hash",
    "c_hash",
    "s_hash",
    "jti",
];
/// How clients prove who they are with a signature: `private_key_jwt`, and `client_secret_jwt` by the last.
const ASSERTIONS: [Algorithm; 5] =
    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa, Algorithm::Hs256];

/// What is offered only where it is configured.
#[expect(clippy::struct_excessive_bools, reason = "each is offered by itself")]
#[derive(Debug, Clone, Default)]
pub(super) struct Offered {
    /// Clients may register themselves.
    pub(super) registration: bool,
    /// There is an authority for the certificates of clients, where they may show one at all.
    pub(super) verified_certificates: bool,
    /// What tokens are signed with.
    pub(super) signing: Vec<Algorithm>,
    /// ID tokens without a signature can be had.
    pub(super) unsigned_id_tokens: bool,
    /// The levels of authentication that clients may ask for.
    pub(super) levels: Vec<String>,
    /// Clients may be described by the documents at their identifiers.
    pub(super) client_documents: bool,
    /// Workloads are accepted as clients.
    pub(super) workloads: bool,
}

/// The metadata.
pub(super) fn metadata(endpoints: &IssuerEndpoints, offered: &Offered) -> Value {
    let authentication = authentication(&methods(endpoints, offered));
    let parts = [
        addresses(endpoints, offered.registration),
        documents(offered),
        certificates(endpoints),
        requests(endpoints, &offered.levels),
        signatures(offered),
        authentication,
        contents(),
        logout(),
    ];
    let members = parts.into_iter().flat_map(|part| match part {
        Value::Object(members) => members,
        _ => Map::new(),
    });
    Value::Object(members.collect())
}

fn addresses(endpoints: &IssuerEndpoints, registers: bool) -> Value {
    let paths = &endpoints.paths;
    let mut members = json!({
        "issuer": endpoints.issuer,
        "authorization_endpoint": endpoints.url(paths.authorization),
        "token_endpoint": endpoints.url(paths.token),
        "userinfo_endpoint": endpoints.url(paths.userinfo),
        "jwks_uri": endpoints.url(paths.jwks),
        "revocation_endpoint": endpoints.url(paths.revocation),
        "introspection_endpoint": endpoints.url(paths.introspection),
        "pushed_authorization_request_endpoint": endpoints.url(paths.pushed),
        "device_authorization_endpoint": endpoints.url(paths.device),
        "end_session_endpoint": endpoints.url(paths.end_session),
        "check_session_iframe": endpoints.url(paths.check_session),
    });
    if registers {
        members["registration_endpoint"] = endpoints.url(paths.registration).into();
    }
    members
}

/// That clients need not be registered (draft-ietf-oauth-client-id-metadata-document-03); nothing where they have to be.
fn documents(offered: &Offered) -> Value {
    if offered.client_documents { json!({ "client_id_metadata_document_supported": true }) } else { Value::Null }
}

/// What is there for clients with certificates (RFC 8705 3.3 and 5); nothing where they are not served.
fn certificates(endpoints: &IssuerEndpoints) -> Value {
    let paths = &endpoints.paths;
    let called = [
        ("token_endpoint", paths.token),
        ("userinfo_endpoint", paths.userinfo),
        ("revocation_endpoint", paths.revocation),
        ("introspection_endpoint", paths.introspection),
        ("pushed_authorization_request_endpoint", paths.pushed),
        ("device_authorization_endpoint", paths.device),
    ];
    let aliases: Map<String, Value> =
        called.into_iter().filter_map(|(name, path)| Some((name.to_owned(), endpoints.alias(path)?.into()))).collect();
    if aliases.is_empty() {
        return Value::Null;
    }
    json!({ "mtls_endpoint_aliases": aliases, "tls_client_certificate_bound_access_tokens": true })
}

/// How clients may prove who they are.
fn methods(endpoints: &IssuerEndpoints, offered: &Offered) -> Vec<&'static str> {
    let has_mtls = endpoints.alias("").is_some();
    let is_offered = |method: &AuthMethod| match method {
        AuthMethod::TlsClient => has_mtls && offered.verified_certificates,
        AuthMethod::SelfSignedTlsClient => has_mtls,
        AuthMethod::SpiffeJwt | AuthMethod::WorkloadJwt => offered.workloads,
        _ => true,
    };
    AuthMethod::ALL.into_iter().filter(is_offered).map(AuthMethod::name).collect()
}

fn requests(endpoints: &IssuerEndpoints, levels: &[String]) -> Value {
    // a strict issuer has nothing that comes in a fragment (OAuth 2.1)
    let has = |fragment: bool| !(endpoints.is_strict() && fragment);
    let responses = ResponseType::ALL.into_iter().filter(|response| has(*response != ResponseType::CODE));
    let modes =
        ResponseMode::ALL.map(ResponseMode::as_str).into_iter().filter(|mode| has(mode.starts_with("fragment")));
    let grants = GrantType::ALL.into_iter().filter(|grant| has(*grant == GrantType::Implicit));
    json!({
        "response_types_supported": responses.map(|response| response.to_string()).collect::<Vec<_>>(),
        "response_modes_supported": modes.collect::<Vec<_>>(),
        "grant_types_supported": grants.map(GrantType::name).collect::<Vec<_>>(),
        // plain is for clients that are registered for it, and nothing to offer
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "display_values_supported": Display::ALL.map(Display::as_str),
        "ui_locales_supported": ["en", "de", "fr"],
        "acr_values_supported": levels,
        "claims_parameter_supported": true,
        "request_parameter_supported": true,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "require_pushed_authorization_requests": false,
        "authorization_response_iss_parameter_supported": true,
    })
}

fn names(algorithms: &[Algorithm]) -> Vec<&'static str> {
    algorithms.iter().map(|algorithm| algorithm.name()).collect()
}

fn signatures(offered: &Offered) -> Value {
    let (ours, theirs) = (names(&offered.signing), names(&Algorithm::SIGNING));
    let or_none = |names: &[&'static str]| [names, &["none"]].concat();
    json!({
        "id_token_signing_alg_values_supported": if offered.unsigned_id_tokens { or_none(&ours) } else { ours.clone() },
        "userinfo_signing_alg_values_supported": ours,
        "authorization_signing_alg_values_supported": ours,
        "introspection_signing_alg_values_supported": ours,
        "request_object_signing_alg_values_supported": or_none(&theirs),
        "dpop_signing_alg_values_supported": theirs,
    })
}

fn authentication(methods: &[&str]) -> Value {
    let proving: Vec<_> = methods.iter().filter(|method| **method != AuthMethod::None.name()).collect();
    let algorithms = names(&ASSERTIONS);
    json!({
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": proving,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
    })
}

fn contents() -> Value {
    let standard = [scope::OPENID, scope::PROFILE, scope::EMAIL, scope::ADDRESS, scope::PHONE];
    let ours = [scope::OFFLINE_ACCESS, scope::OFFLINE, scope::PYDIO, GROUPS, ROLES];
    let scopes = [standard, ours].concat();
    let mut claims = TOKEN_CLAIMS.to_vec();
    claims.extend(SUPPORTED.map(|(claim, _)| claim));
    json!({
        "scopes_supported": scopes,
        "subject_types_supported": ["public", "pairwise"],
        // distributed: the groups, where a token leaves them out
        "claim_types_supported": ["normal", "distributed"],
        "claims_supported": claims,
    })
}

fn logout() -> Value {
    json!({
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
    })
}
