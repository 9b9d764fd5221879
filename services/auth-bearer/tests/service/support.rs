//! A small issuer on a loopback port, and a directory of one person.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use auth_bearer::cache::KeyCache;
use auth_bearer::issuer::Issuer;
use auth_bearer::{Bearer, Oidc};
use authn::{
    AuthError, Authenticated, Authenticator, Claim, Credentials, Directory, DirectoryError, Filter, Groups, Reason,
    User, UserId, UserStatus,
};
use axum::{Json, Router, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use runtime::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// A pair of keys with its name.
pub(crate) struct Signer {
    pub(crate) kid: &'static str,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: EncodingKey,
    pub(crate) pair: KeyPair,
}

impl Signer {
    pub(crate) fn new(kid: &'static str, algorithm: Algorithm) -> Self {
        let curve = match algorithm {
            Algorithm::ES256 => &PKCS_ECDSA_P256_SHA256,
            Algorithm::EdDSA => &PKCS_ED25519,
            _ => &PKCS_RSA_SHA256,
        };
        let pair = KeyPair::generate_for(curve).expect("makes keys");
        let pem = pair.serialize_pem();
        let key = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            Algorithm::EdDSA => EncodingKey::from_ed_pem(pem.as_bytes()),
            _ => EncodingKey::from_rsa_pem(pem.as_bytes()),
        };
        Self { kid, algorithm, key: key.expect("is a key"), pair }
    }

    /// The public key as the issuer publishes it.
    pub(crate) fn public(&self) -> Value {
        let mut jwk = match self.algorithm {
            Algorithm::EdDSA => json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA",
                "x": URL_SAFE_NO_PAD.encode(self.pair.public_key_raw()),
            }),
            algorithm => serde_json::to_value(Jwk::from_encoding_key(&self.key, algorithm).expect("has a public key"))
                .expect("JSON"),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.to_owned()), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, claims, &self.key).expect("signs")
    }
}

/// An issuer that can be stopped, changed, and counts how often its keys are asked for.
pub(crate) struct Provider {
    pub(crate) url: String,
    pub(crate) fetches: Arc<AtomicUsize>,
    keys: watch::Sender<Vec<Value>>,
    server: tokio::task::JoinHandle<()>,
}

impl Provider {
    pub(crate) async fn start(signers: &[&Signer]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("has an address"));
        let fetches = Arc::new(AtomicUsize::new(0));
        let (keys, current) = watch::channel(signers.iter().map(|signer| signer.public()).collect());
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let counter = Arc::clone(&fetches);
        let app = Router::new().route("/.well-known/openid-configuration", get(async move || Json(discovery))).route(
            "/keys",
            get(async move || {
                counter.fetch_add(1, Ordering::Relaxed);
                Json(json!({"keys": *current.borrow()}))
            }),
        );
        let server = tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
        Self { url, fetches, keys, server }
    }

    pub(crate) fn publish(&self, signers: &[&Signer]) {
        self.keys.send_replace(signers.iter().map(|signer| signer.public()).collect());
    }

    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }

    /// Stops it: connections are refused, or reset, from now on.
    pub(crate) fn stop(&self) {
        self.server.abort();
    }
}

/// A directory that knows einstein, and ludwig, who is disabled.
pub(crate) struct People;

#[async_trait]
impl Directory for People {
    async fn user(&self, _: &UserId, _: Groups) -> Result<Arc<User>, DirectoryError> {
        Err(DirectoryError::NotFound)
    }

    async fn user_by_claim(&self, claim: &Claim, _: Groups) -> Result<Arc<User>, DirectoryError> {
        let status = match claim.parts() {
            ("username", "einstein") | ("userid", "4c51") => UserStatus::Active,
            ("username", "ludwig") => UserStatus::Blocked,
            _ => return Err(DirectoryError::NotFound),
        };
        let id = UserId { opaque_id: "4c51".into(), ..UserId::default() };
        Ok(Arc::new(User { id, username: "einstein".into(), uid_number: 7, status, ..User::default() }))
    }

    async fn groups(&self, _: &UserId) -> Result<Vec<String>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn find(&self, _: &[Filter], _: Groups, _: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn note_password_change(&self, _: &UserId, _: SystemTime, _: &str) -> Result<(), DirectoryError> {
        Err(DirectoryError::ReadOnly)
    }
}

/// The service, at a time of its own.
pub(crate) struct Service {
    pub(crate) clock: Clock,
    pub(crate) bearer: Bearer,
}

impl Service {
    pub(crate) fn new(oidc: Oidc) -> Self {
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
        let issuer = Issuer::new(&oidc.issuer, oidc.insecure).expect("can be asked");
        let keys = KeyCache::new(issuer, clock.clone());
        let bearer = Bearer::new(oidc, keys, Arc::new(People), Groups::Include, clock.clone());
        Self { clock, bearer }
    }

    pub(crate) fn of(provider: &Provider) -> Self {
        Self::new(Oidc { issuer: provider.url.clone(), ..Oidc::default() })
    }

    /// Good claims for an hour from now.
    pub(crate) fn claims(&self, issuer: &str) -> Value {
        let now = seconds(self.clock.now());
        json!({"iss": issuer, "sub": "4c51", "aud": "web", "preferred_username": "einstein", "iat": now, "exp": now + 3600})
    }

    pub(crate) async fn authenticate(&self, token: &str) -> Result<Authenticated, AuthError> {
        self.bearer.authenticate(&Credentials::new("", token.to_owned())).await
    }

    pub(crate) async fn refusal(&self, token: &str) -> Reason {
        match self.authenticate(token).await {
            Err(AuthError::Refused(reason)) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }
}

pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}
