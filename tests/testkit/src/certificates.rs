//! Certificates of a test's own authority.

use std::{fs, path::Path, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};

use crate::write_secret;

/// The files of an authority and one certificate for servers and clients.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// The certificate, for `localhost` and `127.0.0.1`.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes them in a folder. `identity` is the certificate's first subject alternative name, a URI.
    pub fn make(folder: &Path, identity: &str) -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let ca = authority().self_signed(&key).expect("an authority can be made");
        write(folder, "ca.pem", &ca.pem());
        write_secret(&folder.join(CA_KEY), &key.serialize_pem());
        Self::issue(folder, "certificate", identity)
    }

    /// Makes another certificate, with this name of its files, by the authority of the folder.
    pub fn issue(folder: &Path, name: &str, identity: &str) -> Self {
        Self::issue_for(folder, name, identity, &["localhost"])
    }

    /// The same for these hosts instead of `localhost`.
    pub fn issue_for(folder: &Path, name: &str, identity: &str, hosts: &[&str]) -> Self {
        let key = fs::read_to_string(folder.join(CA_KEY)).expect("the folder has an authority");
        let issuer = Issuer::new(authority(), KeyPair::from_pem(&key).expect("a key"));
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = vec![
            SanType::URI(identity.try_into().expect("the identity is ASCII")),
            SanType::IpAddress([127, 0, 0, 1].into()),
        ];
        let hosts = hosts.iter().map(|&host| SanType::DnsName(host.try_into().expect("a host is ASCII")));
        leaf.subject_alt_names.extend(hosts);
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = leaf.signed_by(&key, &issuer).expect("a certificate can be made");
        let file = folder.join(format!("{name}-key.pem"));
        write_secret(&file, &key.serialize_pem());
        Self {
            ca: folder.join("ca.pem"),
            certificate: write(folder, &format!("{name}.pem"), &certificate.pem()),
            key: file,
        }
    }
}

/// The file with the authority's key.
const CA_KEY: &str = "ca-key.pem";

fn authority() -> CertificateParams {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "Doorward test authority");
    authority
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("a certificate can be written");
    path
}
