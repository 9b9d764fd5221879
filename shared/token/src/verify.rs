use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use authn::User;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Claims, Defect, KeyRing, MAX_TOKEN_BYTES, TokenError, decode::Payload, header};

/// How far two clocks of the family may be apart.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// Verifies tokens against the ring's secrets.
#[derive(Clone)]
pub struct Verifier(Arc<KeyRing>);

impl Verifier {
    /// A verifier that accepts tokens by the current and the previous secret of the ring.
    pub fn new(keys: Arc<KeyRing>) -> Self {
        Self(keys)
    }

    /// What the token says, if it is one of the family's and valid at `now`.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] with the defect, for the log.
    pub fn verify(&self, now: SystemTime, token: &str) -> Result<Claims, TokenError> {
        let payload = self.open(token)?;
        Ok(accept(payload, now)?)
    }

    /// The claims, once the signature has shown that they are ours; nothing but the header is read before.
    fn open(&self, token: &str) -> Result<Payload, Defect> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Defect::TooLarge);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Defect::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(Defect::Malformed)?;
        header::check(header)?;
        if !self.0.accepts(message.as_bytes(), signature) {
            return Err(Defect::Signature);
        }
        let json = URL_SAFE_NO_PAD.decode(claims).map_err(|_| Defect::Malformed)?;
        serde_json::from_slice(&json).map_err(|_| Defect::Malformed)
    }
}

fn accept(mut payload: Payload, now: SystemTime) -> Result<Claims, Defect> {
    if !payload.aud.ours {
        return Err(Defect::Audience);
    }
    let expires_at = time(payload.exp)?;
    if expires_at.checked_add(LEEWAY).is_some_and(|end| now >= end) {
        return Err(Defect::Expired);
    }
    let issued_at = time(payload.iat)?;
    let begins_at = payload.nbf.map_or(Ok(issued_at), time)?;
    if is_future(issued_at, now) || is_future(begins_at, now) {
        return Err(Defect::NotYetValid);
    }
    let scopes = payload.take_scopes();
    let user = User::from(payload.user);
    if user.id.opaque_id.is_empty() {
        return Err(Defect::NoUser);
    }
    // Whoever mints leaves `iss` out only where the user's is empty as well.
    if payload.iss != user.id.idp {
        return Err(Defect::Issuer);
    }
    let mut amr = payload.amr;
    // a gateway of the Go family knows no amr, but copies the scopes
    for marked in scopes.amr() {
        if !amr.iter().any(|method| method == marked) {
            amr.push(marked.to_owned());
        }
    }
    Ok(Claims {
        user,
        scopes,
        issuer: payload.iss,
        issued_at,
        expires_at,
        jti: payload.jti,
        amr,
        actor: payload.act,
        sid: payload.sid,
        groups_omitted: payload.groups_omitted,
    })
}

fn time(seconds: u64) -> Result<SystemTime, Defect> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or(Defect::Malformed)
}

fn is_future(time: SystemTime, now: SystemTime) -> bool {
    time.duration_since(now).is_ok_and(|ahead| ahead > LEEWAY)
}
