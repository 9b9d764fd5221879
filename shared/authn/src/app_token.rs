//! The form of an app token: `dwa_`, 30 random base62 characters (178 bits), and 6 of a CRC-32 over what precedes them. The checksum is
//! public: it lets a service refuse junk without I/O, and leak scanners recognise a token.

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
        let random = text.strip_prefix(PREFIX).filter(|_| text.len() == LENGTH)?;
        let base62 = random.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (body, sum) = text.as_bytes().split_at(LENGTH - CHECKSUM);
        (base62 && checksum(body) == sum).then_some(Self(text))
    }

    /// The token's text, prefix and checksum included: a secret.
    pub fn text(self) -> &'a str {
        self.0
    }
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
