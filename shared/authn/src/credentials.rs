use secrecy::SecretString;

use crate::Caller;

/// What a caller presents to prove who it is. Its `Debug` form never shows the secret.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Whom the caller claims to be; its form depends on the authenticator (a login, `userid:...`, an account id).
    pub client_id: String,
    /// The proof.
    pub secret: SecretString,
    /// Where the call comes from.
    pub caller: Caller,
}

impl Credentials {
    /// Credentials without circumstances, as a local caller gives them.
    pub fn new(client_id: impl Into<String>, secret: impl Into<SecretString>) -> Self {
        Self { client_id: client_id.into(), secret: secret.into(), caller: Caller::default() }
    }
}
