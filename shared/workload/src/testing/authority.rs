use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oidc::jose::{Algorithm, SigningKey};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::{Map, Value, json};

use super::issuer::claims;

/// A SPIFFE trust domain with authorities for JWT-SVIDs (ES256) and X.509-SVIDs.
pub struct SpiffeAuthority {
    domain: String,
    keys: Vec<SigningKey>,
    made: usize,
    sequence: u64,
    /// The authorities for X.509-SVIDs; the last one signs.
    issuers: Vec<CertifiedIssuer<'static, KeyPair>>,
}

impl SpiffeAuthority {
    /// The trust domain of this name.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn new(domain: &str) -> Self {
        let issuers = vec![issuer(domain)];
        let mut authority = Self { domain: domain.to_owned(), keys: Vec::new(), made: 0, sequence: 0, issuers };
        authority.add_key();
        authority
    }

    /// The name of the trust domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Signs JWT-SVIDs with a new key from now on. The former keys stay in the bundle.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn add_key(&mut self) {
        self.made += 1;
        self.sequence += 1;
        let key = SigningKey::generate(Algorithm::Es256, &format!("{}-{}", self.domain, self.made));
        self.keys.push(key.expect("makes a key"));
    }

    /// Removes the oldest key for JWT-SVIDs from the bundle.
    pub fn remove_oldest_key(&mut self) {
        self.sequence += 1;
        self.keys.remove(0);
    }

    /// Signs X.509-SVIDs by a new authority from now on. The former ones stay in the bundle.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn add_certificate_authority(&mut self) {
        self.sequence += 1;
        self.issuers.push(issuer(&self.domain));
    }

    /// Removes the oldest authority for X.509-SVIDs from the bundle.
    pub fn remove_oldest_certificate_authority(&mut self) {
        self.sequence += 1;
        self.issuers.remove(0);
    }

    /// The trust bundle (SPIFFE Trust Domain and Bundle 4), as bundle files and endpoints have it.
    pub fn bundle(&self) -> String {
        let jwt = self.keys.iter().map(|key| {
            let mut jwk = key.jwk().clone();
            jwk.insert("use".to_owned(), "jwt-svid".into());
            Value::Object(jwk)
        });
        let x509 = self.issuers.iter().map(|issuer| {
            let der = STANDARD.encode(issuer.der());
            json!({ "kty": "EC", "use": "x509-svid", "crv": "P-256", "x5c": [der] })
        });
        let keys: Vec<_> = jwt.chain(x509).collect();
        json!({ "keys": keys, "spiffe_sequence": self.sequence, "spiffe_refresh_hint": 10 }).to_string()
    }

    /// The keys for JWT-SVIDs alone (JWKS), as the Workload API has them.
    pub fn jwt_keys(&self) -> String {
        json!({ "keys": self.keys.iter().map(SigningKey::jwk).collect::<Vec<_>>() }).to_string()
    }

    /// The SPIFFE id of a path, which begins with a slash.
    pub fn id(&self, path: &str) -> String {
        format!("spiffe://{}{path}", self.domain)
    }

    /// A JWT-SVID for the SPIFFE id of this path, by the newest key.
    ///
    /// # Panics
    /// When there is no key.
    pub fn svid(&self, path: &str, audience: &str, lifetime: Duration, now: SystemTime) -> String {
        let mut claims = claims("", &self.id(path), audience, lifetime, now);
        claims.remove("iss");
        self.sign(&claims)
    }

    /// A JWT with these claims, by the newest key.
    ///
    /// # Panics
    /// When there is no key.
    pub fn sign(&self, claims: &Map<String, Value>) -> String {
        self.keys.last().expect("has a key").jwt("JWT", claims)
    }

    /// The authorities for X.509-SVIDs, in DER.
    pub fn certificate_authorities(&self) -> Vec<Vec<u8>> {
        self.issuers.iter().map(|issuer| issuer.der().to_vec()).collect()
    }

    /// The authorities for X.509-SVIDs, in PEM.
    pub fn certificate_authorities_pem(&self) -> String {
        self.issuers.iter().map(CertifiedIssuer::pem).collect()
    }

    /// An X.509-SVID for these URIs: the certificate and its key, in PEM.
    ///
    /// # Panics
    /// When one of them is not ASCII.
    pub fn certificate(&self, uris: &[&str]) -> (String, String) {
        let (certificate, key) = self.issue(uris);
        (certificate.pem(), key.serialize_pem())
    }

    /// An X.509-SVID for the SPIFFE id of this path: the certificate and its key (PKCS#8), in DER.
    pub(super) fn certificate_der(&self, path: &str) -> (Vec<u8>, Vec<u8>) {
        let (certificate, key) = self.issue(&[&self.id(path)]);
        (certificate.der().to_vec(), key.serialize_der())
    }

    fn issue(&self, uris: &[&str]) -> (Certificate, KeyPair) {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.subject_alt_names = uris.iter().map(|&uri| SanType::URI(uri.try_into().expect("ASCII"))).collect();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let issuer = self.issuers.last().expect("has an authority");
        (params.signed_by(&key, issuer).expect("signs"), key)
    }
}

/// A new authority for X.509-SVIDs.
fn issuer(domain: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.subject_alt_names = vec![SanType::URI(format!("spiffe://{domain}").try_into().expect("ASCII"))];
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signs itself")
}
