//! `client_secret_basic` (RFC 6749 2.3.1).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretString;

use crate::engine::error::OAuthError;
use crate::engine::proofs::Header;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The identifier and the secret of the header `Authorization`; none if there is no such header, or it is of another
/// scheme.
///
/// # Errors
/// `invalid_request` for two headers, `invalid_client` for one that cannot be read.
pub(super) fn read(authorization: Header<'_>) -> Result<Option<(String, SecretString)>, OAuthError> {
    let value = match authorization {
        Header::Missing => return Ok(None),
        Header::Repeated => return Err(OAuthError::invalid("there is more than one Authorization header")),
        Header::Unreadable => return Err(OAuthError::client()),
        Header::Once(value) => value,
    };
    let Some((scheme, credentials)) = value.split_once(' ') else { return Err(OAuthError::client()) };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    decode(credentials.trim()).map(Some).ok_or_else(OAuthError::client)
}

fn decode(credentials: &str) -> Option<(String, SecretString)> {
    let text = String::from_utf8(LENIENT.decode(credentials).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?.into()))
}

/// Both parts are encoded as in a form before they are put together.
fn form_decoded(text: &str) -> Option<String> {
    if text.bytes().all(|byte| !matches!(byte, b'+' | b'%' | b'&')) {
        return Some(text.to_owned());
    }
    let form = format!("={text}");
    let mut values = form_urlencoded::parse(form.as_bytes());
    let (_, value) = values.next()?;
    values.next().is_none().then(|| value.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn parts(text: &str) -> Option<(String, String)> {
        let value = format!("Basic {}", LENIENT.encode(text));
        let (id, secret) = read(Header::Once(&value)).ok().flatten()?;
        Some((id, secret.expose_secret().to_owned()))
    }

    #[test]
    fn both_parts_are_decoded() {
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(parts("web:"), pair("web", ""));
        assert_eq!(parts("a%3Ab:s%2B%26+x"), pair("a:b", "s+& x"));
        assert_eq!(parts("id:with:colon"), pair("id", "with:colon"));
        assert_eq!(parts("id:a=b=="), pair("id", "a=b=="));
        assert_eq!(parts("no colon"), None);
        assert_eq!(parts("id:a&b"), None, "not encoded as in a form");
    }

    #[test]
    fn other_schemes_are_left_alone_and_two_headers_are_refused() {
        assert!(read(Header::Once("Bearer x")).is_ok_and(|read| read.is_none()));
        assert!(read(Header::Repeated).is_err());
        assert!(read(Header::Once("Basic ***")).is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_as_in_a_form_comes_back(id in ".{1,30}", secret in ".{0,30}") {
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let text = format!("{}:{}", encoded(&id), encoded(&secret));
            prop_assert_eq!(parts(&text), Some((id, secret)));
        }
    }
}
