//! Paths with several readings, for routes whose backends have files of any name.
//!
//! Servers differ on the meaning of `;`, `\`, `%2F` and `%25`, and names of files may contain each of them. Such a path is forwarded
//! unchanged, if every reading has the same route and is permitted.

use super::{Leniency, Path, PathError, Paths, decode, is_odd, lenient_decode};

/// How often a text is decoded; one that is encoded more often is refused.
const MAX_DECODINGS: usize = 4;

/// How a server reads a path.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that servers differ on")]
struct Server {
    /// Decodes repeatedly; else once.
    decodes_fully: bool,
    /// Splits at an encoded `/`.
    splits_encoded: bool,
    /// Splits at `\`.
    splits_backslash: bool,
    /// Removes what follows a `;` in a segment.
    cuts_parameters: bool,
}

impl Server {
    /// Reads every name literally.
    const LITERAL: Self =
        Self { decodes_fully: false, splits_encoded: false, splits_backslash: false, cuts_parameters: false };

    fn all() -> impl Iterator<Item = Self> {
        (0..16_u8).map(|bits| Self {
            decodes_fully: bits & 1 != 0,
            splits_encoded: bits & 2 != 0,
            splits_backslash: bits & 4 != 0,
            cuts_parameters: bits & 8 != 0,
        })
    }

    /// This server's reading of a path, without `.` segments (RFC 3986 5.2.4). A `/` within a name is written `%2F`. `None` if a segment
    /// is `..`, or contains a character that no name has.
    fn read(self, raw: &str) -> Option<String> {
        let mut path = String::with_capacity(raw.len());
        let mut is_folder = true;
        for segment in raw.strip_prefix('/')?.split('/') {
            let decoded = self.decode(segment)?;
            let is_separator =
                |byte: char| (byte == '/' && self.splits_encoded) || (byte == '\\' && self.splits_backslash);
            for part in decoded.split(is_separator) {
                let name = part.split(';').next().unwrap_or_default();
                let name = if self.cuts_parameters { name } else { part };
                is_folder = matches!(name, "" | ".");
                if is_upwards(name) {
                    return None;
                }
                if !is_folder {
                    path.push('/');
                    path.push_str(&name.replace('/', "%2F"));
                }
            }
        }
        if is_folder {
            path.push('/');
        }
        Some(path)
    }

    fn decode(self, segment: &str) -> Option<String> {
        let mut text = decode(segment)?.into_owned();
        for _ in 0..MAX_DECODINGS {
            if text.bytes().any(|byte| byte.is_ascii_control()) {
                return None;
            }
            let further = lenient_decode(&text);
            if !self.decodes_fully || further == text {
                return Some(text);
            }
            text = further;
        }
        None
    }
}

/// Whether a name is `..` for a server that ignores surrounding blanks or parameters.
fn is_upwards(name: &str) -> bool {
    name.split(';').next().is_some_and(|name| name.trim() == "..")
}

/// Every reading of a path.
///
/// # Errors
/// [`PathError::Ambiguous`] for one that has empty segments, a `..` for some server, or is not a path.
pub(super) fn opaque(raw: &str, leniency: Leniency) -> Result<Paths<'_>, PathError> {
    if raw.bytes().any(is_odd) || raw.contains("//") {
        return Err(PathError::Ambiguous);
    }
    let read = |server: Server| server.read(raw).map(|decoded| Path { raw, decoded: decoded.into(), leniency });
    let literal = read(Server::LITERAL).ok_or(PathError::Ambiguous)?;
    let mut others: Vec<Path<'_>> = Vec::new();
    for server in Server::all() {
        let path = read(server).ok_or(PathError::Ambiguous)?;
        if path != literal && !others.contains(&path) {
            others.push(path);
        }
    }
    Ok(Paths::Opaque { literal, others })
}
