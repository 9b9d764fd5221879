//! Paths that every server reads in the same way.
//!
//! The edge must decide on the path that the backend serves. So a path is not repaired: one that two servers could read
//! differently is refused (`docs/security-requirements.md#e5`), and any other is forwarded unchanged. If the route has
//! `paths: opaque`, an ambiguous one is forwarded unchanged too, if every reading is permitted.

mod readings;

use std::borrow::Cow;

#[cfg(test)]
mod tests;

/// The longest path and query, in bytes (`docs/security-requirements.md#e9`).
pub const MAX_TARGET: usize = 8 * 1024;

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is longer than [`MAX_TARGET`].
    #[error("the path is too long")]
    TooLong,
    /// It has more than one reading.
    #[error("the path is ambiguous")]
    Ambiguous,
}

/// A path with one reading: absolute, without empty or dot segments or encoded separators, decoded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path<'a> {
    raw: &'a str,
    decoded: Cow<'a, str>,
    leniency: Leniency,
}

/// Which ambiguous paths are accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leniency {
    /// Whether a path may contain `;`. Some servers end a segment there.
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

    /// As the client sent it, and as it is forwarded.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The leniency by which it was parsed.
    pub fn leniency(&self) -> Leniency {
        self.leniency
    }

    /// Decoded, for rules and scopes.
    pub fn decoded(&self) -> &str {
        &self.decoded
    }
}

/// A path with one reading, or with several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paths<'a> {
    /// Every server reads it in the same way.
    Plain(Path<'a>),
    /// Servers could read it differently; for routes with opaque paths only.
    Opaque {
        /// The reading that takes each name literally.
        literal: Path<'a>,
        /// The other readings, without duplicates.
        others: Vec<Path<'a>>,
    },
}

impl<'a> Paths<'a> {
    /// Reads a path as it stands in a request line, without the query.
    ///
    /// # Errors
    /// [`PathError`] for one that is too long, or that no route may forward.
    pub fn parse(raw: &'a str, leniency: Leniency) -> Result<Self, PathError> {
        match Path::parse(raw, leniency) {
            Ok(path) => Ok(Self::Plain(path)),
            Err(PathError::Ambiguous) => readings::opaque(raw, leniency),
            Err(error) => Err(error),
        }
    }

    /// The reading that takes each name literally.
    pub fn literal(&self) -> &Path<'a> {
        match self {
            Self::Plain(path) => path,
            Self::Opaque { literal, .. } => literal,
        }
    }

    /// The other readings.
    pub fn others(&self) -> &[Path<'a>] {
        match self {
            Self::Plain(_) => &[],
            Self::Opaque { others, .. } => others,
        }
    }

    /// All readings.
    pub fn readings(&self) -> impl Iterator<Item = &Path<'a>> {
        std::iter::once(self.literal()).chain(self.others())
    }

    /// Whether it has several readings.
    pub fn is_opaque(&self) -> bool {
        matches!(self, Self::Opaque { .. })
    }
}

/// What a path has after this prefix, if the path is the prefix or lies below it: nothing, or a text that begins with `/`.
pub(crate) fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the path of a request line cannot contain a byte.
fn is_odd(byte: u8) -> bool {
    byte.is_ascii_control() || matches!(byte, b'#' | b'?')
}

fn separators(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'/').count()
}

/// Percent-decodes once; `None` for an invalid escape or invalid UTF-8.
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

/// Percent-decodes once; an invalid escape stays, as does a text that would be invalid UTF-8.
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

/// Whether there is an empty segment, except after a trailing `/`, or a dot segment, perhaps with a parameter.
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
