//! What a person types in: eight letters without vowels, so that they make no words, and without those that are mistaken
//! for digits (RFC 8628 6.1). 20^8 of them are more than anybody can try while a device waits (row I26).

use std::fmt;

use runtime::Random;

const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LEN: usize = 8;
/// The longest text that is read as one, in bytes.
const MAX_TYPED: usize = 64;

/// A user code.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UserCode(String);

impl UserCode {
    /// A new one; each is as likely as any other.
    pub(crate) fn generate(random: &Random) -> Self {
        // a byte above the last multiple of 20 would favour the first letters
        let fair = 256 - 256 % ALPHABET.len();
        let mut text = String::with_capacity(LEN);
        while text.len() < LEN {
            let bytes: [u8; 2 * LEN] = random.bytes();
            let letters = bytes.into_iter().map(usize::from).filter(|byte| *byte < fair);
            text.extend(letters.map(|byte| char::from(ALPHABET[byte % ALPHABET.len()])).take(LEN - text.len()));
        }
        Self(text)
    }

    /// Reads what a user has typed in: in upper or lower case, with anything between the letters that is none.
    pub(crate) fn read(typed: &str) -> Option<Self> {
        if typed.len() > MAX_TYPED {
            return None;
        }
        let text: String = typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
        (text.len() == LEN && text.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(Self(text))
    }

    /// The letters, as they are kept.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserCode {
    /// As it is shown: `XXXX-XXXX`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(LEN / 2);
        write!(f, "{first}-{second}")
    }
}

impl fmt::Debug for UserCode {
    /// Without the code: a reader of logs could allow the device with it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn i26_codes_are_eight_letters_of_twenty() {
        let random = Random::seeded(7);
        let codes: Vec<_> = (0..2000).map(|_| UserCode::generate(&random)).collect();
        let letters: BTreeSet<u8> = codes.iter().flat_map(|code| code.as_str().bytes()).collect();
        assert_eq!(letters, ALPHABET.iter().copied().collect());
        assert!(codes.iter().all(|code| code.as_str().len() == 8));
        let texts: BTreeSet<_> = codes.iter().map(UserCode::as_str).collect();
        assert_eq!(texts.len(), codes.len(), "no two are alike");
    }

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = UserCode::read("WDJBMJHT").unwrap();
        assert_eq!(code.to_string(), "WDJB-MJHT");
        for typed in ["WDJB-MJHT", "wdjb mjht", " wdjb\u{2013}mjht. "] {
            assert_eq!(UserCode::read(typed), Some(code.clone()), "{typed}");
        }
        for junk in ["", "WDJB-MJH", "WDJB-MJHTT", "WDJA-MJHT", "WDJ8-MJHT"] {
            assert_eq!(UserCode::read(junk), None, "{junk}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(typed in ".{0,100}") {
            if let Some(code) = UserCode::read(&typed) {
                prop_assert_eq!(UserCode::read(&code.to_string()), Some(code));
            }
        }
    }
}
