//! How hard a password is to guess, by zxcvbn: dictionaries, names, keyboard patterns, dates, repetitions.

/// Characters that are looked at. The estimate only grows with more of them, and its cost with their square.
const MOST_CHARACTERS: usize = 64;

/// Characters that stand for the same letter in words like `p@ssw0rd`. zxcvbn looks for words once for each combination of those that
/// occur, hundreds of times for all of them.
const LOOKALIKES: [&[char]; 5] = [&['4', '@'], &['(', '{', '[', '<'], &['1', '!', '|'], &['5', '$'], &['7', '+']];

/// Combinations for which the password is looked at as it is.
const MOST_COMBINATIONS: usize = 4;

/// The score, from 0 to 4. `context` has what others know of the user, in lower case.
pub(super) fn score(password: &str, context: &[String]) -> u8 {
    let context: Vec<&str> = context.iter().map(String::as_str).collect();
    let begin: String = password.chars().take(MOST_CHARACTERS).collect();
    zxcvbn::zxcvbn(&with_few_lookalikes(begin), &context).score().into()
}

/// The same password, or with too many combinations one in which a single character stands for each letter: whoever tries one of them
/// tries the others.
fn with_few_lookalikes(password: String) -> String {
    let occurring = |group: &[char]| group.iter().filter(|lookalike| password.contains(**lookalike)).count().max(1);
    if LOOKALIKES.iter().map(|group| occurring(group)).product::<usize>() <= MOST_COMBINATIONS {
        return password;
    }
    let first = |c: char| LOOKALIKES.iter().find(|group| group.contains(&c)).map_or(c, |group| group[0]);
    password.chars().map(first).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{score, with_few_lookalikes};

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

    #[test]
    fn combinations_of_lookalikes_are_few() {
        let few = |password: &str| with_few_lookalikes(password.to_owned());
        for password in ["p@ssw0rd", "$ecret-5ecret!", "c(4@1!", "48213950"] {
            assert_eq!(few(password), password);
        }
        assert_eq!(few("4@8({[<3691!|70$5+%2"), "448((((36911170557%2");
        assert!(score("4@8({[<3691!|70$5+%2", &[]) >= 3);
    }

    proptest! {
        #[test]
        fn never_panics(password in ".{0,40}", word in ".{0,12}") {
            prop_assert!(score(&password, &[word]) <= 4);
        }
    }
}
