//! What may be asked for when a token is made.

use std::time::{Duration, SystemTime};

use runtime::config::Value;

/// The longest label, in characters.
pub const MAX_LABEL: usize = 128;
/// How long a token lives when nothing is said, on the command line.
pub const DEFAULT_EXPIRATION: &str = "72h";

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The label is too long, or holds what would break a line.
    #[error("a label has at most {MAX_LABEL} characters and no control characters")]
    Label,
    /// The end is not in the future.
    #[error("the expiration must be in the future")]
    Past,
    /// The end is further away than is allowed.
    #[error("the expiration is too far away; at most {} hours are allowed", .0.as_secs() / 3600)]
    TooLong(Duration),
    /// It is not a duration.
    #[error("{0:?} is not a duration; it is written like 72h, 30m or 1h30m")]
    Duration(String),
}

/// Checks a label.
pub fn label(text: &str) -> Result<&str, PolicyError> {
    let fits = text.chars().count() <= MAX_LABEL && !text.chars().any(char::is_control);
    if fits { Ok(text) } else { Err(PolicyError::Label) }
}

/// When a token ends: as wished if that is allowed, as late as possible if nothing is wished.
pub fn expiration(now: SystemTime, wish: Option<SystemTime>, longest: Duration) -> Result<SystemTime, PolicyError> {
    let latest = now.checked_add(longest).ok_or(PolicyError::TooLong(longest))?;
    match wish {
        None => Ok(latest),
        Some(end) if end <= now => Err(PolicyError::Past),
        Some(end) if end > latest => Err(PolicyError::TooLong(longest)),
        Some(end) => Ok(end),
    }
}

/// Reads how long a token shall live, written as in Go with the units h, m and s; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, PolicyError> {
    let known_units = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'h' | 'm' | 's'));
    let read = if known_units { <Duration as Value>::parse(text) } else { None };
    let shown = || text.chars().take(32).collect();
    read.filter(|duration| *duration >= Duration::from_secs(1)).ok_or_else(|| PolicyError::Duration(shown()))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const YEAR: Duration = Duration::from_hours(8760);

    #[test]
    fn a5_durations_are_read_or_refused() {
        assert_eq!(duration(DEFAULT_EXPIRATION), Ok(72 * HOUR));
        for (text, seconds) in [("1h", 3600), ("1m", 60), ("1s", 1), ("1h30m", 5400), ("600", 600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        let wrong = ["", "-1h", "0s", "0", "1e9h", "NaN", "inf", "99999999999999999999", "99999999999999999999h"];
        for text in wrong.into_iter().chain(["1x", "h", "1h-1m", " 1h", "1h ", "1ns", "0.1s", "١h"]) {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a5_an_end_is_in_the_future_and_not_too_far() {
        let now = UNIX_EPOCH + YEAR;
        assert_eq!(expiration(now, None, YEAR), Ok(now + YEAR));
        assert_eq!(expiration(now, Some(now + HOUR), YEAR), Ok(now + HOUR));
        assert_eq!(expiration(now, Some(now + YEAR), YEAR), Ok(now + YEAR));
        assert_eq!(expiration(now, Some(now), YEAR), Err(PolicyError::Past));
        assert_eq!(expiration(now, Some(UNIX_EPOCH), YEAR), Err(PolicyError::Past));
        let beyond = now + YEAR + Duration::from_nanos(1);
        assert_eq!(expiration(now, Some(beyond), YEAR), Err(PolicyError::TooLong(YEAR)));
        assert_eq!(expiration(now, None, Duration::MAX), Err(PolicyError::TooLong(Duration::MAX)));
    }

    #[test]
    fn a_label_is_one_short_line() {
        assert_eq!(label("Phone <script>"), Ok("Phone <script>"));
        assert_eq!(label(&"ä".repeat(128)).map(str::len), Ok(256));
        for wrong in ["a".repeat(129), "a\nb".into(), "a\u{7}".into(), "x".repeat(1024 * 1024)] {
            assert_eq!(label(&wrong), Err(PolicyError::Label));
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in ".{0,40}") {
            if let Ok(read) = duration(&text) {
                prop_assert!(read >= Duration::from_secs(1));
            }
        }
    }
}
