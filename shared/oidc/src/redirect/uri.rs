//! A URI taken apart, in one way only (RFC 3986): what could be read in two ways is refused.

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

use super::{MAX_BYTES, Reason};

/// Schemes that run code, open what is on the machine, or are no place to redirect to.
const FORBIDDEN: [&str; 12] = [
    "about",
    "blob",
    "data",
    "file",
    "filesystem",
    "intent",
    "javascript",
    "urn",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// A registration, or a site, in its parts.
pub(super) struct Uri<'a> {
    /// Everything before the port: scheme and host; without an authority the scheme.
    pub(super) origin: &'a str,
    scheme: &'a str,
    /// Empty if there is no authority, or an empty one.
    pub(super) host: &'a str,
    pub(super) port: Port,
    /// Path and query.
    pub(super) rest: &'a str,
}

#[derive(Clone)]
pub(super) enum Port {
    None,
    One,
    /// `[min-max]`
    Range(RangeInclusive<u16>),
}

impl<'a> Uri<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        if text.len() > MAX_BYTES {
            return Err(Reason::TooLong);
        }
        check_characters(text)?;
        let (scheme, after) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).ok_or(Reason::NoScheme)?;
        if FORBIDDEN.iter().any(|forbidden| scheme.eq_ignore_ascii_case(forbidden)) {
            return Err(Reason::ForbiddenScheme);
        }
        let uri = match after.strip_prefix("//") {
            Some(after) => Self::with_authority(text, scheme, after)?,
            None => Self { origin: &text[..=scheme.len()], scheme, host: "", port: Port::None, rest: after },
        };
        if uri.rest.contains(['[', ']']) {
            return Err(Reason::Character);
        }
        if uri.is_web() && uri.host.is_empty() {
            return Err(Reason::Host);
        }
        if matches!(uri.port, Port::Range(_)) && !uri.is_web() {
            return Err(Reason::Range);
        }
        if has_dot_segment(uri.rest) {
            return Err(Reason::DotSegment);
        }
        Ok(uri)
    }

    fn with_authority(text: &'a str, scheme: &'a str, after: &'a str) -> Result<Self, Reason> {
        let (authority, rest) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
        if authority.contains('@') {
            return Err(Reason::UserInfo);
        }
        let end = match authority.find(']') {
            Some(end) if authority.starts_with('[') => end + 1,
            _ => authority.find(':').unwrap_or(authority.len()),
        };
        let (host, port) = authority.split_at(end);
        let has_host = is_host(host) || (host.is_empty() && port.is_empty());
        if !has_host {
            return Err(Reason::Host);
        }
        let origin = &text[..text.len() - rest.len() - port.len()];
        Ok(Self { origin, scheme, host, port: Port::parse(port)?, rest })
    }

    /// Whether it is `http` or `https`, where the other rules are those of browsers.
    pub(super) fn is_web(&self) -> bool {
        self.is_plain_http() || self.scheme.eq_ignore_ascii_case("https")
    }

    pub(super) fn is_plain_http(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("http")
    }
}

impl Port {
    /// Reads `:port`, `:[min-max]` or nothing.
    fn parse(text: &str) -> Result<Self, Reason> {
        if text.is_empty() {
            return Ok(Self::None);
        }
        let text = text.strip_prefix(':').ok_or(Reason::Host)?;
        let Some(range) = text.strip_prefix('[') else {
            return port_number(text).map(|_| Self::One).ok_or(Reason::Port);
        };
        let (min, max) = range.strip_suffix(']').and_then(|range| range.split_once('-')).ok_or(Reason::Range)?;
        match (port_number(min), port_number(max)) {
            (Some(min), Some(max)) if min <= max => Ok(Self::Range(min..=max)),
            _ => Err(Reason::Range),
        }
    }
}

/// A port as it is written in one way only: 1 to 65535 in decimal digits, without leading zeros.
pub(crate) fn port_number(text: &str) -> Option<u16> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| canonical)
}

/// What a URI may have besides letters and digits.
const OTHER_CHARACTERS: &[u8] = b"-._~:/?[]@!$&'()+,;=%";

/// The characters of RFC 3986 2, without those that a registration must not have.
fn check_characters(text: &str) -> Result<(), Reason> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'*' => return Err(Reason::Wildcard),
            b'#' => return Err(Reason::Fragment),
            b'%' if !is_escape(&text.as_bytes()[at..]) => return Err(Reason::Character),
            byte if byte.is_ascii_alphanumeric() || OTHER_CHARACTERS.contains(&byte) => {}
            _ => return Err(Reason::Character),
        }
    }
    Ok(())
}

fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// `scheme` of RFC 3986 3.1.
fn is_scheme(text: &str) -> bool {
    let tail = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(tail)
}

/// A name of plain characters, an IPv4 address, or an IPv6 address in brackets; nothing encoded.
pub(crate) fn is_host(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !text.is_empty() && text.bytes().all(plain)
}

/// Whether the path has a segment `.` or `..`, encoded or not (RFC 3986 5.2.4).
fn has_dot_segment(rest: &str) -> bool {
    let path = rest.split('?').next().unwrap_or_default().to_ascii_lowercase().replace("%2e", ".");
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}
