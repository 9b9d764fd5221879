//! TLS towards the server.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::failure::Failure;

/// How the server's certificate is judged.
#[derive(Debug)]
pub(crate) struct Tls {
    /// Any certificate is accepted.
    pub(crate) insecure: bool,
    /// The configured file of the authority.
    authority: Option<PathBuf>,
    /// The file of an oCIS family beside us, used where it exists and nothing is configured.
    neighbour: PathBuf,
    /// Made once it can be: the file may appear only after we started.
    ready: Mutex<Option<Arc<ClientConfig>>>,
}

impl Tls {
    pub(crate) fn new(insecure: bool, authority: Option<PathBuf>, base_data_path: &Path) -> Self {
        let neighbour = base_data_path.join("idm").join("ldap.crt");
        Self { insecure, authority, neighbour, ready: Mutex::default() }
    }

    /// The settings for a connection.
    pub(crate) fn client(&self) -> Result<Arc<ClientConfig>, Failure> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = ready.as_ref() {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.build()?);
        *ready = Some(Arc::clone(&config));
        Ok(config)
    }

    fn build(&self) -> Result<ClientConfig, Failure> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(Failure::Tls)?;
        if self.insecure {
            let anyone = Arc::new(Anyone(provider));
            return Ok(builder.dangerous().with_custom_certificate_verifier(anyone).with_no_client_auth());
        }
        Ok(builder.with_root_certificates(self.authorities()?).with_no_client_auth())
    }

    fn authorities(&self) -> Result<RootCertStore, Failure> {
        let neighbour = Some(&self.neighbour).filter(|file| file.is_file());
        let mut roots = RootCertStore::empty();
        let Some(file) = self.authority.as_ref().or(neighbour) else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        };
        let problem = |problem: String| Failure::Authority { file: file.clone(), problem };
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| problem(error.to_string()))? {
            let certificate = certificate.map_err(|error| problem(error.to_string()))?;
            roots.add(certificate).map_err(|error| problem(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(problem("it holds no certificate".to_owned()));
        }
        Ok(roots)
    }
}

/// Accepts every certificate: what `insecure` asks for.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
