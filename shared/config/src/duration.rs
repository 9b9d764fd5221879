//! Durations as Go writes them: `1h30m`, `1.5s`, `300ms`; a bare whole number is seconds.

use std::fmt::Write;
use std::time::Duration;

const NANOS: u128 = 1_000_000_000;
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", NANOS),
    ("m", 60 * NANOS),
    ("h", 3600 * NANOS),
];

/// What a text has to match to be a duration, or to be empty, as JSON Schema has it.
pub(crate) const PATTERN: &str = r"^(\+?([0-9]+|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+))?$";

/// Reads a duration; `None` when it is none, is negative or is too long.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let (mut rest, mut total) = (text, 0_u128);
    loop {
        let (nanos, after) = one_part(rest)?;
        total = total.checked_add(nanos)?;
        rest = after;
        if rest.is_empty() {
            let subsecond = u32::try_from(total % NANOS).ok()?;
            return Some(Duration::new(u64::try_from(total / NANOS).ok()?, subsecond));
        }
    }
}

/// Reads one number with its unit, in nanoseconds, and returns what follows it.
fn one_part(text: &str) -> Option<(u128, &str)> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(number_end);
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (name, rest) = rest.split_at(unit_end);
    let (_, unit) = UNITS.into_iter().find(|(known, _)| *known == name)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u128>().ok()? };
    Some((whole.checked_mul(unit)?.checked_add(fraction_of(fraction, unit))?, rest))
}

/// Digits below a nanosecond count for nothing, as in Go.
fn fraction_of(digits: &str, unit: u128) -> u128 {
    let add = |(sum, scale): (u128, u128), digit: u8| (sum + u128::from(digit - b'0') * scale / 10, scale / 10);
    digits.bytes().fold((0, unit), add).0
}

/// Writes a duration so that [`parse`] reads it back exactly.
pub fn format(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let nanos = u64::from(duration.subsec_nanos());
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (nanos / 1_000_000, "ms"),
        (nanos / 1_000 % 1_000, "us"),
        (nanos % 1_000, "ns"),
    ];
    let mut text = String::new();
    for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(text, "{count}{unit}");
    }
    if text.is_empty() { "0s".into() } else { text }
}
