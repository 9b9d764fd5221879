//! Validates metadata and builds a client from it.

mod addresses;
mod certificate;
mod fapi2;
mod flows;
mod redirects;
mod signatures;
mod transaction_tokens;
mod workload;

use std::sync::Arc;
use std::time::Duration;

use authn::grant::is_api_scope;
use oidc::jose::KeySet;
use oidc::pkce;
use oidc::redirect::Sites;
use oidc::scope::Scopes;

use super::client::{
    AuthMethod, Client, ClientKeys, ConsentPolicy, LogoutSettings, Presentation, RemoteKeys, RoleNames,
    SecurityProfile, Source, TokenFormat,
};
use super::metadata::{Metadata, MetadataError, PkceChoice, ProfileChoice, Span};
use crate::lifetimes::ClientLifetimes;

/// The longest identifier, in bytes.
const MAX_ID: usize = 512;
/// The longest text that users see, in characters.
const MAX_TEXT: usize = 256;
/// The most entries of a list.
const MAX_ENTRIES: usize = 64;
const DAY: Duration = Duration::from_hours(24);

impl Client {
    /// The client that this metadata describes, still without a secret. `sites` are those of the server itself, which
    /// replace the macros in redirect URIs; a client that describes itself may not use these.
    ///
    /// # Errors
    /// [`MetadataError`] for the first member that is invalid or contradicts others.
    pub fn from_metadata(metadata: &Metadata, source: Source, sites: &Sites) -> Result<Self, MetadataError> {
        let id = id(metadata)?;
        let is_native = is_native(metadata)?;
        let auth = auth(metadata)?;
        let (grants, responses) = flows::read(metadata, auth)?;
        let redirects = redirects::read(metadata, source, sites, is_native)?;
        if redirects.is_empty && !responses.is_empty() {
            return Err(MetadataError::new("redirect_uris", "must name at least one"));
        }
        let mut client = Self {
            presentation: presentation(metadata, source, &id)?,
            secrets: Vec::new(),
            sealed_secret: None,
            keys: keys(metadata, auth)?,
            tls_name: certificate::name(metadata, auth)?,
            spiffe_id: workload::spiffe_id(metadata, auth)?,
            redirects: redirects.sign_in,
            pkce: pkce_policy(metadata, auth),
            consent: consent(metadata, is_native, auth),
            scopes: listed_scopes(metadata, source)?,
            implicit_scopes: scopes("implicit_scopes", metadata.implicit_scopes.iter().map(String::as_str))?,
            groups: list("allowed_groups", &metadata.allowed_groups)?,
            format: metadata.access_token_format.unwrap_or(TokenFormat::Jwt),
            lifetimes: lifetimes(metadata)?,
            signatures: signatures::read(metadata, auth, &responses)?,
            subject: addresses::subject(metadata)?,
            roles: metadata.roles.unwrap_or(RoleNames::OpenCloud),
            access_token_claims: list("access_token_claims", &metadata.access_token_claims)?,
            id_token_claims: list("id_token_claims", &metadata.id_token_claims)?,
            max_age: metadata.default_max_age.map(Duration::from_secs),
            needs_auth_time: metadata.require_auth_time,
            acr_values: list("default_acr_values", &metadata.default_acr_values)?,
            needs_pushed: metadata.require_pushed_authorization_requests,
            needs_signed_request: metadata.require_signed_request_object,
            needs_dpop: metadata.dpop_bound_access_tokens,
            binds_certificate: certificate::binds(metadata)?,
            initiate_login: addresses::page("initiate_login_uri", metadata.initiate_login_uri.as_ref(), true)?,
            request_uris: addresses::request_uris(metadata)?,
            logout: LogoutSettings { redirects: redirects.sign_out, ..addresses::logout(metadata, source)? },
            resources: list("resources", &metadata.resources)?,
            exchange: metadata.exchange.clone().unwrap_or_default(),
            transaction_tokens: transaction_tokens::policy(metadata, auth, &id)?,
            introspects_all: privileged(metadata, auth)?,
            service_account: None,
            management: None,
            created: None,
            id,
            source,
            profile: profile(metadata),
            is_native,
            auth,
            grants,
            response_modes: flows::response_modes(metadata, &responses)?,
            responses,
        };
        if client.is_fapi2() {
            fapi2::apply(metadata, &mut client)?;
        }
        Ok(client)
    }
}

fn id(metadata: &Metadata) -> Result<String, MetadataError> {
    let refused = |problem: &str| Err(MetadataError::new("client_id", problem));
    match metadata.client_id.as_deref() {
        None | Some("") => refused("is missing"),
        Some(id) if id.len() > MAX_ID => refused("is too long"),
        Some(id) if !id.bytes().all(|byte| byte.is_ascii_graphic()) => {
            refused("has other than visible ASCII characters")
        }
        Some(id) => Ok(id.to_owned()),
    }
}

fn profile(metadata: &Metadata) -> SecurityProfile {
    match metadata.profile {
        None => SecurityProfile::Standard,
        Some(ProfileChoice::Fapi2) => SecurityProfile::Fapi2,
    }
}

fn is_native(metadata: &Metadata) -> Result<bool, MetadataError> {
    match metadata.application_type.as_deref() {
        None | Some("web") => Ok(false),
        Some("native") => Ok(true),
        Some(_) => Err(MetadataError::new("application_type", "is web or native")),
    }
}

fn auth(metadata: &Metadata) -> Result<AuthMethod, MetadataError> {
    let Some(name) = metadata.token_endpoint_auth_method.as_deref() else { return Ok(AuthMethod::SecretBasic) };
    let known = AuthMethod::ALL.into_iter().find(|method| method.name() == name);
    known.ok_or_else(|| {
        let names = AuthMethod::ALL.map(AuthMethod::name).join(", ");
        MetadataError::new("token_endpoint_auth_method", format!("is one of {names}"))
    })
}

fn keys(metadata: &Metadata, auth: AuthMethod) -> Result<Option<ClientKeys>, MetadataError> {
    match (&metadata.jwks, &metadata.jwks_uri) {
        (Some(_), Some(_)) => Err(MetadataError::new("jwks", "must not be combined with jwks_uri")),
        (Some(jwks), None) => {
            let refused = |error: &dyn std::fmt::Display| MetadataError::new("jwks", error);
            let set = KeySet::parse(jwks.to_string().as_bytes()).map_err(|error| refused(&error))?;
            if set.is_empty() {
                return Err(refused(&"holds no key that can be used"));
            }
            Ok(Some(ClientKeys::Inline(Arc::new(set))))
        }
        (None, Some(uri)) => {
            let uri = addresses::fetched("jwks_uri", uri)?;
            Ok(Some(ClientKeys::Remote(RemoteKeys { uri, registration: metadata.digest() })))
        }
        (None, None) if matches!(auth, AuthMethod::PrivateKeyJwt | AuthMethod::SelfSignedTlsClient) => {
            Err(MetadataError::new("jwks", format!("{} needs jwks or jwks_uri", auth.name())))
        }
        (None, None) => Ok(None),
    }
}

fn pkce_policy(metadata: &Metadata, auth: AuthMethod) -> pkce::Policy {
    match metadata.pkce {
        Some(PkceChoice::Required) => pkce::Policy { required: true, plain: false },
        Some(PkceChoice::Optional) => pkce::Policy { required: false, plain: false },
        Some(PkceChoice::Plain) => pkce::Policy { required: false, plain: true },
        None => pkce::Policy { required: auth == AuthMethod::None, plain: false },
    }
}

/// The consent policy. A public native client cannot be distinguished from another program that uses its identifier (RFC 8252 8.6).
fn consent(metadata: &Metadata, is_native: bool, auth: AuthMethod) -> ConsentPolicy {
    let usual = if is_native && auth == AuthMethod::None { ConsentPolicy::Always } else { ConsentPolicy::Remembered };
    metadata.consent.unwrap_or(usual)
}

fn scopes<'a>(member: &str, tokens: impl IntoIterator<Item = &'a str>) -> Result<Scopes, MetadataError> {
    Scopes::of(tokens).map_err(|error| MetadataError::new(member, error))
}

/// The scopes that it may request. A client that describes itself cannot get those of the API (RFC 7591 2: the server may replace
/// requested values).
fn listed_scopes(metadata: &Metadata, source: Source) -> Result<Option<Scopes>, MetadataError> {
    let Some(text) = metadata.scope.as_deref() else { return Ok(None) };
    let may = |token: &&str| !source.is_self_described() || !is_api_scope(token);
    scopes("scope", text.split_whitespace().filter(may)).map(Some)
}

/// A list of short texts.
fn list(member: &str, entries: &[String]) -> Result<Vec<String>, MetadataError> {
    if entries.len() > MAX_ENTRIES {
        return Err(MetadataError::new(member, format!("has more than {MAX_ENTRIES} entries")));
    }
    entries.iter().map(|entry| text(member, entry)).collect()
}

/// A short text without characters that could corrupt a page or a log.
fn text(member: &str, text: &str) -> Result<String, MetadataError> {
    if text.chars().count() > MAX_TEXT {
        return Err(MetadataError::new(member, format!("is longer than {MAX_TEXT} characters")));
    }
    if text.chars().any(disturbs) {
        return Err(MetadataError::new(member, "has control characters"));
    }
    Ok(text.trim().to_owned())
}

/// Control characters, and those that change the direction of writing, with which a name could look like another.
fn disturbs(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn presentation(metadata: &Metadata, source: Source, id: &str) -> Result<Presentation, MetadataError> {
    let https = source.is_self_described();
    let name = text("client_name", metadata.client_name.as_deref().unwrap_or_default())?;
    Ok(Presentation {
        name: if name.is_empty() { id.to_owned() } else { name },
        home: addresses::page("client_uri", metadata.client_uri.as_ref(), https)?,
        logo: addresses::page("logo_uri", metadata.logo_uri.as_ref(), https)?,
        policy: addresses::page("policy_uri", metadata.policy_uri.as_ref(), https)?,
        terms: addresses::page("tos_uri", metadata.tos_uri.as_ref(), https)?,
        contacts: list("contacts", &metadata.contacts)?,
    })
}

fn lifetimes(metadata: &Metadata) -> Result<ClientLifetimes, MetadataError> {
    let within = |name: &str, span: Option<Span>, most: Duration| match span {
        Some(Span(span)) if span < Duration::from_secs(1) || span > most => {
            Err(MetadataError::new("lifetimes", format!("{name} must be from 1s to {}s", most.as_secs())))
        }
        span => Ok(span.map(|Span(span)| span)),
    };
    let own = &metadata.lifetimes;
    let long = 3650 * DAY;
    Ok(ClientLifetimes {
        access_token: within("access_token", own.access_token, DAY)?,
        id_token: within("id_token", own.id_token, DAY)?,
        refresh_token: within("refresh_token", own.refresh_token, long)?,
        refresh_token_absolute: within("refresh_token_absolute", own.refresh_token_absolute, long)?,
        code: within("code", own.code, Duration::from_mins(10))?,
        code_at_most: None,
    })
}

/// Whether it may introspect every token, which a public client never may.
fn privileged(metadata: &Metadata, auth: AuthMethod) -> Result<bool, MetadataError> {
    let refused = |member: &str| {
        Err(MetadataError::new(member, "is not for a client that cannot prove who it is (token_endpoint_auth_method)"))
    };
    match auth {
        AuthMethod::None if metadata.introspects_all => refused("introspects_all"),
        AuthMethod::None if metadata.exchange.as_ref().is_some_and(|own| own.impersonate || own.delegate) => {
            refused("exchange")
        }
        _ => Ok(metadata.introspects_all),
    }
}
