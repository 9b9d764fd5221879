//! Recovery codes: for users who do not have their second factor at hand. Each can be used once.

use authn::Caller;
use authn::audit::Event;
use runtime::Random;
use store::StoreError;

use super::record;
use crate::engine::provider::Provider;

/// How many codes a user gets.
pub(crate) const COUNT: usize = 10;
/// The signs of a code: 32, so that the low five bits of a random byte choose evenly, and none that looks like another.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// The signs in a code: 80 random bits, so that a plain digest of it cannot be guessed.
const LENGTH: usize = 16;
/// The signs of a group.
const GROUP: usize = 4;

/// New codes, as users see them.
pub(crate) fn generate(random: &Random) -> Vec<String> {
    (0..COUNT).map(|_| one(&random.bytes())).collect()
}

fn one(bytes: &[u8; LENGTH]) -> String {
    let sign = |byte: &u8| char::from(SIGNS[usize::from(byte & 31)]);
    let groups: Vec<String> = bytes.chunks(GROUP).map(|group| group.iter().map(sign).collect()).collect();
    groups.join("-")
}

/// The digest by which a user's code is found; `None` if the text has not the form of one.
pub(crate) fn digest(user: &str, text: &str) -> Option<[u8; 32]> {
    let is_part = |sign: &char| !sign.is_whitespace() && *sign != '-';
    let code: String = text.chars().filter(is_part).map(|sign| sign.to_ascii_lowercase()).collect();
    let is_code = code.len() == LENGTH && code.bytes().all(|sign| SIGNS.contains(&sign));
    is_code.then(|| crypto::fingerprint_of_parts(&["recovery code", user, &code]))
}

/// The digests of codes.
pub(crate) fn digests(user: &str, codes: &[String]) -> Vec<[u8; 32]> {
    codes.iter().filter_map(|code| digest(user, code)).collect()
}

/// New codes of a user, in the place of the former ones.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn replace(provider: &Provider, user: &str, caller: &Caller) -> Result<Vec<String>, StoreError> {
    let codes = generate(&provider.random);
    provider.store.replace_recovery_codes(user, &digests(user, &codes)).await?;
    record(provider, user, caller, &Event::new("recovery_codes_replace", "done"));
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_found_however_it_is_typed() {
        let codes = generate(&Random::seeded(1));
        assert_eq!(codes.len(), COUNT);
        let right = digest("einstein", &codes[0]).expect("a code");
        let typed = [codes[0].to_uppercase(), codes[0].replace('-', ""), format!(" {} ", codes[0].replace('-', " "))];
        for text in typed {
            assert_eq!(digest("einstein", &text), Some(right), "{text}");
        }
        assert_ne!(digest("curie", &codes[0]), Some(right), "each user's are of their own");
        assert_ne!(digest("einstein", &codes[1]), Some(right));
        for text in ["", "123456", "abcd-efgh-ijkm", "abcd-efgh-ijkm-npq0"] {
            assert_eq!(digest("einstein", text), None, "{text}");
        }
    }
}
