//! The content of a client ID metadata document.

use authn::grant::is_api_scope;
use oidc::pkce;
use oidc::scope::Scopes;
use serde_json::{Map, Value};

use crate::engine::clients::client::{AuthMethod, Client, ConsentPolicy, GrantType};
use crate::engine::clients::metadata::{AnyPortChoice, Metadata, MetadataError};
use crate::engine::scopes::KNOWN;

/// The members that are read; any other is ignored. Addresses to which the server would send something by itself are not among them.
const MEMBERS: [&str; 24] = [
    "application_type",
    "authorization_signed_response_alg",
    "client_id",
    "client_name",
    "client_uri",
    "contacts",
    "dpop_bound_access_tokens",
    "grant_types",
    "id_token_signed_response_alg",
    "jwks",
    "jwks_uri",
    "logo_uri",
    "policy_uri",
    "post_logout_redirect_uris",
    "profile",
    "redirect_uris",
    "request_object_signing_alg",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "response_modes",
    "scope",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "tos_uri",
];
/// Nothing in a document is secret.
const SECRETS: [&str; 2] = ["client_secret", "client_secret_expires_at"];
/// The grant types that such clients can have.
const GRANTS: [GrantType; 2] = [GrantType::AuthorizationCode, GrantType::RefreshToken];

/// Reads the document at `id`.
///
/// # Errors
/// [`MetadataError`] for one of another type or client, with a secret, or with an invalid member.
pub(super) fn read(id: &str, media_type: &str, body: &[u8]) -> Result<Metadata, MetadataError> {
    let is_json = media_type == "application/json"
        || media_type.strip_prefix("application/").is_some_and(|subtype| subtype.ends_with("+json"));
    if !is_json {
        return Err(MetadataError::new("metadata", "is not of the type application/json"));
    }
    let members: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| MetadataError::new("metadata", "is no JSON object"))?;
    if members.get("client_id").and_then(Value::as_str) != Some(id) {
        return Err(MetadataError::new("client_id", "is not the URL of the document"));
    }
    if let Some(secret) = SECRETS.into_iter().find(|name| members.contains_key(*name)) {
        return Err(MetadataError::new(secret, "must not be in a document"));
    }
    let is_read = |name: &str| MEMBERS.contains(&name) || name.contains('#');
    let metadata = Metadata::of_stranger(members.into_iter().filter(|(name, _)| is_read(name)).collect())?;
    completed(metadata)
}

/// With the defaults of documents, which differ from those of RFC 7591.
fn completed(mut metadata: Metadata) -> Result<Metadata, MetadataError> {
    let method = metadata.token_endpoint_auth_method.get_or_insert_with(|| AuthMethod::None.name().to_owned()).as_str();
    if ![AuthMethod::None, AuthMethod::PrivateKeyJwt].iter().any(|one| one.name() == method) {
        return Err(MetadataError::new("token_endpoint_auth_method", "is none or private_key_jwt in a document"));
    }
    let is_offered = |name: &String| GRANTS.iter().any(|grant| grant.name() == name);
    let code = GrantType::AuthorizationCode.name();
    let grants = metadata.grant_types.take().unwrap_or_else(|| vec![code.to_owned()]);
    if !grants.iter().any(|grant| grant == code) {
        return Err(MetadataError::new("grant_types", "lacks authorization_code"));
    }
    metadata.grant_types = Some(grants.into_iter().filter(is_offered).collect());
    metadata.response_types = Some(vec!["code".to_owned()]);
    // programs on the user's device often leave it out
    if metadata.application_type.is_none() && !metadata.redirect_uris.iter().all(|uri| uri.starts_with("https://")) {
        metadata.application_type = Some("native".to_owned());
    }
    if metadata.application_type.as_deref() == Some("native") {
        // such programs listen at a port that the system gives them, and many write localhost (RFC 8252 7.3, 8.3)
        metadata.any_port = Some(AnyPortChoice::Localhost);
    }
    Ok(metadata)
}

/// Sets what no document decides. `api_scopes` are those of the API that such clients can be granted.
pub(super) fn restrict(client: &mut Client, metadata: &Metadata, api_scopes: &[String]) -> Result<(), MetadataError> {
    client.pkce = pkce::Policy { required: true, plain: false };
    // any program on a device can receive what is sent to its loopback addresses and custom schemes (RFC 8252 8.6)
    client.consent = if client.is_native { ConsentPolicy::Always } else { ConsentPolicy::Remembered };
    if !api_scopes.is_empty() {
        let api_scopes = api_scopes.iter().map(String::as_str);
        let scopes = match metadata.scope.as_deref() {
            Some(named) => {
                let others = named.split_whitespace().filter(|token| !is_api_scope(token));
                let api_scopes = api_scopes.filter(|token| named.split_whitespace().any(|one| one == *token));
                Scopes::of(others.chain(api_scopes))
            }
            None => Scopes::of(KNOWN.into_iter().chain(api_scopes)),
        };
        client.scopes = Some(scopes.map_err(|error| MetadataError::new("scope", error))?);
    }
    Ok(())
}
