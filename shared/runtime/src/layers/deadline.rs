//! The timeout of a request.

use std::time::Duration;

use http::HeaderMap;

const GRPC_TIMEOUT: &str = "grpc-timeout";

/// The listener's limit, or the client's `grpc-timeout` if that is less. Streams have no limit here: the backend of a stream decides.
pub(super) fn of(headers: &HeaderMap, limit: Option<Duration>) -> Option<Duration> {
    let limit = limit?;
    let asked = headers.get(GRPC_TIMEOUT).and_then(|value| parse(value.to_str().ok()?));
    Some(asked.map_or(limit, |asked| asked.min(limit)))
}

/// Parses at most eight digits and a unit, as gRPC defines it.
fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.is_empty() || number.len() > 8 || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_shorter_of_both_holds() {
        let mut headers = HeaderMap::new();
        let limit = Some(Duration::from_secs(5));
        assert_eq!(of(&headers, limit), limit);
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_static("300m"));
        assert_eq!(of(&headers, limit), Some(Duration::from_millis(300)));
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_static("1H"));
        assert_eq!(of(&headers, limit), limit);
        assert_eq!(of(&headers, None), None);
    }

    #[test]
    fn odd_timeouts_are_none() {
        for odd in ["", "5", "S", "-1S", "123456789S", "5s", "5 S", "ü", "1ü"] {
            assert_eq!(parse(odd), None, "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".*") {
            let _ = parse(&text);
        }
    }
}
