//! Which passwords are accepted (NIST SP 800-63B-4, 3.1.1.2): long enough, not commonly used, not derived from the user's
//! names, hard to guess. There are no composition rules.

use authn::User;
use authn::app_token::WellFormed;

use super::strength;

/// No password is longer, in bytes. None is ever cut.
pub(crate) const MOST_BYTES: usize = 1024;

/// Parts of a user's data shorter than this occur in words by chance.
const TELLING: usize = 4;

/// Commonly used passwords, in lower case; the list needs none that are shorter than the minimum length.
const KNOWN: &str = include_str!("known.txt");

/// What a new password must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The least number of characters.
    pub least: usize,
    /// The least score of zxcvbn, from 0 to 4.
    pub least_score: u8,
    /// Words that passwords must not be made of, such as the name of the installation.
    pub words: Vec<String>,
}

/// Why a password violates the policy. The text is for the user who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Too short.
    #[error("the password must have at least {0} characters")]
    Short(usize),
    /// Too long.
    #[error("the password must have at most {MOST_BYTES} bytes")]
    Long,
    /// It has characters that cannot be typed everywhere.
    #[error("the password must not have control characters")]
    Control,
    /// It is an app token, which is refused as a password at sign-in.
    #[error("the password must not be an app token")]
    AppToken,
    /// It is in the list of commonly used passwords.
    #[error("the password is commonly used")]
    Known,
    /// It is one character, or a few, again and again, or the keyboard's or the alphabet's order.
    #[error("the password is a mere repetition or sequence")]
    Pattern,
    /// It is made of what is known of the user or of this system.
    #[error("the password is made of the user's name, login or mail address, or of this system's name")]
    Context,
    /// It takes too few guesses.
    #[error("the password is too easy to guess; use several words that do not belong together")]
    Guessable,
}

/// What the policy says about a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The score of zxcvbn: from 0, which fewer than 1,000 guesses find, to 4, which takes more than 10^10.
    pub score: u8,
    /// All that is wrong with it; nothing if it is accepted.
    pub weaknesses: Vec<Weakness>,
}

impl Policy {
    /// Whether the password may be this user's.
    ///
    /// # Errors
    /// The first [`Weakness`].
    pub fn check(&self, password: &str, user: Option<&User>) -> Result<(), Weakness> {
        self.judge(password, user).weaknesses.first().map_or(Ok(()), |weakness| Err(*weakness))
    }

    /// Everything that is wrong with the password as this user's, and how hard it is to guess.
    pub fn judge(&self, password: &str, user: Option<&User>) -> Judgement {
        if password.len() > MOST_BYTES {
            // nothing is computed from what may be a megabyte
            return Judgement { score: 0, weaknesses: vec![Weakness::Long] };
        }
        let lower = password.to_lowercase();
        let words = self.context_words(user);
        let score = strength::score(password, &words);
        let is_known = || KNOWN.lines().any(|known| known == bare(&lower)) || KNOWN.lines().any(|known| known == lower);
        let checks: [(Weakness, &dyn Fn() -> bool); 7] = [
            (Weakness::Short(self.least), &|| password.chars().count() < self.least.max(1)),
            (Weakness::Control, &|| password.chars().any(char::is_control)),
            (Weakness::AppToken, &|| WellFormed::parse(password).is_some()),
            (Weakness::Known, &is_known),
            (Weakness::Pattern, &|| is_pattern(&lower)),
            (Weakness::Context, &|| !remains_without(&lower, &words)),
            (Weakness::Guessable, &|| score < self.least_score),
        ];
        let weaknesses = checks.into_iter().filter(|(_, is_so)| is_so()).map(|(weakness, _)| weakness).collect();
        Judgement { score, weaknesses }
    }

    /// What others know of the user and of this system, in lower case, the longest first.
    fn context_words(&self, user: Option<&User>) -> Vec<String> {
        let of_user = user.map(|user| [user.username.as_str(), user.mail.as_str(), user.display_name.as_str()]);
        let texts = of_user.iter().flatten().copied().chain(self.words.iter().map(String::as_str));
        let words = texts
            .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()).chain([text]))
            .chain(["doorward", "ocis", "owncloud", "opencloud", "password", "passwort"])
            .filter(|word| word.chars().count() >= TELLING)
            .map(str::to_lowercase);
        let mut words: Vec<String> = words.collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        words
    }
}

/// Without the digits and signs that people put after a word.
fn bare(lower: &str) -> &str {
    lower.trim_end_matches(|c: char| !c.is_alphabetic())
}

fn is_pattern(lower: &str) -> bool {
    const ORDERS: [&str; 6] = [
        "0123456789012345678901234567890",
        "abcdefghijklmnopqrstuvwxyz",
        "qwertyuiopasdfghjklzxcvbnm",
        "qwertzuiopasdfghjklyxcvbnm",
        "azertyuiopqsdfghjklmwxcvbn",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    ];
    let reversed: String = lower.chars().rev().collect();
    let is_repeated = (1..=3).any(|length| {
        let characters: Vec<char> = lower.chars().collect();
        characters.len() > length
            && characters.iter().zip(characters.iter().skip(length)).all(|(one, other)| one == other)
    });
    is_repeated || ORDERS.iter().any(|order| order.contains(lower) || order.contains(&reversed))
}

/// Whether enough is left when everything is taken away that others know.
fn remains_without(lower: &str, words: &[String]) -> bool {
    let rest = words.iter().fold(lower.to_owned(), |rest, word| rest.replace(word.as_str(), ""));
    rest.chars().filter(|c| c.is_alphabetic()).count() >= TELLING || rest == lower
}

#[cfg(test)]
mod tests {
    use authn::app_token;

    use super::*;

    /// Without a bound of strength, so that each other rule is seen alone.
    const POLICY: Policy = Policy { least: 8, least_score: 0, words: Vec::new() };

    fn einstein() -> User {
        User {
            username: "einstein".into(),
            mail: "einstein@example.org".into(),
            display_name: "Albert Einstein".into(),
            ..User::default()
        }
    }

    #[test]
    fn i35_length_is_what_counts() {
        assert_eq!(POLICY.check("zL8#kQp", None), Err(Weakness::Short(8)));
        assert_eq!(POLICY.check("", None), Err(Weakness::Short(8)));
        assert_eq!(POLICY.check("zL8#kQpw", None), Ok(()));
        assert_eq!(POLICY.check("relativity", None), Ok(()));
        assert_eq!(POLICY.check("correct horse battery staple", None), Ok(()));
        assert_eq!(POLICY.check("äöüßéèçñ", None), Ok(()), "characters are counted, not bytes");
        assert_eq!(POLICY.check("48213950", None), Ok(()), "there is no rule of composition");
    }

    #[test]
    fn i35_1024_bytes_are_the_end() {
        let long: String = "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(1024).collect();
        assert_eq!(POLICY.check(&long, None), Ok(()));
        assert_eq!(POLICY.check(&format!("{long}x"), None), Err(Weakness::Long));
        assert_eq!(POLICY.check(&"x".repeat(1 << 20), None), Err(Weakness::Long));
    }

    #[test]
    fn i35_common_passwords_are_refused() {
        for password in ["password", "Password1!", "Sunshine2024", "iloveyou", "letmein123", "BASEBALL"] {
            assert_eq!(POLICY.check(password, None), Err(Weakness::Known), "{password}");
        }
        for password in ["aaaaaaaa", "abababab", "23456789", "abcdefgh", "qwertyuiop", "76543210"] {
            assert_eq!(POLICY.check(password, None), Err(Weakness::Pattern), "{password}");
        }
        assert_eq!(POLICY.check("tab\tulator", None), Err(Weakness::Control));
        let body = "dwa_0123456789ABCDEFGHIJKLMNOPQRST";
        let sum = String::from_utf8(app_token::checksum(body.as_bytes()).to_vec()).expect("ASCII");
        assert_eq!(POLICY.check(&format!("{body}{sum}"), None), Err(Weakness::AppToken));
        assert_eq!(POLICY.check(&format!("{body}000000"), None), Ok(()), "another checksum");
    }

    #[test]
    fn i35_what_is_known_of_the_person_is_refused() {
        let user = einstein();
        for password in ["einstein1", "AlbertEinstein", "einstein@example.org", "Doorward2024", "Einstein-Albert!"] {
            assert_eq!(POLICY.check(password, Some(&user)), Err(Weakness::Context), "{password}");
        }
        assert_eq!(POLICY.check("einstein-played-the-violin", Some(&user)), Ok(()));
    }

    /// `docs/security-requirements.md#b20`
    #[test]
    fn guessable_password_is_refused_whatever_its_characters() {
        let policy = Policy { least_score: 3, ..POLICY };
        for password in ["relativity", "48213950"] {
            assert_eq!(policy.check(password, None), Err(Weakness::Guessable), "{password}");
        }
        for password in ["correct horse battery staple", "an entirely new secret phrase", "zL8#kQpw-t4Vn"] {
            assert_eq!(policy.check(password, None), Ok(()), "{password}");
        }
    }

    /// `docs/security-requirements.md#b20`
    #[test]
    fn words_of_the_installation_are_refused() {
        let policy = Policy { words: vec!["Quantum Works".to_owned()], ..POLICY };
        for password in ["quantumworks", "Quantum-Works-2026", "WorksQuantum"] {
            assert_eq!(policy.check(password, None), Err(Weakness::Context), "{password}");
            assert_eq!(POLICY.check(password, None), Ok(()), "{password}");
        }
    }

    #[test]
    fn every_weakness_is_reported() {
        let policy = Policy { least: 15, least_score: 3, ..POLICY };
        let judged = policy.judge("einstein1", Some(&einstein()));
        assert_eq!(judged.weaknesses, [Weakness::Short(15), Weakness::Context, Weakness::Guessable]);
        assert!(judged.score < 3, "{judged:?}");
        let judged = policy.judge("correct horse battery staple", Some(&einstein()));
        assert_eq!(judged, Judgement { score: 4, weaknesses: Vec::new() });
        assert_eq!(policy.judge("", None).score, 0);
    }
}
