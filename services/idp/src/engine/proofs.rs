//! What a request proves by its headers and its connection.

use authn::Caller;
use oidc::certificate::thumbprint;
use runtime::ClientCertificate;

use crate::endpoints::IssuerEndpoints;
use crate::model::Binding;

/// A header that counts only if it comes once. It is not printed, as it can hold a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Header<'a> {
    /// There is none.
    Missing,
    /// There is one.
    Once(&'a str),
    /// There is one that is no text.
    Unreadable,
    /// There are several.
    Repeated,
}

/// The headers and the connection of a request. It is not printed, as it holds secrets.
#[derive(Clone, Copy)]
pub struct Proofs<'a> {
    /// The header `Authorization`.
    pub authorization: Header<'a>,
    /// The header `DPoP` (RFC 9449 4.1).
    pub dpop: Header<'a>,
    /// The method of the request, which a `DPoP` proof names.
    pub method: &'a str,
    /// The certificate that the client has shown (RFC 8705).
    pub certificate: Option<&'a ClientCertificate>,
    /// Whether the request came by the listener for clients with certificates.
    pub is_by_mtls: bool,
    /// The circumstances of the request, where clients authenticate.
    pub caller: Option<&'a Caller>,
}

impl Proofs<'_> {
    /// The URL by which the endpoint at this path was called.
    pub fn url(&self, endpoints: &IssuerEndpoints, path: &str) -> String {
        let alias = if self.is_by_mtls { endpoints.alias(path) } else { None };
        alias.unwrap_or_else(|| endpoints.url(path))
    }

    /// What the certificate binds, if one was shown.
    pub fn certificate_binding(&self) -> Option<Binding> {
        self.certificate.map(|shown| Binding::Certificate(thumbprint(shown.der())))
    }
}
