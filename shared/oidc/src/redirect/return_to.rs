/// The longest path to return to, in bytes; it may hold a whole authorization request.
pub const MAX_RETURN_TO: usize = 8 * 1024;

/// The text, if it is a path of the own origin for every reader: where a sign-in page may send the browser afterwards.
/// Everything else is refused, and the caller sends to its landing page instead (RFC 9700 4.11).
///
/// The text is a decoded parameter: visible ASCII that begins with one `/`. Browsers read `\` as `/`, take out tabs and
/// line breaks, and take a second `/` for the beginning of a host; a server behind may decode the path once more or take
/// out its dot segments. Therefore the path has no empty segment but the last, and nothing of that in encoded form. What
/// comes after `?` decides no origin and is only held to visible ASCII.
pub fn same_origin_path(text: &str) -> Option<&str> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'));
    let path = text.split('?').next().unwrap_or_default();
    let safe = text.len() <= MAX_RETURN_TO && visible && path.starts_with('/') && !path.contains("//");
    (safe && !hides_something(path)).then_some(text)
}

/// Whether a path has a separator, a control character or a broken escape in encoded form.
fn hides_something(path: &str) -> bool {
    path.split('%').skip(1).any(|escaped| {
        let decoded = escaped.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match decoded.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => byte.is_ascii_control() || matches!(byte, b'/' | b'\\'),
            None => true,
        }
    })
}
