//! The credential in a request's `Authorization` header.

use authn::app_token;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};

use crate::request_info::RequestInfo;
use crate::verdict::CredentialError;

/// A credential that is not yet verified. A request has at most one.
#[derive(Debug)]
pub enum Credential {
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

impl Credential {
    /// Reads the credential; `None` if there is none.
    ///
    /// # Errors
    /// [`CredentialError::Invalid`] for an unknown scheme, a malformed value, and more than one header.
    pub fn of(info: &RequestInfo<'_>) -> Result<Option<Self>, CredentialError> {
        if !info.headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        let value = info.header(&AUTHORIZATION).ok_or(CredentialError::Invalid)?;
        let (scheme, rest) = value.split_once(' ').ok_or(CredentialError::Invalid)?;
        let rest = rest.trim_start_matches(' ');
        if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            return Ok(Some(Self::Bearer(rest.into())));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let text = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or(CredentialError::Invalid)?;
            let (login, secret) = text.split_once(':').ok_or(CredentialError::Invalid)?;
            // Without a login, an app token would authenticate alone, as a bearer token does.
            if login.is_empty() {
                return Err(CredentialError::Invalid);
            }
            return Ok(Some(Self::Basic { login: login.to_owned(), secret: secret.into() }));
        }
        Err(CredentialError::Invalid)
    }

    /// Whether it has the prefix of app tokens.
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

    fn read(values: &[&str]) -> Result<Option<(Option<String>, String)>, CredentialError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
        }
        let path = Path::parse("/", Leniency::default()).expect("a path");
        let (method, host) = (&Method::GET, "a");
        let info =
            RequestInfo { method, is_https: true, host, path: &path, query: None, headers: &headers, source: None };
        Credential::of(&info).map(|credential| {
            credential.map(|credential| match credential {
                Credential::Basic { login, secret } => (Some(login), secret.expose_secret().to_owned()),
                Credential::Bearer(secret) => (None, secret.expose_secret().to_owned()),
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
    fn malformed_credentials_are_invalid_and_not_missing() {
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
            assert_eq!(read(&[odd]), Err(CredentialError::Invalid), "{odd}");
        }
        assert_eq!(read(&["Bearer a", "Bearer b"]), Err(CredentialError::Invalid), "two headers");
    }

    proptest! {
        #[test]
        fn never_panics(value in "[ -~]{0,40}") {
            let _ = read(&[&value]);
        }
    }
}
