//! The name by which a certificate identifies a client (RFC 8705 2.1.2).

use std::net::IpAddr;
use std::str::FromStr;

use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use super::Certificate;

/// The name that a client's certificate must contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateName {
    /// `tls_client_auth_subject_dn`: the distinguished name of its subject, in the form of RFC 4514.
    Subject(String),
    /// `tls_client_auth_san_dns`
    Dns(String),
    /// `tls_client_auth_san_uri`
    Uri(String),
    /// `tls_client_auth_san_ip`
    Ip(IpAddr),
    /// `tls_client_auth_san_email`
    Email(String),
}

/// The text is not such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no {0}")]
pub struct NameError(&'static str);

impl CertificateName {
    /// A distinguished name, as in `CN=client,O=Example,C=DE`.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn subject(text: &str) -> Result<Self, NameError> {
        let name = Name::from_str(text).ok().filter(|name| !name.is_empty());
        name.map(|name| Self::Subject(comparable(&name))).ok_or(NameError("distinguished name (RFC 4514)"))
    }

    /// An address, as in `192.0.2.1` or `2001:db8::1`.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn ip(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self::Ip).map_err(|_| NameError("IP address"))
    }

    /// Whether the certificate contains it. A wildcard in a certificate matches no client.
    pub fn is_of(&self, certificate: &Certificate) -> bool {
        let Self::Subject(wanted) = self else {
            return certificate.alternative_names().0.iter().any(|name| self.is(name));
        };
        *wanted == comparable(certificate.0.tbs_certificate().subject())
    }

    fn is(&self, name: &GeneralName) -> bool {
        match (self, name) {
            (Self::Dns(wanted), GeneralName::DnsName(name)) => name.as_str().eq_ignore_ascii_case(wanted),
            (Self::Uri(wanted), GeneralName::UniformResourceIdentifier(name)) => name.as_str() == wanted,
            (Self::Ip(wanted), GeneralName::IpAddress(name)) => match wanted {
                IpAddr::V4(wanted) => name.as_bytes() == wanted.octets(),
                IpAddr::V6(wanted) => name.as_bytes() == wanted.octets(),
            },
            (Self::Email(wanted), GeneralName::Rfc822Name(name)) => is_mailbox(wanted, name.as_str()),
            _ => false,
        }
    }
}

/// Compares mail addresses, whose host is case-insensitive (RFC 5280 4.2.1.6).
fn is_mailbox(wanted: &str, name: &str) -> bool {
    match (wanted.rsplit_once('@'), name.rsplit_once('@')) {
        (Some((wanted, at)), Some((name, host))) => wanted == name && at.eq_ignore_ascii_case(host),
        _ => false,
    }
}

/// The name as it is compared: whatever kind of text the certificate writes it in, and as names are compared, without regard
/// to case and to how many spaces there are (RFC 4517 4.2.11). What separates its parts is escaped within them.
fn comparable(name: &Name) -> String {
    name.to_string().to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}
