use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oidc::jose::{Algorithm, SigningKey};
use serde_json::{Map, Value, json};

use super::Documents;

const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/keys";

/// An OpenID Connect issuer on this machine, as the API server of Kubernetes and CI systems are. It ends when it is dropped.
pub struct Issuer {
    documents: Documents,
    keys: Vec<SigningKey>,
    made: usize,
}

impl Issuer {
    /// Answers at a free port, with one key (ES256). Needs a tokio runtime.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start() -> Self {
        let mut issuer = Self { documents: Documents::start().await, keys: Vec::new(), made: 0 };
        let discovery = json!({ "issuer": issuer.name(), "jwks_uri": issuer.documents.url(KEYS) });
        issuer.documents.put(DISCOVERY, discovery.to_string());
        issuer.add_key();
        issuer
    }

    /// Its name, which is its URL.
    pub fn name(&self) -> String {
        self.documents.url("")
    }

    /// The server that has its documents.
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Signs with a new key from now on. The former keys stay in its key set.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn add_key(&mut self) {
        self.made += 1;
        let key = SigningKey::generate(Algorithm::Es256, &format!("key-{}", self.made)).expect("makes a key");
        self.keys.push(key);
        self.publish();
    }

    /// Removes the oldest key from its key set.
    pub fn remove_oldest_key(&mut self) {
        self.keys.remove(0);
        self.publish();
    }

    /// Its key set (JWKS).
    pub fn key_set(&self) -> String {
        json!({ "keys": self.keys.iter().map(SigningKey::jwk).collect::<Vec<_>>() }).to_string()
    }

    /// The claims of a token of its for a subject and an audience.
    pub fn claims(&self, subject: &str, audience: &str, lifetime: Duration, now: SystemTime) -> Map<String, Value> {
        claims(&self.name(), subject, audience, lifetime, now)
    }

    /// A token with these claims.
    ///
    /// # Panics
    /// When it has no key.
    pub fn token(&self, claims: &Map<String, Value>) -> String {
        self.token_of_type("JWT", claims)
    }

    /// A token of this type (`typ`) with these claims.
    ///
    /// # Panics
    /// When it has no key.
    pub fn token_of_type(&self, typ: &str, claims: &Map<String, Value>) -> String {
        self.keys.last().expect("has a key").jwt(typ, claims)
    }

    /// The token of a Kubernetes service account.
    ///
    /// # Panics
    /// When it has no key.
    pub fn service_account_token(
        &self,
        (namespace, name): (&str, &str),
        audience: &str,
        lifetime: Duration,
        now: SystemTime,
    ) -> String {
        let mut claims = self.claims(&format!("system:serviceaccount:{namespace}:{name}"), audience, lifetime, now);
        let account = json!({ "namespace": namespace, "serviceaccount": { "name": name, "uid": "id-of-account" } });
        claims.insert("kubernetes.io".to_owned(), account);
        // as the API server writes it
        claims.insert("aud".to_owned(), json!([audience]));
        self.token(&claims)
    }

    fn publish(&self) {
        self.documents.put(KEYS, self.key_set());
    }
}

/// The claims of a token.
pub(super) fn claims(
    issuer: &str,
    subject: &str,
    audience: &str,
    lifetime: Duration,
    now: SystemTime,
) -> Map<String, Value> {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "iat": seconds(now),
        "exp": seconds(now + lifetime),
    });
    claims.as_object().cloned().unwrap_or_default()
}
