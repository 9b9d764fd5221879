//! How hard a password is to guess, by zxcvbn: dictionaries, names, keyboard patterns, dates, repetitions.

/// Characters that are looked at. The estimate only grows with more of them, and its cost with their square.
const MOST_CHARACTERS: usize = 64;

/// The score, from 0 to 4. `context` has what others know of the user, in lower case.
pub(super) fn score(password: &str, context: &[String]) -> u8 {
    let context: Vec<&str> = context.iter().map(String::as_str).collect();
    let begin: String = password.chars().take(MOST_CHARACTERS).collect();
    zxcvbn::zxcvbn(&begin, &context).score().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::score;

    #[test]
    fn score_grows_with_the_guesses_that_a_password_takes() {
        assert_eq!(score("", &[]), 0);
        assert_eq!(score("password", &[]), 0);
        assert_eq!(score("correct horse battery staple", &[]), 4);
    }

    #[test]
    fn words_of_the_context_are_worth_nothing() {
        let name = "zbigniewbrzezinski";
        assert!(score(name, &[]) > score(name, &[name.to_owned()]));
    }

    #[test]
    fn long_password_takes_no_longer_than_its_beginning() {
        let long: String = "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(1024).collect();
        let begin: String = long.chars().take(super::MOST_CHARACTERS).collect();
        assert_eq!(score(&long, &[]), score(&begin, &[]));
    }

    proptest! {
        #[test]
        fn never_panics(password in ".{0,40}", word in ".{0,12}") {
            prop_assert!(score(&password, &[word]) <= 4);
        }
    }
}
