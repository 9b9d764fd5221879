//! Lists of pairs as OpenTelemetry writes them: `name=value,name=value`, the values percent-encoded (W3C Baggage).

use http::{HeaderMap, HeaderName, HeaderValue};

const FORM: &str = "must be pairs like name=value, separated by commas, with percent-encoded values";

/// The pairs of a list.
pub(super) fn pairs(list: &str) -> Result<Vec<(String, String)>, &'static str> {
    let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| pair(item).ok_or(FORM)).collect()
}

/// The headers of a list.
pub(super) fn parse(list: &str) -> Result<HeaderMap, &'static str> {
    let header = |(name, value): (String, String)| {
        let mut value = HeaderValue::from_str(&value).map_err(|_| FORM)?;
        value.set_sensitive(true);
        Ok((HeaderName::try_from(name).map_err(|_| FORM)?, value))
    };
    pairs(list)?.into_iter().map(header).collect()
}

fn pair(item: &str) -> Option<(String, String)> {
    let (name, value) = item.split_once('=')?;
    let name = name.trim();
    (!name.is_empty()).then_some(())?;
    Some((name.to_owned(), percent_decoded(value.trim())?))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        decoded.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_percent_decoded() {
        let found = pairs(" a=1, b = x%20y%2Cz ,,c=d=e").expect("pairs");
        let expected = [("a", "1"), ("b", "x y,z"), ("c", "d=e")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(found, expected);
        for wrong in ["a", "=1", "a=%2", "a=%zz", "a=%ff"] {
            pairs(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn headers_are_sensitive() {
        let headers = parse("Authorization=Bearer%20abc").expect("a header");
        assert_eq!(headers["authorization"], "Bearer abc");
        assert!(!format!("{headers:?}").contains("abc"));
        for wrong in ["a b=1", "a=%0A"] {
            parse(wrong).expect_err(wrong);
        }
    }
}
