//! Which passwords are accepted (NIST SP 800-63B-4, 3.1.1.2): long enough, not commonly used, not derived from the user's
//! names. There are no composition rules.

use authn::User;
use authn::app_token::WellFormed;

/// No password is longer, in bytes. None is ever cut.
pub(crate) const MOST_BYTES: usize = 1024;

/// Parts of a person's data shorter than this occur in words by chance.
const TELLING: usize = 4;

/// Commonly used passwords, in lower case; the list needs none that are shorter than the minimum length.
const KNOWN: &str = include_str!("known.txt");

/// What a new password must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The least number of characters.
    pub least: usize,
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
    /// Everybody tries it.
    #[error("the password is commonly used")]
    Known,
    /// It is one character, or a few, again and again, or the keyboard's or the alphabet's order.
    #[error("the password is a mere repetition or sequence")]
    Pattern,
    /// It is made of what is known of the person or of this system.
    #[error("the password is made of the person's name, login or mail address, or of this system's name")]
    Context,
}

impl Policy {
    /// Whether the password may be this person's.
    pub fn check(&self, password: &str, user: Option<&User>) -> Result<(), Weakness> {
        if password.len() > MOST_BYTES {
            return Err(Weakness::Long);
        }
        if password.chars().count() < self.least.max(1) {
            return Err(Weakness::Short(self.least));
        }
        if password.chars().any(char::is_control) {
            return Err(Weakness::Control);
        }
        if WellFormed::parse(password).is_some() {
            return Err(Weakness::AppToken);
        }
        let lower = password.to_lowercase();
        if KNOWN.lines().any(|known| known == bare(&lower)) || KNOWN.lines().any(|known| known == lower) {
            return Err(Weakness::Known);
        }
        if is_pattern(&lower) {
            return Err(Weakness::Pattern);
        }
        if remains_without_context(&lower, user) { Ok(()) } else { Err(Weakness::Context) }
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
fn remains_without_context(lower: &str, user: Option<&User>) -> bool {
    let of_user = user.map(|user| [user.username.as_str(), user.mail.as_str(), user.display_name.as_str()]);
    let words = of_user
        .iter()
        .flatten()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()).chain([*text]))
        .chain(["doorward", "ocis", "owncloud", "opencloud", "password", "passwort"])
        .filter(|word| word.chars().count() >= TELLING)
        .map(str::to_lowercase);
    let mut words: Vec<String> = words.collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let rest = words.iter().fold(lower.to_owned(), |rest, word| rest.replace(word.as_str(), ""));
    rest.chars().filter(|c| c.is_alphabetic()).count() >= TELLING || rest == lower
}

#[cfg(test)]
mod tests {
    use authn::app_token;

    use super::*;

    const POLICY: Policy = Policy { least: 8 };

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
}
