//! The TLS configurations of clients.

use std::path::Path;
use std::sync::Arc;

use rustls::client::{Resumption, WantsClientCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use super::any_certificate::AnyCertificate;
use super::certificate_on_request::CertificateOnRequest;
use super::file_authorities::FileAuthorities;
use super::validity::Dated;
use super::{TlsError, authorities, certificates, private_key, provider};
use crate::CertificateExpiry;
use config::{ClientTls, GrpcClientTls, HttpClientTls, PrivateKeyFile, TlsVariables};

/// The certificate that is shown to gRPC servers.
const GRPC_CLIENT: TlsVariables =
    TlsVariables { cert: "OCIS_GRPC_CLIENT_TLS_CERTIFICATE", key: "OCIS_GRPC_CLIENT_TLS_KEY" };
/// The certificate that is shown to HTTP servers.
const HTTP_CLIENT: TlsVariables =
    TlsVariables { cert: "OCIS_HTTP_CLIENT_TLS_CERTIFICATE", key: "OCIS_HTTP_CLIENT_TLS_KEY" };
const GRPC_CLIENT_CACERT: &str = "OCIS_GRPC_CLIENT_TLS_CACERT";

/// A client's TLS configuration; `None` when plain text is spoken.
pub(crate) fn client(tls: &GrpcClientTls, mode: ClientTls) -> Result<Option<ClientConfig>, TlsError> {
    let builder = match mode {
        ClientTls::Off => return Ok(None),
        ClientTls::On => believing(GRPC_CLIENT_CACERT, tls.cacert.as_deref())?,
        ClientTls::Insecure => believing_anyone("OCIS_GRPC_CLIENT_TLS_MODE")?,
    };
    let mut config = match certified(tls.cert.as_deref().zip(tls.key.as_ref()), GRPC_CLIENT)? {
        Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".into()];
    Ok(Some(config))
}

/// What has to be valid of what [`client`] reads.
pub(crate) fn client_dated(tls: &GrpcClientTls, mode: ClientTls) -> Result<Vec<Dated>, TlsError> {
    let own = tls.cert.as_ref().map(|file| Dated::own(GRPC_CLIENT.cert, file));
    let authorities = tls.cacert.as_ref().filter(|_| mode == ClientTls::On);
    let authorities = authorities.map(|file| Dated::authorities(GRPC_CLIENT_CACERT, file));
    own.into_iter().chain(authorities).collect()
}

/// The TLS configuration of a client that shows no certificate, for a server outside the family. It accepts certificates
/// that the authorities in this file have signed, or without a file the system's; any certificate if `insecure`. `variable`
/// names the file in errors.
///
/// # Errors
/// When the file cannot be used.
pub fn https(variable: &'static str, file: Option<&Path>, insecure: bool) -> Result<ClientConfig, TlsError> {
    let builder = if insecure { believing_anyone(variable)? } else { believing(variable, file)? };
    Ok(builder.with_no_client_auth())
}

/// The same for a client of the process that is there before anything watches files: the file of authorities is looked at whenever a
/// connection is made.
///
/// # Errors
/// When the file cannot be used now.
pub(crate) fn https_rereading(variable: &'static str, file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let Some(file) = file else { return https(variable, None, false) };
    let authorities = Arc::new(FileAuthorities::read(variable, file)?);
    let builder = builder(variable)?.dangerous().with_custom_certificate_verifier(authorities);
    let mut config = builder.with_no_client_auth();
    // a server that is known from before would not be verified
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// As [`https`] for a server of the family, or another backend: a client that shows this certificate, if it is set, to a server that asks
/// for one of its authority (`docs/security-requirements.md#d42`).
///
/// # Errors
/// When a file cannot be used, or the key is of another certificate.
pub fn https_with_certificate(
    variable: &'static str,
    file: Option<&Path>,
    insecure: bool,
    own: &HttpClientTls,
) -> Result<ClientConfig, TlsError> {
    let builder = if insecure { believing_anyone(variable)? } else { believing(variable, file)? };
    Ok(match certified(own.cert.as_deref().zip(own.key.as_ref()), HTTP_CLIENT)? {
        Some(own) => builder.with_client_cert_resolver(Arc::new(CertificateOnRequest::from(own))),
        None => builder.with_no_client_auth(),
    })
}

/// When the certificates expire that [`https_with_certificate`] reads.
///
/// # Errors
/// When a file cannot be read.
pub fn https_expiries(
    variable: &'static str,
    file: Option<&Path>,
    own: &HttpClientTls,
) -> Result<Vec<CertificateExpiry>, TlsError> {
    let authorities = file.map(|file| Dated::authorities(variable, file));
    let own = own.cert.as_deref().map(|file| Dated::own(HTTP_CLIENT.cert, file));
    let all: Vec<_> = own.into_iter().chain(authorities).collect::<Result<_, _>>()?;
    Ok(all.iter().filter_map(Dated::expiry).collect())
}

/// A client's certificate with its key, if there are any.
fn certified(
    own: Option<(&Path, &PrivateKeyFile)>,
    TlsVariables { cert: variable, key: variable_of_key }: TlsVariables,
) -> Result<Option<CertifiedKey>, TlsError> {
    let Some((cert, key)) = own else { return Ok(None) };
    let (chain, key) = (certificates(variable, cert)?, private_key(variable_of_key, key)?);
    let unusable = |problem: rustls::Error| TlsError::Unusable { variable, problem: problem.to_string() };
    CertifiedKey::from_der(chain, key, &provider()).map(Some).map_err(unusable)
}

type Believing = ConfigBuilder<ClientConfig, WantsClientCert>;

fn builder(variable: &'static str) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    let unusable = |problem: rustls::Error| TlsError::Unusable { variable, problem: problem.to_string() };
    ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(unusable)
}

fn believing(variable: &'static str, file: Option<&Path>) -> Result<Believing, TlsError> {
    Ok(builder(variable)?.with_root_certificates(server_authorities(variable, file)?))
}

fn believing_anyone(variable: &'static str) -> Result<Believing, TlsError> {
    let anyone = Arc::new(AnyCertificate(provider()));
    Ok(builder(variable)?.dangerous().with_custom_certificate_verifier(anyone))
}

fn server_authorities(variable: &'static str, file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    if let Some(file) = file {
        return authorities(variable, file);
    }
    let mut roots = RootCertStore::empty();
    // a system's list always has some that cannot be parsed; a certificate of theirs is not accepted
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(roots)
}
