//! A signed token (RFC 7515, 7519) on paper: taken apart, its claims held against the rules, its signature checked. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authn::Reason;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// The longest key identifier, in bytes.
const MAX_KID: usize = 256;
/// How far the issuer's clock may differ from ours.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// What a token must say.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Who issued it, byte for byte.
    pub issuer: String,
    /// What it must be meant for, if that matters.
    pub audience: Option<String>,
}

/// What is read of a header. Members that name keys (`jku`, `x5u`, `jwk`, `x5c`) are not among it: keys come from the
/// issuer alone.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A token whose signature has not been checked.
pub struct Unverified<'a> {
    message: &'a str,
    signature: &'a str,
    /// The algorithm it claims; one of those that are accepted.
    pub algorithm: Algorithm,
    /// The name of its key: an opaque text.
    pub kid: Option<String>,
    claims: Map<String, Value>,
}

/// What a token says, verified.
#[derive(Debug, Clone)]
pub struct Claims {
    /// From when on it is not good.
    pub expires: SystemTime,
    all: Map<String, Value>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart, and refuses what no signature could make good.
    pub fn parse(token: &'a str) -> Result<Self, Reason> {
        if token.len() > MAX_BYTES {
            return Err(Reason::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Reason::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Reason::Malformed)?;
        let Header { alg, kid, typ, crit } = json(header)?;
        if crit.is_some() || !is_access_token(typ.as_deref()) || kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(Reason::Malformed);
        }
        let algorithm = accepted(&alg).ok_or(Reason::ForeignToken)?;
        Ok(Self { message, signature, algorithm, kid, claims: json(payload)? })
    }

    /// Holds the claims against the rules. That costs nothing, so it comes before any key is looked for.
    pub fn check(&self, rules: &Rules, now: SystemTime) -> Result<(), Reason> {
        if self.claims.get("iss").and_then(Value::as_str) != Some(rules.issuer.as_str()) {
            return Err(Reason::ForeignToken);
        }
        if rules.audience.as_ref().is_some_and(|wanted| !is_meant_for(self.claims.get("aud"), wanted)) {
            return Err(Reason::ForeignToken);
        }
        if self.expires()? + LEEWAY <= now {
            return Err(Reason::Expired);
        }
        for claim in ["iat", "nbf"] {
            if self.time(claim)?.is_some_and(|begin| begin > now + LEEWAY) {
                return Err(Reason::Malformed);
            }
        }
        Ok(())
    }

    /// Checks the signature.
    pub fn verify(self, key: &DecodingKey) -> Result<Claims, Reason> {
        match crypto::verify(self.signature, self.message.as_bytes(), key, self.algorithm) {
            Ok(true) => Ok(Claims { expires: self.expires()?, all: self.claims }),
            Ok(false) | Err(_) => Err(Reason::WrongSecret),
        }
    }

    fn expires(&self) -> Result<SystemTime, Reason> {
        self.time("exp")?.ok_or(Reason::Malformed)
    }

    /// A `NumericDate` (RFC 7519, section 2); one that cannot be understood is no date that is left out.
    fn time(&self, claim: &str) -> Result<Option<SystemTime>, Reason> {
        let Some(value) = self.claims.get(claim) else { return Ok(None) };
        // the end of the year 9999: nothing added to it later can overflow
        let seconds = value.as_f64().map(|seconds| seconds.min(253_402_300_799.0)).ok_or(Reason::Malformed)?;
        let since_epoch = Duration::try_from_secs_f64(seconds).map_err(|_| Reason::Malformed)?;
        Ok(Some(UNIX_EPOCH + since_epoch))
    }
}

impl Claims {
    /// A claim that is a text with something in it.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A claim that is a whole number, or a text that is one.
    pub fn number(&self, name: &str) -> Option<i64> {
        let value = self.all.get(name)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }
}

/// The algorithms that are accepted: none with a shared secret, none without a signature.
pub fn accepted(name: &str) -> Option<Algorithm> {
    match name {
        "RS256" => Some(Algorithm::RS256),
        "PS256" => Some(Algorithm::PS256),
        "ES256" => Some(Algorithm::ES256),
        "EdDSA" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

/// RFC 9068 says `at+jwt`; most issuers still say `JWT` or nothing. Other types are made for something else.
fn is_access_token(typ: Option<&str>) -> bool {
    let Some(typ) = typ else { return true };
    let typ = typ
        .get(.."application/".len())
        .filter(|start| start.eq_ignore_ascii_case("application/"))
        .map_or(typ, |start| &typ[start.len()..]);
    typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("at+jwt")
}

fn is_meant_for(aud: Option<&Value>, wanted: &str) -> bool {
    match aud {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(wanted)),
        _ => false,
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Result<T, Reason> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Reason::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Reason::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.AAAA", part(header), part(claims))
    }

    fn checked(claims: &Value, audience: Option<&str>) -> Result<(), Reason> {
        let rules = Rules { issuer: "https://idp.example".into(), audience: audience.map(Into::into) };
        let token = token(&json!({"alg": "ES256"}), claims);
        Unverified::parse(&token).expect("is well formed").check(&rules, UNIX_EPOCH + Duration::from_secs(NOW))
    }

    #[test]
    fn only_the_listed_algorithms_are_accepted() {
        for alg in ["none", "None", "nOnE", "", "HS256", "HS384", "HS512", "RS512", "RS1", "es256"] {
            let token = token(&json!({"alg": alg, "kid": "k"}), &json!({}));
            assert_eq!(Unverified::parse(&token).err(), Some(Reason::ForeignToken), "{alg:?}");
        }
        for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
            assert!(Unverified::parse(&token(&json!({"alg": alg}), &json!({}))).is_ok(), "{alg}");
        }
    }

    #[test]
    fn a_header_that_demands_or_hides_something_is_refused() {
        let headers = [
            json!({"alg": "ES256", "crit": ["x"]}),
            json!({"alg": "ES256", "typ": "logout+jwt"}),
            json!({"alg": "ES256", "typ": "dpop+jwt"}),
            json!({"alg": "ES256", "kid": "k".repeat(257)}),
            json!({"alg": "ES256", "kid": 7}),
            json!({"kid": "k"}),
        ];
        for header in headers {
            assert_eq!(Unverified::parse(&token(&header, &json!({}))).err(), Some(Reason::Malformed), "{header}");
        }
        for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"] {
            assert!(Unverified::parse(&token(&json!({"alg": "ES256", "typ": typ}), &json!({}))).is_ok(), "{typ}");
        }
    }

    #[test]
    fn r1_the_issuer_is_compared_byte_for_byte() {
        assert_eq!(checked(&json!({"iss": "https://idp.example", "exp": NOW + 9}), None), Ok(()));
        for iss in ["https://idp.example/", "https://IDP.example", "https://idp.example.evil", ""] {
            assert_eq!(checked(&json!({"iss": iss, "exp": NOW + 9}), None), Err(Reason::ForeignToken), "{iss}");
        }
        assert_eq!(checked(&json!({"exp": NOW + 9}), None), Err(Reason::ForeignToken));
        assert_eq!(checked(&json!({"iss": ["https://idp.example"], "exp": NOW + 9}), None), Err(Reason::ForeignToken));
    }

    #[test]
    fn r3_the_audience_holds_ours() {
        let with = |aud: Value| checked(&json!({"iss": "https://idp.example", "exp": NOW + 9, "aud": aud}), Some("us"));
        assert_eq!(with(json!("us")), Ok(()));
        assert_eq!(with(json!(["them", "us"])), Ok(()));
        for aud in [json!("them"), json!([]), json!(["us "]), json!({"us": 1}), json!(null)] {
            assert_eq!(with(aud.clone()), Err(Reason::ForeignToken), "{aud}");
        }
    }

    #[test]
    fn times_have_a_leeway_of_five_seconds_and_no_more() {
        let at = |key: &str, value: Value| {
            let mut claims = json!({"iss": "https://idp.example", "exp": NOW + 9});
            claims[key] = value;
            checked(&claims, None)
        };
        assert_eq!(at("exp", json!(NOW - 4)), Ok(()));
        assert_eq!(at("exp", json!(NOW - 5)), Err(Reason::Expired));
        assert_eq!(at("exp", json!(0)), Err(Reason::Expired));
        for wrong in [json!("9999999999"), json!(-1), json!(null), json!([NOW + 9])] {
            assert_eq!(at("exp", wrong.clone()), Err(Reason::Malformed), "{wrong}");
        }
        for key in ["nbf", "iat"] {
            assert_eq!(at(key, json!(NOW + 5)), Ok(()));
            assert_eq!(at(key, json!(NOW + 6)), Err(Reason::Malformed));
            assert_eq!(at(key, json!("soon")), Err(Reason::Malformed));
        }
        assert_eq!(at("exp", json!(1e300)), Ok(()), "too far away is only far away");
    }

    proptest! {
        #[test]
        fn junk_is_refused(text in ".{0,200}") {
            prop_assert!(Unverified::parse(&text).is_err());
        }

        #[test]
        fn junk_of_the_right_shape_is_refused(text in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}") {
            prop_assert!(Unverified::parse(&text).is_err());
        }

        #[test]
        fn no_claims_break_the_check(exp in any::<f64>(), nbf in any::<i64>(), aud in ".{0,20}") {
            let claims = json!({"iss": "https://idp.example", "exp": exp, "nbf": nbf, "aud": aud});
            let _ = checked(&claims, Some("us"));
        }
    }
}
