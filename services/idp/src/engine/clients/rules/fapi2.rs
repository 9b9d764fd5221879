//! What the profile `fapi2` demands of a client's metadata (FAPI 2.0 Security Profile 5.3.2 and 5.4, Message Signing 5.3 and 5.4), and
//! what it adds to what they say (`docs/security-requirements.md#i70`).

use std::time::Duration;

use oidc::jose::Algorithm;
use oidc::pkce;
use oidc::response::ResponseType;

use crate::engine::clients::client::{AuthMethod, Client, GrantType};
use crate::engine::clients::metadata::{Metadata, MetadataError, PkceChoice};

/// The longest lifetime of a code.
const CODE: Duration = Duration::from_mins(1);
/// How a client may prove who it is.
const METHODS: [AuthMethod; 3] = [AuthMethod::PrivateKeyJwt, AuthMethod::TlsClient, AuthMethod::SelfSignedTlsClient];
/// The grant types that such a client may use.
const GRANTS: [GrantType; 4] =
    [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials, GrantType::TokenExchange];

/// Checks the metadata of a client with this profile, and tightens the client that they describe.
///
/// # Errors
/// [`MetadataError`] for the first member that is weaker than the profile.
pub(super) fn apply(metadata: &Metadata, client: &mut Client) -> Result<(), MetadataError> {
    check_flows(client)?;
    check_requests(metadata)?;
    check_redirect_uris(metadata)?;
    check_algorithms(metadata)?;
    client.pkce = pkce::Policy { required: true, plain: false };
    client.needs_pushed = true;
    client.needs_dpop = !client.binds_certificate;
    client.lifetimes.code_at_most = Some(CODE);
    let signatures = &mut client.signatures;
    client.needs_signed_request |= signatures.request_object.is_some();
    signatures.request_object_unsigned = false;
    let of_id_token = *signatures.id_token.get_or_insert(Algorithm::Ps256);
    // many clients never ask for these, so that a client with strong algorithms of its own needs no further key for them
    signatures.introspection.get_or_insert(of_id_token);
    // userinfo is signed only for a client that names an algorithm
    for ours in [&mut signatures.access_token, &mut signatures.authorization] {
        ours.get_or_insert(Algorithm::Ps256);
    }
    Ok(())
}

fn refused(member: &str, problem: &str) -> MetadataError {
    MetadataError::new(member, format!("{problem} (profile fapi2)"))
}

/// Confidential clients without a shared secret, and the code flow.
fn check_flows(client: &Client) -> Result<(), MetadataError> {
    if !METHODS.contains(&client.auth) {
        let problem = "must be private_key_jwt, tls_client_auth or self_signed_tls_client_auth";
        return Err(refused("token_endpoint_auth_method", problem));
    }
    if client.responses.iter().any(|response| *response != ResponseType::CODE) {
        return Err(refused("response_types", "must be code only"));
    }
    if let Some(other) = client.grants.iter().find(|grant| !GRANTS.contains(grant)) {
        let names = GRANTS.map(GrantType::name).join(", ");
        return Err(refused("grant_types", &format!("must not have {}, only some of {names}", other.name())));
    }
    Ok(())
}

/// Pushed requests with a challenge by S256.
fn check_requests(metadata: &Metadata) -> Result<(), MetadataError> {
    if matches!(metadata.pkce, Some(PkceChoice::Optional | PkceChoice::Plain)) {
        return Err(refused("pkce", "must be left out, or required"));
    }
    if !metadata.request_uris.is_empty() {
        return Err(refused("request_uris", "must be left out: requests are pushed"));
    }
    Ok(())
}

/// No answer travels over plain HTTP, or to a scheme that several programs can claim. That http is for native applications on this
/// machine only, the rules of all clients say.
fn check_redirect_uris(metadata: &Metadata) -> Result<(), MetadataError> {
    if metadata.insecure {
        return Err(refused("insecure", "must be left out"));
    }
    let is_web = |uri: &str| {
        let scheme = uri.split(':').next().unwrap_or_default();
        // a `#` begins one of the server's own sites
        uri.starts_with('#') || scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
    };
    match metadata.redirect_uris.iter().find(|uri| !is_web(uri)) {
        Some(uri) => Err(refused("redirect_uris", &format!("{uri:?} must begin with https://"))),
        None => Ok(()),
    }
}

/// Neither RS256, nor a shared secret, nor no signature (Security Profile 5.4.1).
fn check_algorithms(metadata: &Metadata) -> Result<(), MetadataError> {
    let members = [
        ("id_token_signed_response_alg", &metadata.id_token_signed_response_alg),
        ("userinfo_signed_response_alg", &metadata.userinfo_signed_response_alg),
        ("access_token_signed_response_alg", &metadata.access_token_signed_response_alg),
        ("authorization_signed_response_alg", &metadata.authorization_signed_response_alg),
        ("introspection_signed_response_alg", &metadata.introspection_signed_response_alg),
        ("request_object_signing_alg", &metadata.request_object_signing_alg),
        ("token_endpoint_auth_signing_alg", &metadata.token_endpoint_auth_signing_alg),
    ];
    let is_allowed = |name: &str| Algorithm::FAPI.iter().any(|algorithm| algorithm.name() == name);
    let weak = members.into_iter().find(|(_, name)| name.as_deref().is_some_and(|name| !is_allowed(name)));
    match weak {
        Some((member, _)) => {
            let names = Algorithm::FAPI.map(Algorithm::name).join(", ");
            Err(refused(member, &format!("must be one of {names}")))
        }
        None => Ok(()),
    }
}
