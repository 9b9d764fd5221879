//! Paths that every server reads in the same way.
//!
//! What the edge decides on must be what the backend serves. So a path is not repaired: one that two servers could read
//! differently is refused (row E5), and any other is passed on as it came. Where a route says `paths: opaque`, one with several
//! readings is passed on as it came too, if all of them are permitted.

mod readings;

use std::borrow::Cow;

#[cfg(test)]
mod tests;

/// The longest path and query, in bytes (row E9).
pub const MAX_TARGET: usize = 8 * 1024;

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is longer than [`MAX_TARGET`].
    #[error("the path is too long")]
    TooLong,
    /// It could be read in more than one way.
    #[error("the path is ambiguous")]
    Ambiguous,
}

/// A path with only one reading: absolute, without empty or dotted segments, nothing encoded that separates, decoded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path<'a> {
    raw: &'a str,
    decoded: Cow<'a, str>,
    leniency: Leniency,
}

/// What else is taken for ordinary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leniency {
    /// Whether `;` may stand in a path. Some servers cut a segment off there, others do not.
    pub semicolons: bool,
}

impl<'a> Path<'a> {
    /// Reads a path as it stands in a request line, without the query.
    ///
    /// # Errors
    /// [`PathError`] for one that is too long, or that two servers could read differently.
    pub fn parse(raw: &'a str, leniency: Leniency) -> Result<Self, PathError> {
        if raw.len() > MAX_TARGET {
            return Err(PathError::TooLong);
        }
        let decoded = decode(raw).ok_or(PathError::Ambiguous)?;
        let is_ambiguous = !raw.starts_with('/')
            || raw.bytes().any(|byte| is_odd(byte) || byte == b'\\' || (byte == b';' && !leniency.semicolons))
            || decoded.bytes().any(|byte| byte.is_ascii_control() || byte == b'\\')
            || separators(raw) != separators(&decoded)
            || decodes_further(&decoded)
            || has_odd_segment(&decoded);
        if is_ambiguous { Err(PathError::Ambiguous) } else { Ok(Self { raw, decoded, leniency }) }
    }

    /// As it came, and as it is passed on.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// What it was allowed to be.
    pub fn leniency(&self) -> Leniency {
        self.leniency
    }

    /// Decoded: what rules and scopes are compared with.
    pub fn decoded(&self) -> &str {
        &self.decoded
    }
}

/// What was asked for: a path with one reading, or one with several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paths<'a> {
    /// Every server reads it in the same way.
    Plain(Path<'a>),
    /// Servers could read it differently; only for routes whose paths are opaque.
    Opaque {
        /// The path in which each name stands as it is.
        literal: Path<'a>,
        /// What else a server could take it for, without repetition.
        others: Vec<Path<'a>>,
    },
}

impl<'a> Paths<'a> {
    /// Reads a path as it stands in a request line, without the query.
    ///
    /// # Errors
    /// [`PathError`] for one that is too long, or that no route may pass on.
    pub fn parse(raw: &'a str, leniency: Leniency) -> Result<Self, PathError> {
        match Path::parse(raw, leniency) {
            Ok(path) => Ok(Self::Plain(path)),
            Err(PathError::Ambiguous) => readings::opaque(raw, leniency),
            Err(error) => Err(error),
        }
    }

    /// The path in which each name stands as it is.
    pub fn literal(&self) -> &Path<'a> {
        match self {
            Self::Plain(path) => path,
            Self::Opaque { literal, .. } => literal,
        }
    }

    /// What else it could be taken for.
    pub fn others(&self) -> &[Path<'a>] {
        match self {
            Self::Plain(_) => &[],
            Self::Opaque { others, .. } => others,
        }
    }

    /// Everything that it could be taken for.
    pub fn readings(&self) -> impl Iterator<Item = &Path<'a>> {
        std::iter::once(self.literal()).chain(self.others())
    }

    /// Whether servers could read it differently.
    pub fn is_opaque(&self) -> bool {
        matches!(self, Self::Opaque { .. })
    }
}

/// A byte that stands in no path of a request line.
fn is_odd(byte: u8) -> bool {
    byte.is_ascii_control() || matches!(byte, b'#' | b'?')
}

fn separators(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'/').count()
}

/// Percent-decodes once; `None` for a broken escape and for what is no UTF-8.
fn decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('%') {
        return Some(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let (high, low) = (hex(*tail.first()?)?, hex(*tail.get(1)?)?);
            decoded.push(high << 4 | low);
            rest = &tail[2..];
        } else {
            decoded.push(first);
            rest = tail;
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// Percent-decodes once; what is no escape stays, as does a text that would be no UTF-8.
fn lenient_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let escape = |at: usize| Some(hex(*bytes.get(at + 1)?)? << 4 | hex(*bytes.get(at + 2)?)?);
        if let Some(value) = escape(at).filter(|_| byte == b'%') {
            decoded.push(value);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Whether a server that decodes twice would find a separator, a dot or a control character.
fn decodes_further(decoded: &str) -> bool {
    let bytes = decoded.as_bytes();
    bytes.windows(3).any(|window| {
        let [b'%', high, low] = window else { return false };
        let (Some(high), Some(low)) = (hex(*high), hex(*low)) else { return false };
        let byte = high << 4 | low;
        byte.is_ascii_control() || matches!(byte, b'/' | b'\\' | b'.' | b'%' | b';' | b'?' | b'#')
    })
}

/// An empty segment, except behind a `/` at the end, and a segment of dots, also with a parameter behind it.
fn has_odd_segment(decoded: &str) -> bool {
    let inner = decoded.strip_prefix('/').unwrap_or(decoded);
    if inner.is_empty() {
        return false;
    }
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    inner.split('/').any(|segment| {
        let name = segment.split(';').next().unwrap_or_default();
        segment.is_empty() || matches!(name.trim_end(), "." | "..")
    })
}
