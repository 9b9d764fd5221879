//! Which credential a request presents.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use secrecy::SecretString;

use crate::asked::Asked;
use crate::verdict::Refused;

/// What a request presents to prove who sends it. One request presents one.
#[derive(Debug)]
pub enum Presented {
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The login.
        login: String,
        /// The password or app token.
        secret: SecretString,
    },
    /// A bearer token (RFC 6750).
    Bearer(SecretString),
}

impl Presented {
    /// Reads the credential; `None` if there is none.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for what is none of the kinds known here, and for more than one.
    pub fn of(asked: &Asked<'_>) -> Result<Option<Self>, Refused> {
        if !asked.headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        let value = asked.header(AUTHORIZATION.as_str()).ok_or(Refused::Invalid)?;
        let (scheme, rest) = value.split_once(' ').ok_or(Refused::Invalid)?;
        let rest = rest.trim_start_matches(' ');
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Some(Self::Bearer(rest.into())));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let text = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or(Refused::Invalid)?;
            let (login, secret) = text.split_once(':').ok_or(Refused::Invalid)?;
            return Ok(Some(Self::Basic { login: login.to_owned(), secret: secret.into() }));
        }
        Err(Refused::Invalid)
    }
}
