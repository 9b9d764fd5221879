//! Which credential a request presents.

use authn::app_token;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};

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
    /// A bearer token (RFC 6750): an app token, or an access token of OpenID Connect.
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
        let value = asked.header(&AUTHORIZATION).ok_or(Refused::Invalid)?;
        let (scheme, rest) = value.split_once(' ').ok_or(Refused::Invalid)?;
        let rest = rest.trim_start_matches(' ');
        if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            return Ok(Some(Self::Bearer(rest.into())));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let text = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or(Refused::Invalid)?;
            let (login, secret) = text.split_once(':').ok_or(Refused::Invalid)?;
            // without a login an app token would speak for itself, as a bearer token does
            if login.is_empty() {
                return Err(Refused::Invalid);
            }
            return Ok(Some(Self::Basic { login: login.to_owned(), secret: secret.into() }));
        }
        Err(Refused::Invalid)
    }

    /// Whether it has the shape of an app token.
    pub fn is_app_token(&self) -> bool {
        let (Self::Basic { secret, .. } | Self::Bearer(secret)) = self;
        secret.expose_secret().starts_with(app_token::PREFIX)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};
    use proptest::prelude::*;

    use super::*;
    use crate::path::{Leniency, Path};

    fn read(values: &[&str]) -> Result<Option<(Option<String>, String)>, Refused> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
        }
        let path = Path::parse("/", Leniency::default()).expect("a path");
        let (method, host) = (&Method::GET, "a");
        let asked = Asked { method, is_https: true, host, path: &path, query: None, headers: &headers, source: None };
        Presented::of(&asked).map(|presented| {
            presented.map(|presented| match presented {
                Presented::Basic { login, secret } => (Some(login), secret.expose_secret().to_owned()),
                Presented::Bearer(secret) => (None, secret.expose_secret().to_owned()),
            })
        })
    }

    #[test]
    fn basic_and_bearer_are_read() {
        let basic = Ok(Some((Some("einstein".to_owned()), "a:b".to_owned())));
        assert_eq!(read(&["Basic ZWluc3RlaW46YTpi"]), basic);
        assert_eq!(read(&["bAsIc   ZWluc3RlaW46YTpi"]), basic);
        assert_eq!(read(&["Bearer abc"]), Ok(Some((None, "abc".to_owned()))));
        assert_eq!(read(&[]), Ok(None));
    }

    #[test]
    fn what_is_odd_is_no_credential_and_not_none_either() {
        for odd in [
            "",
            "Basic",
            "Basic ",
            "Basic !",
            "Basic YQ==",
            "Basic OnNlY3JldA==",
            "Bearer",
            "Bearer ",
            "Digest a",
            "Negotiate a",
        ] {
            assert_eq!(read(&[odd]), Err(Refused::Invalid), "{odd}");
        }
        assert_eq!(read(&["Bearer a", "Bearer b"]), Err(Refused::Invalid), "two are none");
    }

    proptest! {
        #[test]
        fn any_header_is_read(value in "[ -~]{0,40}") {
            let _ = read(&[&value]);
        }
    }
}
