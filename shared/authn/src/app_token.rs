//! The form of an app token: `dwa_`, 30 random base62 characters (178 bits), and 6 of a CRC-32 over what precedes them. The checksum is
//! public: it lets a service refuse junk without I/O, and leak scanners recognise a token.

use secrecy::SecretString;

/// How each app token begins. The edge tries such a secret as an app token only, never as a password.
pub const PREFIX: &str = "dwa_";
/// How many random characters follow.
pub const RANDOM: usize = 30;
/// How many characters the checksum has.
pub const CHECKSUM: usize = 6;
/// How long every token is, in bytes.
pub const LENGTH: usize = PREFIX.len() + RANDOM + CHECKSUM;
/// The characters after the prefix.
pub const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A text that has the form of an app token and the right checksum. Whether that token exists is not known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WellFormed<'a>(&'a str);

impl<'a> WellFormed<'a> {
    /// Checks the form and the checksum.
    pub fn parse(text: &'a str) -> Option<Self> {
        is_well_formed(PREFIX, text).then_some(Self(text))
    }

    /// The token's text, prefix and checksum included: a secret.
    pub fn text(self) -> &'a str {
        self.0
    }
}

/// Makes a text of this form with another prefix, as secrets of service accounts have it. `fill` fills bytes with random ones.
pub fn generate(prefix: &str, mut fill: impl FnMut(&mut [u8])) -> SecretString {
    let length = prefix.len() + RANDOM;
    let mut text = String::with_capacity(length + CHECKSUM);
    text.push_str(prefix);
    let mut bytes = [0; 2 * RANDOM];
    while text.len() < length {
        fill(&mut bytes);
        let missing = length - text.len();
        // 248 is the greatest multiple of 62 in a byte: what lies above would make some characters likelier
        let fair = bytes.iter().filter(|byte| **byte < 248).take(missing);
        text.extend(fair.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])));
    }
    text.extend(checksum(text.as_bytes()).map(char::from));
    text.into()
}

/// Whether a text has this form, with this prefix, and the right checksum.
pub fn is_well_formed(prefix: &str, text: &str) -> bool {
    let length = prefix.len() + RANDOM + CHECKSUM;
    text.strip_prefix(prefix).filter(|_| text.len() == length).is_some_and(|random| {
        let (body, sum) = text.as_bytes().split_at(length - CHECKSUM);
        random.bytes().all(|byte| byte.is_ascii_alphanumeric()) && checksum(body) == sum
    })
}

/// The CRC-32 (ISO-HDLC, as in zlib) in base62, the most significant digit first.
pub fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let mut rest = crc32fast::hash(body);
    let mut digits = [b'0'; CHECKSUM];
    for place in digits.iter_mut().rev() {
        *place = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_that_of_zlib() {
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
        assert_eq!(&checksum(b"123456789"), b"3jZRME");
    }
}
