//! Authorities of a file that is looked at whenever a connection is made: for clients of the process, which are there before anything
//! watches files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::{KEPT, TlsError, authorities, provider};
use crate::reload::{Content, hash};

/// Verifies servers by the authorities in a file, which is read again when it has changed. A file that cannot be used changes nothing
/// (`docs/security-requirements.md#t6`).
#[derive(Debug)]
pub(super) struct FileAuthorities {
    /// The setting that names the file.
    variable: &'static str,
    file: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    /// What the file held when it was last looked at.
    content: Content,
    verifier: Arc<WebPkiServerVerifier>,
}

impl FileAuthorities {
    /// Reads the file.
    pub(super) fn read(variable: &'static str, file: &Path) -> Result<Self, TlsError> {
        let current = Current { content: content(file), verifier: verifier(variable, file)? };
        Ok(Self { variable, file: file.to_owned(), current: Mutex::new(current) })
    }

    /// What verifies a server now. Reads the file, which is small; connections are made seldom.
    fn verifier(&self) -> Arc<WebPkiServerVerifier> {
        let Self { variable, file, .. } = self;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let content = content(file);
        if content != current.content {
            // an invalid file is reported once
            current.content = content;
            match verifier(variable, file) {
                Ok(verifier) => {
                    current.verifier = verifier;
                    tracing::info!(setting = variable, file = %file.display(), "{variable} was read again");
                }
                Err(problem) => tracing::error!(%problem, "{problem}{KEPT}"),
            }
        }
        Arc::clone(&current.verifier)
    }
}

fn content(file: &Path) -> Content {
    fs::read(file).ok().map(|content| hash(&content))
}

fn verifier(variable: &'static str, file: &Path) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let roots = Arc::new(authorities(variable, file)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
    verifier.map_err(|problem| TlsError::Unusable { variable, problem: problem.to_string() })
}

impl ServerCertVerifier for FileAuthorities {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier().verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
