//! Names of headers, compared as the most lenient of servers read them.

use std::cmp::Ordering;

/// A name, or a family of names. Only letters and digits count, in either case: a server that turns headers into variables (CGI) reads
/// `X-Access-Token`, `x_access_token` and `X~Access~Token` as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamePattern {
    /// The letters and digits, in lower case; two at least.
    letters: Box<[u8]>,
    end: End,
}

/// What follows the letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing that counts: the pattern is one name.
    Name,
    /// A character that does not count, and anything: `X-Auth-*`.
    Separator,
    /// Anything: `X-Client-Cert*`.
    Anything,
}

/// A text that is neither a header's name nor a family.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be names of headers like X-Tenant-User, or families like X-Tenant-*, with two letters or digits at least; {0:?} is none"
)]
pub struct NoName(String);

impl std::str::FromStr for NamePattern {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let (name, end) = match text.strip_suffix('*') {
            None => (text, End::Name),
            Some(family) if family.ends_with(|last: char| last.is_ascii_alphanumeric()) => (family, End::Anything),
            Some(family) => (family, End::Separator),
        };
        let letters: Box<[u8]> = letters(name).collect();
        let is_name = http::HeaderName::from_bytes(name.as_bytes()).is_ok() && !name.contains('*');
        if is_name && letters.len() >= 2 { Ok(Self { letters, end }) } else { Err(NoName(text.to_owned())) }
    }
}

impl NamePattern {
    /// Whether a name is this one, or of this family.
    pub(super) fn fits(&self, name: &str) -> bool {
        let bytes = name.as_bytes();
        let (mut at, mut wanted) = (0, self.letters.iter());
        let mut next = wanted.next();
        while let Some(letter) = next {
            let Some(byte) = bytes.get(at) else { return false };
            at += 1;
            if byte.is_ascii_alphanumeric() {
                if byte.to_ascii_lowercase() != *letter {
                    return false;
                }
                next = wanted.next();
            }
        }
        match self.end {
            End::Name => !bytes[at..].iter().any(u8::is_ascii_alphanumeric),
            End::Separator => bytes.get(at).is_some_and(|byte| !byte.is_ascii_alphanumeric()),
            End::Anything => true,
        }
    }
}

/// Whether two names of headers have the same letters and digits.
pub(crate) fn is_same_name(one: &str, other: &str) -> bool {
    letters(one).eq(letters(other))
}

fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

/// Patterns that are looked up by their first two letters: every header of every request is compared with all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Patterns(Box<[NamePattern]>);

impl Patterns {
    /// These patterns.
    ///
    /// # Errors
    /// [`NoName`] for the first that is none.
    pub(super) fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NoName> {
        let mut patterns: Vec<NamePattern> = texts.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        patterns.sort_by(|one, other| one.letters.cmp(&other.letters));
        Ok(Self(patterns.into()))
    }

    /// Whether one of them fits a name.
    pub(super) fn any_fits(&self, name: &str) -> bool {
        let mut letters = letters(name);
        let (Some(first), Some(second)) = (letters.next(), letters.next()) else { return false };
        let head = [first, second];
        let compare = |pattern: &NamePattern| pattern.letters[..2].cmp(&head);
        let begin = self.0.partition_point(|pattern| compare(pattern) == Ordering::Less);
        self.0[begin..]
            .iter()
            .take_while(|pattern| compare(pattern) == Ordering::Equal)
            .any(|pattern| pattern.fits(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        let pattern: NamePattern = pattern.parse().expect("a pattern");
        pattern.fits(name)
    }

    #[test]
    fn only_letters_and_digits_count() {
        for same in
            ["X-Access-Token", "x_access_token", "X.Access.Token", "X~Access~Token", "XACCESSTOKEN", "-x|access!token_"]
        {
            assert!(fits("X-Access-Token", same), "{same}");
        }
        for other in ["X-Access-Tokens", "X-Access", "X-Access-Token-2", "", "-", "Y-Access-Token"] {
            assert!(!fits("X-Access-Token", other), "{other}");
        }
    }

    #[test]
    fn a_family_ends_at_a_separator_unless_it_ends_with_a_letter() {
        for (family, name, expected) in [
            ("X-Auth-*", "X-Auth-User", true),
            ("X-Auth-*", "x_auth~user", true),
            ("X-Auth-*", "XAuth-User", true),
            ("X-Auth-*", "X-Auth-", true),
            ("X-Auth-*", "X-Author", false),
            ("X-Auth-*", "X-Auth", false),
            ("X-Client-Cert*", "X-Client-Cert", true),
            ("X-Client-Cert*", "X_Client_Certificate", true),
            ("X-Client-Cert*", "X-Client-Cer", false),
        ] {
            assert_eq!(fits(family, name), expected, "{family} {name}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for odd in ["", "*", "X", "X-*", "X *", "X-*-User", "X-**", "ü-x", "X:Y", "--"] {
            assert!(odd.parse::<NamePattern>().is_err(), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn patterns_are_found_wherever_they_stand(names in prop::collection::vec("[A-Za-z][a-z0-9]{1,4}(-[a-z]{1,4}){0,2}(-\\*|\\*)?", 1..40), name in "[A-Za-z]{1,6}([-_.~][a-z]{1,4}){0,2}") {
            let patterns = Patterns::parse(names.iter().map(String::as_str)).expect("patterns");
            let any = names.iter().any(|pattern| fits(pattern, &name));
            prop_assert_eq!(patterns.any_fits(&name), any);
        }
    }
}
