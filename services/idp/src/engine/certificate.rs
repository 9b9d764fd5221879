//! Client authentication with certificates (RFC 8705 2).

use oidc::certificate::{Certificate, thumbprint};
use runtime::ClientCertificate;

use super::clients::{AuthMethod, Client};
use super::provider::Provider;

/// Whether the certificate authenticates this client: by its name in a certificate of a trusted authority (RFC 8705 2.1), or by
/// being registered by the client (2.2).
pub(crate) async fn proves(provider: &Provider, client: &Client, shown: Option<&ClientCertificate>) -> bool {
    let Some(shown) = shown else { return false };
    let Ok(certificate) = Certificate::parse(shown.der()) else { return false };
    // the chain was verified when the connection was made
    if !certificate.is_valid_at(provider.clock.now()) {
        return false;
    }
    match client.auth {
        AuthMethod::TlsClient => {
            shown.is_verified() && client.tls_name.as_ref().is_some_and(|name| name.is_of(&certificate))
        }
        AuthMethod::SelfSignedTlsClient => provider.clients.has_certificate(client, &thumbprint(shown.der())).await,
        _ => false,
    }
}
