//! The two numbers of an RSA public key, as the cryptographic library writes it (RFC 8017 A.1.1).

/// Modulus and exponent, big-endian and without leading zeros.
pub(super) fn rsa_public_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const SEQUENCE: u8 = 0x30;
    let (numbers, []) = element(der, SEQUENCE)? else { return None };
    let (modulus, rest) = integer(numbers)?;
    let (exponent, []) = integer(rest)? else { return None };
    Some((modulus, exponent))
}

/// A positive number, and what comes after it.
fn integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const INTEGER: u8 = 0x02;
    let (number, rest) = element(der, INTEGER)?;
    // a zero stands before a first bit that would be taken for a sign
    Some((number.strip_prefix(&[0]).unwrap_or(number), rest))
}

/// The content of an element, and what comes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match der.strip_prefix(&[tag])? {
        [short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}
