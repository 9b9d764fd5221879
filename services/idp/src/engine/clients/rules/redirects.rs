//! Where answers may be sent, and where browsers go after signing out.

use oidc::redirect::{AnyPort, RedirectRules, Sites, Terms};

use crate::engine::clients::client::Source;
use crate::engine::clients::metadata::{AnyPortChoice, Metadata, MetadataError};

/// The rules of one client.
pub(super) struct Redirects {
    pub(super) sign_in: RedirectRules,
    pub(super) sign_out: RedirectRules,
    /// Whether no answer may be sent anywhere.
    pub(super) is_empty: bool,
}

pub(super) fn read(
    metadata: &Metadata,
    source: Source,
    sites: &Sites,
    is_native: bool,
) -> Result<Redirects, MetadataError> {
    let none = Sites::default();
    let sites = if source.is_self_described() { &none } else { sites };
    let any_port = any_port(metadata, is_native)?;
    let both = [
        ("redirect_uris", &metadata.redirect_uris),
        ("post_logout_redirect_uris", &metadata.post_logout_redirect_uris),
    ];
    let [sign_in, sign_out] = both.map(|(member, uris)| {
        let refused = |problem: &dyn std::fmt::Display| MetadataError::new(member, problem);
        for uri in uris {
            check(uri, is_native, metadata.insecure).map_err(|problem| refused(&format!("{uri:?} {problem}")))?;
        }
        let insecure: &[String] = if metadata.insecure { uris } else { &[] };
        let terms = Terms { any_port, sites, insecure };
        RedirectRules::parse(uris.iter().map(String::as_str), &terms).map_err(|error| refused(&error))
    });
    Ok(Redirects { sign_in: sign_in?, sign_out: sign_out?, is_empty: metadata.redirect_uris.is_empty() })
}

fn any_port(metadata: &Metadata, is_native: bool) -> Result<AnyPort, MetadataError> {
    match metadata.any_port {
        None if is_native => Ok(AnyPort::Addresses),
        None | Some(AnyPortChoice::Never) => Ok(AnyPort::Never),
        Some(_) if !is_native => Err(MetadataError::new("any_port", "is for application_type native")),
        Some(AnyPortChoice::Addresses) => Ok(AnyPort::Addresses),
        Some(AnyPortChoice::Localhost) => Ok(AnyPort::AddressesAndLocalhost),
    }
}

/// What the kind of application allows; [`RedirectRules::parse`] knows the rest.
fn check(uri: &str, is_native: bool, insecure: bool) -> Result<(), &'static str> {
    let scheme = uri.split(':').next().unwrap_or_default().to_ascii_lowercase();
    match scheme.as_str() {
        // the server's own sites
        _ if uri.starts_with('#') => Ok(()),
        "https" => Ok(()),
        "http" if is_native || insecure => Ok(()),
        "http" => Err(
            "is http, which is for a native application: register the client with --native (application_type native)",
        ),
        _ if is_native || !uri.contains(':') => Ok(()),
        _ => Err(
            "has a scheme of its own, which is for a native application: register the client with --native (application_type native)",
        ),
    }
}
