//! The URLs in a client's metadata: pages that users open, and URLs that the server requests.

use std::collections::BTreeSet;

use reqwest::Url;

use crate::engine::clients::client::{LogoutSettings, Source, SubjectType};
use crate::engine::clients::metadata::{Metadata, MetadataError};

/// The longest address, in bytes.
const MAX_BYTES: usize = 2048;
/// The most request objects that are registered.
const MAX_REQUESTS: usize = 64;

fn parse(member: &str, address: &str) -> Result<Url, MetadataError> {
    let refused = |problem: &str| MetadataError::new(member, problem);
    if address.len() > MAX_BYTES {
        return Err(refused("is too long"));
    }
    let url = Url::parse(address).map_err(|_| refused("is not a URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("holds a user name or password"));
    }
    Ok(url)
}

/// Whether an address is on this machine, where plain http is safe.
fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// A page to which users are redirected.
pub(super) fn page(member: &str, address: Option<&String>, https: bool) -> Result<Option<String>, MetadataError> {
    let Some(address) = address.filter(|address| !address.is_empty()) else { return Ok(None) };
    match parse(member, address)?.scheme() {
        "https" => Ok(Some(address.clone())),
        "http" if !https => Ok(Some(address.clone())),
        _ => Err(MetadataError::new(member, "does not begin with https://")),
    }
}

/// A URL that the server requests; [`outbound::Fetcher`] decides whether it may.
pub(super) fn fetched(member: &str, address: &str) -> Result<String, MetadataError> {
    let url = parse(member, address)?;
    if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) {
        return Ok(address.to_owned());
    }
    Err(MetadataError::new(member, "does not begin with https://"))
}

pub(super) fn request_uris(metadata: &Metadata) -> Result<Vec<String>, MetadataError> {
    if metadata.request_uris.len() > MAX_REQUESTS {
        return Err(MetadataError::new("request_uris", format!("has more than {MAX_REQUESTS} entries")));
    }
    metadata.request_uris.iter().map(|uri| fetched("request_uris", uri)).collect()
}

/// How it is notified that a user has signed out.
pub(super) fn logout(metadata: &Metadata, source: Source) -> Result<LogoutSettings, MetadataError> {
    let backchannel = metadata.backchannel_logout_uri.as_ref();
    let backchannel = backchannel.map(|uri| fetched("backchannel_logout_uri", uri)).transpose()?;
    if backchannel.as_ref().is_some_and(|uri| uri.contains('#')) {
        return Err(MetadataError::new("backchannel_logout_uri", "has a fragment"));
    }
    let frontchannel = match &metadata.frontchannel_logout_uri {
        Some(uri) => Some(framed(uri, metadata, source)?),
        None => None,
    };
    Ok(LogoutSettings {
        backchannel,
        backchannel_session: metadata.backchannel_logout_session_required,
        frontchannel,
        frontchannel_session: metadata.frontchannel_logout_session_required,
        ..LogoutSettings::default()
    })
}

/// A front-channel logout URI must have the origin of a redirect URI (`OpenID` Connect Front-Channel Logout 2): otherwise a
/// client could make users' browsers request any site. An operator may configure other ones.
fn framed(uri: &str, metadata: &Metadata, source: Source) -> Result<String, MetadataError> {
    let member = "frontchannel_logout_uri";
    let address = fetched(member, uri)?;
    let url = parse(member, uri)?;
    let is_own = |redirect: &String| Url::parse(redirect).is_ok_and(|redirect| redirect.origin() == url.origin());
    if source.is_self_described() && !metadata.redirect_uris.iter().any(is_own) {
        return Err(MetadataError::new(member, "is not at the origin of a redirect URI"));
    }
    Ok(address)
}

/// The subject identifiers that it receives: pairwise, if it requests that (`OpenID` Connect Core 8.1).
pub(super) fn subject(metadata: &Metadata) -> Result<SubjectType, MetadataError> {
    let member = "sector_identifier_uri";
    let named = match &metadata.sector_identifier_uri {
        Some(uri) => parse(member, &fetched(member, uri)?)?.host_str().map(str::to_owned),
        None => None,
    };
    match metadata.subject_type.as_deref() {
        None | Some("public") => Ok(SubjectType::Public),
        Some("pairwise") => {
            let sector = named.map_or_else(|| only_host(&metadata.redirect_uris), Ok)?;
            Ok(SubjectType::Pairwise { sector })
        }
        Some(_) => Err(MetadataError::new("subject_type", "is public or pairwise")),
    }
}

fn only_host(redirects: &[String]) -> Result<String, MetadataError> {
    let host = |uri: &String| Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned));
    let hosts: Option<BTreeSet<String>> = redirects.iter().map(host).collect();
    let mut hosts = hosts.unwrap_or_default().into_iter();
    if let (Some(host), None) = (hosts.next(), hosts.next()) {
        return Ok(host);
    }
    let problem = "is needed for pairwise subjects unless all redirect URIs have one and the same host";
    Err(MetadataError::new("sector_identifier_uri", problem))
}
