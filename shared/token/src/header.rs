use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, de::IgnoredAny};

use crate::Defect;

/// `{"alg":"HS256","typ":"JWT"}`, encoded: the header of every token that is minted, in Go's order.
pub(crate) const ENCODED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// Longest encoded header that is read, in bytes; Go's has 36.
const LIMIT: usize = 512;
/// Longest key id that is not an oddity.
const KEY_ID_LIMIT: usize = 64;

/// What of a JOSE header matters: there is one key and one algorithm, nothing in it is asked for either.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    #[serde(default)]
    kid: Option<String>,
    /// Members that bring a key along, demand something or announce another form. They share one field, so that two of them are an
    /// error as well.
    #[serde(
        default,
        rename = "crit",
        alias = "jku",
        alias = "jwk",
        alias = "x5u",
        alias = "x5c",
        alias = "zip",
        alias = "enc",
        alias = "cty",
        alias = "b64"
    )]
    refused: Present,
}

/// Whether a member is there at all, be it `null`.
#[derive(Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

/// Checks an encoded header.
pub(crate) fn check(encoded: &str) -> Result<(), Defect> {
    if encoded == ENCODED {
        return Ok(());
    }
    if encoded.len() > LIMIT {
        return Err(Defect::Header);
    }
    let json = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Defect::Header)?;
    let header: Header = serde_json::from_slice(&json).map_err(|_| Defect::Header)?;
    if header.alg != "HS256" {
        return Err(Defect::Algorithm);
    }
    let plain = header.kid.as_deref().is_none_or(is_plain_key_id);
    if header.refused.0 || !plain || !header.typ.eq_ignore_ascii_case("JWT") {
        return Err(Defect::Header);
    }
    Ok(())
}

/// A key id chooses nothing here; one that looks like a path or a query is still no honest token's.
fn is_plain_key_id(id: &str) -> bool {
    id.len() <= KEY_ID_LIMIT && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoded_header_is_what_it_says() {
        assert_eq!(URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#), ENCODED);
    }

    #[test]
    fn order_and_a_key_id_do_not_matter() {
        for header in [r#"{"typ":"JWT","alg":"HS256"}"#, r#"{"alg":"HS256","kid":"key_1-a","typ":"jwt"}"#] {
            assert_eq!(check(&URL_SAFE_NO_PAD.encode(header)), Ok(()), "{header}");
        }
    }
}
