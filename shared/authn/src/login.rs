//! Logins and passwords as they are compared (RFC 8265): the one place where both are prepared.

use std::borrow::Cow;

use precis_profiles::precis_core::profile::{Profile, Rules};
use precis_profiles::{OpaqueString, UsernameCaseMapped};
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

/// The longest mail address, in bytes.
const MAX_MAIL_ADDRESS: usize = 254;

/// A login name or mail address that a user signs in with, prepared by the profile `UsernameCaseMapped` (RFC 8265 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    given: String,
    prepared: Option<String>,
}

impl Login {
    /// Prepares a login: wide and narrow letters become ordinary ones, upper case becomes lower case, and the result is in
    /// normalisation form C.
    pub fn new(given: &str) -> Self {
        Self { given: given.to_owned(), prepared: prepare(given) }
    }

    /// The login as it was given.
    pub fn given(&self) -> &str {
        &self.given
    }

    /// The prepared form; `None` if the profile does not allow the login, as with blanks and invisible characters.
    pub fn prepared(&self) -> Option<&str> {
        self.prepared.as_deref()
    }

    /// What a directory is searched for, in this order: the login as it was given, under which a name may be stored that was
    /// never prepared, and the prepared form where that is another one.
    pub fn forms(&self) -> impl Iterator<Item = &str> {
        let prepared = self.prepared().filter(|prepared| *prepared != self.given.to_lowercase());
        [self.given()].into_iter().chain(prepared)
    }

    /// Whether a stored name is the one that this login names. A directory may compare more loosely: LDAP servers ignore
    /// blanks and compatibility variants, and some ignore accents.
    pub fn names(&self, stored: &str) -> bool {
        let is_same = || self.prepared.is_some() && prepare(stored) == self.prepared;
        self.given.to_lowercase() == stored.to_lowercase() || is_same()
    }

    /// The key under which failed attempts are counted before it is known whose login it is. Logins that a directory might
    /// take for the same one have the same key: variants of compatibility, case and composition, blanks, invisible characters
    /// and marks do not make another one.
    pub fn throttle_key(&self) -> String {
        let is_telling = |c: &char| c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric());
        self.given.nfkc().flat_map(char::to_lowercase).nfkc().filter(is_telling).collect()
    }
}

fn prepare(text: &str) -> Option<String> {
    UsernameCaseMapped::new().enforce(text).ok().map(Cow::into_owned)
}

/// Whether a text may become a new login name: the profile `UsernameCaseMapped` allows it, and preparing it changes nothing
/// but the case. So no two new names can look the same and differ, by blanks, invisible characters, composition or width.
pub fn may_be_new_login(name: &str) -> bool {
    let profile = UsernameCaseMapped::new();
    let is = |changed: Result<Cow<'_, str>, _>| changed.is_ok_and(|changed| changed == name);
    profile.enforce(name).is_ok() && is(profile.prepare(name)) && is(profile.normalization_rule(name))
}

/// Whether a text may become a new mail address as far as it is a login: both its parts may be new logins.
pub fn may_be_new_address(address: &str) -> bool {
    address.rsplit_once('@').is_some_and(|(local, domain)| may_be_new_login(local) && may_be_new_login(domain))
}

/// Whether a text is a mail address: something, an at sign, something, and at most 254 bytes (RFC 5321 section 4.5.3.1.3, without the
/// brackets). Whether it works only a mail can tell.
pub fn is_mail_address(text: &str) -> bool {
    let is_shaped = text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    is_shaped && text.len() <= MAX_MAIL_ADDRESS && !text.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// A password with the mappings of the profile `OpaqueString` (RFC 8265 4.2): every blank is U+0020, and the text is in
/// normalisation form C, whatever the keyboard produced. Characters that the profile disallows are kept: a password may hold
/// any character (NIST SP 800-63B-4 3.1.1.2), and emoji are made of some of them.
pub fn prepare_password(password: &SecretString) -> SecretString {
    let (profile, given) = (OpaqueString::new(), password.expose_secret());
    let mapped = profile.additional_mapping_rule(given).and_then(|mapped| profile.normalization_rule(mapped));
    mapped.map_or_else(|_| password.clone(), |prepared| SecretString::from(prepared.into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One login in the spellings that keyboards and clients produce.
    const ZOE: [&str; 5] = ["zoë", "ZOË", "zoe\u{308}", "ＺＯＥ\u{308}", "ｚｏë"];
    /// Spellings that the profile does not allow.
    const DISALLOWED: [&str; 9] =
        ["zoë ", " zoë", "zo ë", "\u{a0}zoë", "zo\u{200b}ë", "\u{202e}zoë", "zo\u{ad}ë", "\u{feff}zoë", "zoë\u{3000}"];

    #[test]
    fn variants_of_a_login_are_the_same_login() {
        for variant in ZOE {
            let login = Login::new(variant);
            assert_eq!(login.prepared(), Some("zoë"), "{variant:?}");
            assert!(login.names("zoë") && login.names("Zoë") && login.names("zoe\u{308}"), "{variant:?}");
            assert!(!login.names("zoe"), "{variant:?}");
            assert_eq!(login.throttle_key(), "zoë", "{variant:?}");
        }
    }

    #[test]
    fn disallowed_login_names_only_what_is_stored_the_same() {
        for variant in DISALLOWED {
            let login = Login::new(variant);
            assert_eq!(login.prepared(), None, "{variant:?}");
            assert!(!login.names("zoë") && login.names(variant), "{variant:?}");
            assert_eq!(login.throttle_key(), "zoë", "{variant:?}");
        }
    }

    #[test]
    fn compatibility_variants_share_a_throttle_key() {
        for variant in ["ﬁnn", "FINN", "ﬁ\u{2003}nn", "ⓕinn", "𝐟inn"] {
            assert_eq!(Login::new(variant).throttle_key(), "finn", "{variant:?}");
        }
    }

    #[test]
    fn confusable_names_may_not_be_new_logins() {
        for good in ["zoë", "Zoë", "einstein@example.org", "o'hara", "marie.curie-2", "李小龙", "ΟΔΥΣΣΕΥΣ"]
        {
            assert!(may_be_new_login(good), "{good:?}");
        }
        for bad in DISALLOWED.iter().chain(&["", "zoe\u{308}", "ＺＯＥ", "ﬁnn", "\u{2126}", "a\u{301}"]) {
            assert!(!may_be_new_login(bad), "{bad:?}");
            assert!(!may_be_new_address(&format!("{bad}@example.org")), "{bad:?}");
        }
        assert!(may_be_new_address("Zoë@bücher.example") && !may_be_new_address("zoë"));
    }

    #[test]
    fn composed_and_decomposed_passwords_are_the_same() {
        let prepared = |text: &str| prepare_password(&SecretString::from(text)).expose_secret().to_owned();
        assert_eq!(prepared("Stra\u{df}e \u{e9}t\u{e9}"), prepared("Stra\u{df}e\u{a0}e\u{301}te\u{301}"));
        assert_ne!(prepared("Zoë"), prepared("zoë"), "the case counts");
        assert_ne!(prepared("ﬁnn"), prepared("finn"), "compatibility variants stay different");
        for kept in ["👩\u{200d}🔬 lab", "❤\u{fe0f}", " blanks at both ends ", ""] {
            assert_eq!(prepared(kept), kept);
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let login = Login::new(&text);
            prop_assert!(login.names(&text));
            prop_assert!(login.forms().count() <= 2);
            let _ = (login.throttle_key(), may_be_new_login(&text));
            let once = prepare_password(&SecretString::from(text));
            let twice = prepare_password(&once);
            prop_assert_eq!(twice.expose_secret(), once.expose_secret());
        }

        #[test]
        fn prepared_login_stays_as_it_is(text in any::<String>()) {
            if let Some(prepared) = Login::new(&text).prepared() {
                let again = Login::new(prepared);
                prop_assert_eq!(again.throttle_key(), Login::new(&text).throttle_key());
            }
        }
    }
}
