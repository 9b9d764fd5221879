use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use authn::Authenticated;
use base64::{Engine, encoded_len, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    KeyRing, MAX_TOKEN_BYTES, TokenError,
    encode::{Payload, Stamp},
    header,
};

/// Length of an HMAC-SHA256, encoded, with the dot before it.
const SIGNATURE_BYTES: usize = 44;

/// Makes the 16 bytes that identify a token.
type Identifiers = Arc<dyn Fn() -> [u8; 16] + Send + Sync>;

/// Mints tokens with the ring's current secret.
#[derive(Clone)]
pub struct Minter {
    keys: Arc<KeyRing>,
    lifetime: Duration,
    /// How many bytes the groups may have; nothing if they are always left out.
    max_groups_size: Option<usize>,
    identifiers: Identifiers,
}

impl Minter {
    /// A minter of tokens that live for `lifetime` (whole seconds; 300 is the family's default), with or without the user's groups.
    #[expect(clippy::disallowed_methods, reason = "only the default; `with_identifiers` makes randomness an argument")]
    pub fn new(keys: Arc<KeyRing>, lifetime: Duration, skip_groups: bool) -> Self {
        let max_groups_size = (!skip_groups).then_some(usize::MAX);
        Self { keys, lifetime, max_groups_size, identifiers: Arc::new(rand::random) }
    }

    /// The same minter, which leaves the groups out where they have more than so many bytes ([`User::groups_size`](authn::User::groups_size)).
    #[must_use]
    pub fn with_max_groups_size(self, bytes: usize) -> Self {
        Self { max_groups_size: self.max_groups_size.map(|most| most.min(bytes)), ..self }
    }

    /// The same minter with another source of the tokens' identifiers (`jti`) than the process's random generator. They have to
    /// be unique, not secret.
    #[must_use]
    pub fn with_identifiers(self, identifiers: impl Fn() -> [u8; 16] + Send + Sync + 'static) -> Self {
        Self { identifiers: Arc::new(identifiers), ..self }
    }

    /// A token that says who was authenticated and what the credential may do; it ends with the lifetime or, if that is sooner,
    /// with the credential.
    ///
    /// # Errors
    /// [`TokenError::Ended`] when the credential has less than a second to live, [`TokenError::Unidentified`] for a user without an
    /// identifier, [`TokenError::Oversized`] when verifiers would reject the token for its length.
    pub fn mint(&self, now: SystemTime, answer: &Authenticated) -> Result<String, TokenError> {
        if answer.user.id.opaque_id.is_empty() {
            return Err(TokenError::Unidentified);
        }
        let issued = seconds(now);
        let end = issued.saturating_add(self.lifetime.as_secs());
        let expires = answer.not_after.map_or(end, |not_after| end.min(seconds(not_after)));
        if expires <= issued {
            return Err(TokenError::Ended);
        }
        let jti = URL_SAFE_NO_PAD.encode((self.identifiers)());
        let omits_groups = self.max_groups_size.is_none_or(|most| answer.user.groups_size() > most);
        let stamp = Stamp { issued, expires, jti: &jti, omits_groups };
        let claims =
            serde_json::to_vec(&Payload::new(answer, &stamp)).map_err(|error| TokenError::Internal(error.into()))?;
        self.seal(&claims)
    }

    fn seal(&self, claims: &[u8]) -> Result<String, TokenError> {
        let length = encoded_len(claims.len(), false)
            .and_then(|length| length.checked_add(header::ENCODED.len() + 1 + SIGNATURE_BYTES))
            .filter(|length| *length <= MAX_TOKEN_BYTES)
            .ok_or(TokenError::Oversized)?;
        let mut token = String::with_capacity(length);
        token.push_str(header::ENCODED);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.keys.sign(token.as_bytes()).map_err(TokenError::Internal)?;
        token.push('.');
        token.push_str(&signature);
        Ok(token)
    }
}

/// Whole seconds since the epoch, rounded down: an end never becomes a later one.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
