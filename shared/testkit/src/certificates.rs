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
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "Doorward test authority");
        let authority_key = KeyPair::generate().expect("a key can be made");
        let ca = authority.self_signed(&authority_key).expect("an authority can be made");
        let issuer = Issuer::new(authority, authority_key);

        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = vec![
            SanType::URI(identity.try_into().expect("the identity is ASCII")),
            SanType::DnsName("localhost".try_into().expect("ASCII")),
            SanType::IpAddress([127, 0, 0, 1].into()),
        ];
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = leaf.signed_by(&key, &issuer).expect("a certificate can be made");

        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).expect("a certificate can be written");
            path
        };
        let key_file = folder.join("key.pem");
        write_secret(&key_file, &key.serialize_pem());
        Self { ca: write("ca.pem", ca.pem()), certificate: write("certificate.pem", certificate.pem()), key: key_file }
    }
}
