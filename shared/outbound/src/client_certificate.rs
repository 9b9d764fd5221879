//! The certificate that is shown to servers of the same installation.

use std::fmt;
use std::io::{Read, Result as IoResult};
use std::path::Path;
use std::sync::Arc;

use config::{HttpClientTls, PrivateKeyFile};
use reqwest::Identity;
use runtime::client::{https_expiries, https_with_certificate};
use runtime::{CertificateExpiry, Context, FileSetting, FileValue, Reading, TlsError};

use crate::FetchError;

/// The setting that names the certificate.
const SETTING: &str = "OCIS_HTTP_CLIENT_TLS_CERTIFICATE";

/// A client certificate with its key. Their files are read again when they change and at SIGHUP. Clones share them.
#[derive(Clone, Debug)]
pub struct ClientIdentity(Arc<FileValue<CertificateAndKey>>);

impl ClientIdentity {
    /// The certificate and the key of these settings, for a service; `None` where they name none. Needs a tokio runtime.
    ///
    /// # Errors
    /// When a file cannot be used, or the key is of another certificate.
    pub fn follow(service: &'static str, tls: &HttpClientTls, context: &Context) -> Result<Option<Self>, FetchError> {
        let (Some(certificate), Some(key)) = (&tls.cert, &tls.key) else { return Ok(None) };
        let (certificate, key, tls) = (certificate.clone(), key.clone(), tls.clone());
        let files = vec![certificate.clone(), key.path().to_owned()];
        let setting = FileSetting { service, name: SETTING, files: files.clone() };
        let read = move |_: Option<&CertificateAndKey>| {
            // whether both fit: of what does not, every further call would fail
            let failed = |error: TlsError| FetchError(error.to_string());
            https_with_certificate(SETTING, None, true, &tls).map_err(failed)?;
            let expiries = https_expiries(SETTING, None, &tls).map_err(failed)?;
            let value = CertificateAndKey { identity: identity(&certificate, &key)?, expiries };
            Ok::<_, FetchError>(Reading { value, files: files.clone() })
        };
        let changes = |_: &CertificateAndKey, _: &CertificateAndKey| "new connections show it".to_owned();
        let value = FileValue::open(setting, read, changes, context)?;
        context.certificates.follow(&value, |value| value.expiries.clone(), context);
        Ok(Some(Self(value)))
    }

    pub(crate) fn current(&self) -> Arc<CertificateAndKey> {
        self.0.current()
    }

    /// Changes after each further reading of the files.
    #[cfg(test)]
    pub(crate) fn readings(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.readings()
    }
}

/// A certificate and its key, as the HTTP client takes them.
pub(crate) struct CertificateAndKey {
    identity: Identity,
    expiries: Vec<CertificateExpiry>,
}

impl CertificateAndKey {
    pub(crate) fn identity(&self) -> Identity {
        self.identity.clone()
    }
}

fn identity(certificate: &Path, key: &PrivateKeyFile) -> Result<Identity, FetchError> {
    let failed = |problem: &dyn fmt::Display| FetchError(format!("{SETTING}: {problem}"));
    let pem = || -> IoResult<Vec<u8>> {
        let mut pem = std::fs::read(certificate)?;
        pem.push(b'\n');
        key.open().map_err(std::io::Error::other)?.read_to_end(&mut pem)?;
        Ok(pem)
    };
    let pem = pem().map_err(|error| failed(&error))?;
    Identity::from_pem(&pem).map_err(|error| failed(&error))
}

impl fmt::Debug for CertificateAndKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CertificateAndKey").finish_non_exhaustive()
    }
}
