//! Logout tokens (`OpenID` Connect Back-Channel Logout 1.0, 2.4), and which of them a client accepts (2.6). The caller verifies the
//! signature, and accepts a `jti` only once.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::claims::LEEWAY;
use crate::id_token;
use crate::jose::UnverifiedJwt;
use crate::relying_party::{Expected, InvalidToken, optional};

#[cfg(test)]
mod tests;

/// The type of logout tokens, which distinguishes them from ID tokens (2.4).
pub const TYPE: &str = "logout+jwt";
/// The event that a logout token reports.
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The claims of a logout token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutToken {
    /// The user (`sub`). There is a subject, a session or both.
    pub subject: Option<String>,
    /// The session (`sid`).
    pub session: Option<String>,
    /// The token's identifier.
    pub jti: String,
    /// `iat`.
    pub issued: SystemTime,
    /// Until when the token is accepted: `exp` and [`LEEWAY`].
    pub accepted_until: SystemTime,
}

/// The logout token in a form (2.5): the only `logout_token`; `None` if there is none, an empty one or several.
pub fn of_form(body: &[u8]) -> Option<String> {
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token").map(|(_, token)| token);
    let token = tokens.next().filter(|token| !token.is_empty())?;
    tokens.next().is_none().then(|| token.into_owned())
}

impl LogoutToken {
    /// Checks and reads a logout token. One that is accepted for longer than `longest` is refused, so that its `jti` can be stored for as
    /// long. `is_audience` decides on the `aud`, which must be there.
    ///
    /// # Errors
    /// [`InvalidToken`].
    pub fn read(
        jwt: &UnverifiedJwt<'_>,
        expected: &Expected<'_>,
        longest: Option<Duration>,
        is_audience: impl FnOnce(&Map<String, Value>) -> bool,
    ) -> Result<Self, InvalidToken> {
        let claims = jwt.claims();
        let common = expected.check(jwt, is_audience)?;
        // the type is only recommended (2.4), but a token with another one is not a logout token
        if !(jwt.is_typ(TYPE) || id_token::has_type(jwt)) {
            return Err(InvalidToken("typ"));
        }
        if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
            return Err(InvalidToken("events"));
        }
        if claims.contains_key("nonce") {
            return Err(InvalidToken("nonce"));
        }
        let (subject, session) = (optional(claims, "sub")?, optional(claims, "sid")?);
        if subject.is_none() && session.is_none() {
            return Err(InvalidToken("sub"));
        }
        let jti = optional(claims, "jti")?.ok_or(InvalidToken("jti"))?;
        let accepted_until = common.expires + LEEWAY;
        if longest.is_some_and(|longest| accepted_until > expected.now + longest) {
            return Err(InvalidToken("exp"));
        }
        Ok(Self { subject, session, jti, issued: common.issued, accepted_until })
    }
}
