//! Makes app tokens. Their form is that of [`authn::app_token`].

pub use authn::app_token::WellFormed;
use authn::app_token::{self, PREFIX};
use runtime::Random;
use secrecy::SecretString;

/// Makes a token.
pub fn generate(random: &Random) -> SecretString {
    app_token::generate(PREFIX, |bytes| random.fill(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use authn::app_token::{ALPHABET, CHECKSUM, LENGTH, RANDOM};
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn tokens(count: usize) -> impl Iterator<Item = String> {
        let random = Random::seeded(7);
        (0..count).map(move |_| generate(&random).expose_secret().to_owned())
    }

    #[test]
    fn a1_a_token_has_its_form_and_at_least_160_bits() {
        let bits = f64::from(u32::try_from(RANDOM).expect("small")) * 62_f64.log2();
        assert!(bits >= 160.0, "{bits}");
        let all: BTreeSet<_> = tokens(1000).collect();
        assert_eq!(all.len(), 1000, "no token twice");
        for token in &all {
            assert!(token.starts_with("dwa_") && token.len() == LENGTH);
            assert!(WellFormed::parse(token).is_some(), "{token}");
        }
    }

    #[test]
    fn every_character_is_equally_likely() {
        let mut counts = [0_u32; 62];
        for byte in tokens(2000).flat_map(|token| token[PREFIX.len()..LENGTH - CHECKSUM].bytes().collect::<Vec<_>>()) {
            counts[ALPHABET.iter().position(|known| *known == byte).expect("base62")] += 1;
        }
        // 60,000 characters over 62 places: 968 each, with a standard deviation of 31
        assert!(counts.iter().all(|count| (800..1140).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn junk_is_refused(text in ".{0,80}") {
            prop_assert!(WellFormed::parse(&text).is_none());
        }

        #[test]
        fn junk_of_the_right_shape_is_refused(text in "dwa_[0-9A-Za-z]{36}") {
            prop_assert!(WellFormed::parse(&text).is_none());
        }

        #[test]
        fn one_changed_character_is_refused(seed: u64, at in 0..LENGTH, other in prop::char::range('!', '~')) {
            let token = generate(&Random::seeded(seed));
            let mut text: Vec<char> = token.expose_secret().chars().collect();
            prop_assume!(text[at] != other);
            text[at] = other;
            prop_assert!(WellFormed::parse(&text.into_iter().collect::<String>()).is_none());
        }

        #[test]
        fn a_token_with_more_or_less_is_refused(seed: u64, cut in 0..LENGTH, more in ".{1,8}") {
            let token = generate(&Random::seeded(seed));
            let token = token.expose_secret();
            prop_assert!(WellFormed::parse(&token[..cut]).is_none());
            let (longer, later) = (format!("{token}{more}"), format!("{more}{token}"));
            prop_assert!(WellFormed::parse(&longer).is_none());
            prop_assert!(WellFormed::parse(&later).is_none());
        }
    }
}
