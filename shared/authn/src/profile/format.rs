//! The forms of values in a profile.

/// The longest text, in characters.
const MAX_TEXT: usize = 255;
/// The longest URL, in bytes.
const MAX_URL: usize = 2048;
/// The longest name of a time zone, and the longest language tag, in bytes.
const MAX_NAME: usize = 64;
/// The digits of a telephone number: E.164 has at most 15, and extensions follow `;ext=`.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 3..=15;

/// A text without control characters; `lines` permits line breaks.
pub(super) fn is_text(value: &str, lines: bool) -> bool {
    let is_control = |c: char| c.is_control() && !(lines && c == '\n');
    value.chars().count() <= MAX_TEXT && !value.contains(is_control)
}

/// An `http` or `https` URL with a host and without a user. Pages make links of it, so no other scheme is accepted.
pub(super) fn is_url(value: &str) -> bool {
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    let is_forbidden =
        |c: char| !c.is_ascii_graphic() || matches!(c, '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '|' | '}');
    value.len() <= MAX_URL
        && rest.is_some_and(|rest| {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            !authority.is_empty()
                && !authority.starts_with(':')
                && !authority.contains('@')
                && !rest.contains(is_forbidden)
        })
}

/// `YYYY-MM-DD`, `0000-MM-DD` or `YYYY` (`OpenID` Connect Core 5.1).
pub(super) fn is_birthdate(value: &str) -> bool {
    let number = |text: &str, digits: usize| {
        let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u32>().ok()).flatten()
    };
    let mut parts = value.split('-');
    let year = parts.next().and_then(|text| number(text, 4));
    match (year, parts.next(), parts.next(), parts.next()) {
        (Some(year), None, None, None) => year != 0,
        (Some(year), Some(month), Some(day), None) => {
            let (month, day) = (number(month, 2).unwrap_or_default(), number(day, 2).unwrap_or_default());
            (1..=days(year, month)).contains(&day)
        }
        _ => false,
    }
}

/// The days of a month, 0 for no month. A year that is not known may be a leap year.
fn days(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    }
}

/// The shape of a name in the IANA database: `UTC`, `Europe/Zurich`, `Etc/GMT+5`.
pub(super) fn is_zone(value: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-'))
    };
    value.len() <= MAX_NAME && value.split('/').all(is_part)
}

/// The shape of a BCP 47 language tag.
pub(super) fn is_language_tag(value: &str) -> bool {
    let mut parts = value.split('-');
    let is_language = |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    value.len() <= MAX_NAME && parts.next().is_some_and(is_language) && parts.all(is_subtag)
}

/// A number in the international form of E.164 with separators, perhaps with an extension (RFC 3966).
pub(super) fn is_phone_number(value: &str) -> bool {
    let (number, extension) = value.split_once(";ext=").map_or((value, None), |(number, ext)| (number, Some(ext)));
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let is_number = number.strip_prefix('+').is_some_and(|rest| {
        rest.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'.' | b'(' | b')'))
    });
    let is_extension = |text: &str| (1..=15).contains(&text.len()) && digits(text) == text.len();
    value.len() <= MAX_NAME && is_number && PHONE_DIGITS.contains(&digits(number)) && extension.is_none_or(is_extension)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(is_valid: fn(&str) -> bool, valid: &[&str], invalid: &[&str]) {
        for value in valid {
            assert!(is_valid(value), "{value} is refused");
        }
        for value in invalid {
            assert!(!is_valid(value), "{value} is accepted");
        }
    }

    #[test]
    fn urls_are_of_the_web() {
        check(
            is_url,
            &["https://example.org", "http://example.org:8080/a?b#c"],
            &["javascript:alert(1)", "https://", "https://:80/", "https://a@b/", "https://a b/", "ftp://a/", "data:,x"],
        );
    }

    #[test]
    fn birthdates_are_days_of_the_calendar() {
        check(
            is_birthdate,
            &["1879-03-14", "0000-02-29", "2000-02-29", "1879"],
            &["1879-3-14", "1900-02-29", "1879-13-01", "1879-04-31", "0000", "14.03.1879", "1879-03", "+879-03-14"],
        );
    }

    #[test]
    fn zones_and_languages_have_the_shape_of_their_registries() {
        check(
            is_zone,
            &["UTC", "Europe/Zurich", "Etc/GMT+5", "America/Argentina/Buenos_Aires"],
            &["", "/", "a b", "../x"],
        );
        check(is_language_tag, &["de", "de-CH", "zh-Hant-TW", "sl-rozaj"], &["", "d", "de_CH", "de-", "de-123456789"]);
    }

    #[test]
    fn telephone_numbers_are_international() {
        check(
            is_phone_number,
            &["+41 44 632 11 11", "+1 (425) 555-1212", "+1 (604) 555-1234;ext=5678"],
            &["044 632 11 11", "+", "+41 44 CALL ME", "+1234567890123456", "+41446321111;ext=", "+41446321111;ext=a"],
        );
    }

    proptest! {
        #[test]
        fn never_panics(value in ".{0,80}") {
            for is_valid in [is_url, is_birthdate, is_zone, is_language_tag, is_phone_number] {
                is_valid(&value);
            }
        }
    }
}
