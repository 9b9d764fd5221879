//! The provider under test, and what is needed to walk it.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use secrecy::SecretString;

/// The URL that every client of ours is sent back to. Nothing listens there: the browser stops when it is sent to it. Clients
/// of the provider's configuration must have it as a `redirect_uri`.
pub const CALLBACK: &str = "https://rp.conformance.test/callback";

/// Where a browser comes back to after a logout. Clients of the provider's configuration must have it in
/// `post_logout_redirect_uris`.
pub const LOGGED_OUT: &str = "https://rp.conformance.test/logged-out";

/// The provider under test.
#[derive(Debug, Clone)]
pub struct Target {
    /// The issuer, without a slash at its end unless the issuer has one.
    pub issuer: String,
    /// Who signs in.
    pub person: Person,
    /// Certificates in PEM that are trusted in addition to those of the system.
    pub authority: Option<String>,
    /// Two clients of the provider's configuration that authenticate by `client_secret_basic`. Without them the plans for
    /// static clients are skipped.
    pub static_clients: Vec<StaticClient>,
    /// One more that authenticates by `client_secret_post`.
    pub static_post_client: Option<StaticClient>,
    /// The initial access token for dynamic registration (RFC 7591 3), when the provider asks for one.
    pub registration_token: Option<SecretString>,
    /// Makes the provider use a new signing key.
    pub rotate: Option<Rotate>,
    /// Where the provider reaches this relying party.
    pub receiver: ReceiverAt,
    /// How long the slow checks wait.
    pub waits: Waits,
    /// How many checks run at a time; at least one does.
    pub at_a_time: usize,
}

impl Target {
    /// A provider with neither static clients nor a way to rotate keys, and the waits of the certification.
    pub fn new(issuer: &str, person: Person) -> Self {
        Self {
            issuer: issuer.to_owned(),
            person,
            authority: None,
            static_clients: Vec::new(),
            static_post_client: None,
            registration_token: None,
            rotate: None,
            receiver: ReceiverAt::Http,
            waits: Waits::default(),
            at_a_time: 8,
        }
    }
}

/// Who signs in by the provider's forms.
#[derive(Debug, Clone)]
pub struct Person {
    /// The login name.
    pub name: String,
    /// The password.
    pub password: SecretString,
}

/// A client of the provider's configuration, with [`CALLBACK`], [`LOGGED_OUT`], and every response type.
#[derive(Debug, Clone)]
pub struct StaticClient {
    /// `client_id`
    pub id: String,
    /// `client_secret`
    pub secret: SecretString,
}

/// How the provider reaches this relying party: for its keys, its request objects, and to tell it of logouts.
#[derive(Debug, Clone)]
pub enum ReceiverAt {
    /// `http://localhost:PORT`
    Http,
    /// `https://localhost:PORT` with this certificate and key in PEM, which the provider has to trust.
    Https {
        /// The certificate.
        certificate: String,
        /// Its key.
        key: SecretString,
    },
}

/// How long the slow checks wait; the defaults are those of the certification.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// Before a code is used again; 30 s.
    pub code_reuse: Duration,
    /// After the relying party changed its keys; 60 s.
    pub key_rotation: Duration,
    /// Until a code of FAPI 2.0 is expired; 62 s.
    pub code_expiry: Duration,
    /// Before a refresh token of FAPI 2.0 is used again; 30 s.
    pub refresh_reuse: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            code_reuse: Duration::from_secs(30),
            key_rotation: Duration::from_mins(1),
            code_expiry: Duration::from_secs(62),
            refresh_reuse: Duration::from_secs(30),
        }
    }
}

type Rotating = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Makes the provider use a new signing key, and returns when it does.
#[derive(Clone)]
pub struct Rotate(Arc<dyn Fn() -> Rotating + Send + Sync>);

impl Rotate {
    /// By this function.
    pub fn new<F, R>(rotate: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(rotate())))
    }

    pub(crate) async fn now(&self) -> Result<(), String> {
        (self.0)().await
    }
}

impl fmt::Debug for Rotate {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Rotate")
    }
}
