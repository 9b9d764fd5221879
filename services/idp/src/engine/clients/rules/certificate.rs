//! The certificate of a client (RFC 8705).

use oidc::certificate::CertificateName;

use crate::engine::clients::client::AuthMethod;
use crate::engine::clients::metadata::{Metadata, MetadataError};

/// The name that its certificate must contain (2.1.2).
pub(super) fn name(metadata: &Metadata, auth: AuthMethod) -> Result<Option<CertificateName>, MetadataError> {
    type Read = fn(&str) -> Result<CertificateName, MetadataError>;
    let members: [(&Option<String>, Read); 5] = [
        (&metadata.tls_client_auth_subject_dn, |text| {
            let name = CertificateName::subject(text);
            name.map_err(|error| MetadataError::new("tls_client_auth_subject_dn", error))
        }),
        (&metadata.tls_client_auth_san_dns, |text| Ok(CertificateName::Dns(text.to_owned()))),
        (&metadata.tls_client_auth_san_uri, |text| Ok(CertificateName::Uri(text.to_owned()))),
        (&metadata.tls_client_auth_san_ip, |text| {
            CertificateName::ip(text).map_err(|error| MetadataError::new("tls_client_auth_san_ip", error))
        }),
        (&metadata.tls_client_auth_san_email, |text| Ok(CertificateName::Email(text.to_owned()))),
    ];
    let given = members.into_iter().filter_map(|(text, read)| Some((text.as_deref()?, read)));
    let mut given = given.filter(|(text, _)| !text.is_empty());
    match (given.next(), given.next()) {
        (None, _) if auth == AuthMethod::TlsClient => Err(MetadataError::new(
            "tls_client_auth_san_dns",
            "tls_client_auth needs one of tls_client_auth_subject_dn, tls_client_auth_san_dns, tls_client_auth_san_uri, \
             tls_client_auth_san_ip, tls_client_auth_san_email",
        )),
        (Some(_), Some(_)) => {
            Err(MetadataError::new("tls_client_auth_san_dns", "only one name of the certificate can be given"))
        }
        (Some((text, read)), None) => read(text).map(Some),
        (None, _) => Ok(None),
    }
}

/// Whether its tokens are bound to its certificate (3.4), which excludes a `DPoP` key.
pub(super) fn binds(metadata: &Metadata) -> Result<bool, MetadataError> {
    let binds = metadata.tls_client_certificate_bound_access_tokens;
    if binds && metadata.dpop_bound_access_tokens {
        let problem = "must not be combined with dpop_bound_access_tokens: tokens are bound to one key";
        return Err(MetadataError::new("tls_client_certificate_bound_access_tokens", problem));
    }
    Ok(binds)
}
