//! Certificates that clients show (RFC 8705): by what they prove who they are, and what binds their tokens.

use axum::http::Extensions;
use oidc::certificate::{Certificate, thumbprint};
use runtime::ClientCertificate;

use crate::clients::{AuthMethod, Client};
use crate::endpoints::Site;
use crate::model::Binding;
use crate::provider::Provider;

/// Marks requests that came by the listener for clients with certificates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByMtls;

/// The URL by which the endpoint at this path was called.
pub(crate) fn called(site: &Site, extensions: &Extensions, path: &str) -> String {
    let alias = extensions.get::<ByMtls>().and_then(|_| site.alias(path));
    alias.unwrap_or_else(|| site.url(path))
}

/// What the certificate binds that was shown with a request, if one was.
pub(crate) fn binding(extensions: &Extensions) -> Option<Binding> {
    let shown = extensions.get::<ClientCertificate>()?;
    Some(Binding::Certificate(thumbprint(shown.der())))
}

/// Whether the certificate shows that the request is from this client: by a name that an authority vouches for (RFC 8705 2.1),
/// or by being one that the client has registered (2.2).
pub(super) async fn proves(provider: &Provider, client: &Client, extensions: &Extensions) -> bool {
    let Some(shown) = extensions.get::<ClientCertificate>() else { return false };
    let Ok(certificate) = Certificate::parse(shown.der()) else { return false };
    // the authority's word was given when the connection began
    if !certificate.is_valid_at(provider.clock.now()) {
        return false;
    }
    match client.auth {
        AuthMethod::TlsClient => {
            shown.is_vouched_for() && client.tls_name.as_ref().is_some_and(|name| name.is_of(&certificate))
        }
        AuthMethod::SelfSignedTlsClient => provider.clients.has_certificate(client, &thumbprint(shown.der())).await,
        _ => false,
    }
}
