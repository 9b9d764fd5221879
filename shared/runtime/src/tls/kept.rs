//! A self-signed certificate that is kept in a folder, so that clients which have accepted it know it again after a restart.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oidc::certificate::Certificate;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;

use super::{certificates, private_key, provider};
use crate::{StagedFile, lock_folder};
use config::PrivateKeyFile;

/// How long a certificate is valid: no longer than browsers accept of one that users trust by hand.
const VALID_FOR: Duration = Duration::from_hours(24 * 825);
/// A clock may be this far behind.
const VALID_SINCE: Duration = Duration::from_hours(24);
/// A certificate that expires sooner is replaced.
const RENEWED_BEFORE: Duration = Duration::from_hours(24 * 30);
/// The names of this machine.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// The files in the folder.
const CERTIFICATE: &str = "edge.crt";
const KEY: &str = "edge.key";

/// A certificate that was kept or made.
#[derive(Debug)]
pub struct KeptCertificate {
    /// The file with the certificate (PEM).
    pub certificate: PathBuf,
    /// The file with its key (PEM), which only its owner can read.
    pub key: PathBuf,
    /// Whether it was made by this call.
    pub is_new: bool,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// A file cannot be written.
    #[error("the certificate of the edge cannot be kept: {}: {source}; OCIS_BASE_DATA_PATH names the folder", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// It cannot be made for this name.
    #[error(
        "no certificate can be made for {host}: {source}; name one in PROXY_TRANSPORT_TLS_CERT and PROXY_TRANSPORT_TLS_KEY"
    )]
    Make {
        /// The name.
        host: String,
        /// What happened.
        source: rcgen::Error,
    },
}

/// The certificate of a folder for this host and for the names of this machine. It is made anew if there is none, if it is for
/// other names or expires within 30 days, or if its key does not fit or was readable for other accounts
/// (`docs/security-requirements.md#e18`).
///
/// # Errors
/// When it can neither be read nor made.
pub fn keep_certificate(folder: &Path, host: &str, now: SystemTime) -> Result<KeptCertificate, KeepError> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    let is_usable = || is_usable(&certificate, &key, host, now);
    if is_usable() {
        return Ok(KeptCertificate { certificate, key, is_new: false });
    }
    // another process that starts now may be about to make it
    let _lock = lock_folder(folder).map_err(|source| KeepError::File { path: folder.to_owned(), source })?;
    let is_new = !is_usable();
    if is_new {
        let (pem, key_pem) = make(host, now).map_err(|source| KeepError::Make { host: host.to_owned(), source })?;
        // after a crash between the two they do not fit, and are made anew
        for (path, text) in [(&key, key_pem), (&certificate, pem)] {
            StagedFile::write(path, text.as_bytes())
                .and_then(StagedFile::replace)
                .map_err(|source| KeepError::File { path: path.clone(), source })?;
        }
    }
    Ok(KeptCertificate { certificate, key, is_new })
}

fn is_usable(certificate: &Path, key: &Path, host: &str, now: SystemTime) -> bool {
    let Ok(chain) = certificates("", certificate) else { return false };
    let Ok(key) = private_key("", &PrivateKeyFile::from(key.to_owned())) else { return false };
    let Some(der) = chain.first() else { return false };
    let is_valid = Certificate::parse(der)
        .is_ok_and(|certificate| [now, now + RENEWED_BEFORE].iter().all(|&time| certificate.is_valid_at(time)));
    let names = webpki::EndEntityCert::try_from(der);
    let is_for = |name: &str| {
        let name = ServerName::try_from(name).ok();
        let names = names.as_ref().ok();
        name.zip(names).is_some_and(|(name, names)| names.verify_is_valid_for_subject_name(&name).is_ok())
    };
    let fits = is_valid && LOCAL.into_iter().chain([host]).all(is_for);
    fits && CertifiedKey::from_der(chain, key, &provider()).is_ok()
}

fn make(host: &str, now: SystemTime) -> Result<(String, String), rcgen::Error> {
    let mut names = LOCAL.map(str::to_owned).to_vec();
    if !LOCAL.contains(&host) {
        names.push(host.to_owned());
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "Doorward");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch.saturating_sub(VALID_SINCE);
    params.not_after = epoch + since_epoch + VALID_FOR;
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    /// `docs/security-requirements.md#e18`
    #[test]
    fn certificate_is_kept_until_it_no_longer_fits() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = crate::Clock::system().now();
        let keep = |host: &str, now| keep_certificate(folder.path(), host, now).expect("is kept").is_new;
        assert!(keep("localhost", now));
        for file in [CERTIFICATE, KEY] {
            let mode = fs::metadata(folder.path().join(file)).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        assert!(!keep("localhost", now) && !keep("127.0.0.1", now) && !keep("[::1]", now + 700 * DAY));
        assert!(keep("localhost", now + 800 * DAY), "it expires soon");
        assert!(keep("cloud.example", now + 800 * DAY), "it is for other names");
        assert!(!keep("cloud.example", now + 800 * DAY) && !keep("localhost", now + 800 * DAY));
        assert!(keep("[2001:db8::1]", now) && !keep("[2001:db8::1]", now), "its clock was ahead, and its name another");
    }

    #[test]
    fn processes_that_start_at_the_same_time_keep_one_certificate() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = crate::Clock::system().now();
        let keep = || keep_certificate(folder.path(), "localhost", now).expect("is kept").is_new;
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(keep)).collect();
            threads.into_iter().map(|thread| thread.join().expect("ends")).collect()
        });
        assert_eq!(made.iter().filter(|is_new| **is_new).count(), 1, "{made:?}");
        assert!(!keep());
    }

    /// `docs/security-requirements.md#e18`
    #[test]
    fn certificate_whose_key_is_exposed_or_does_not_fit_is_replaced() {
        let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let now = crate::Clock::system().now();
        let keep = |folder: &Path| keep_certificate(folder, "localhost", now).expect("is kept").is_new;
        assert!(keep(one.path()) && keep(two.path()));
        fs::copy(two.path().join(KEY), one.path().join(KEY)).expect("copies");
        assert!(keep(one.path()), "the key is of another certificate");
        fs::set_permissions(one.path().join(KEY), fs::Permissions::from_mode(0o644)).expect("sets the mode");
        assert!(keep(one.path()), "other accounts may have read the key");
        fs::write(one.path().join(CERTIFICATE), "junk").expect("writes");
        assert!(keep(one.path()) && !keep(one.path()));
    }
}
