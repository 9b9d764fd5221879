//! What may stand in a person's attributes.

use std::borrow::Cow;

use authn::{is_mail_address, may_be_new_address, may_be_new_login};
use uuid::Uuid;

use crate::PeopleError;

/// Longest name of a person or a group, in characters.
pub(crate) const MAX_NAME: usize = 255;
/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 1024;
/// Most roles of one person.
const MAX_ROLES: usize = 32;
const CONFUSABLE_NAME: &str = "the username must not contain blanks, invisible characters, decomposed letters or letters of another width (RFC 8265)";
const CONFUSABLE_MAIL: &str =
    "the mail address must not contain invisible characters, decomposed letters or letters of another width (RFC 8265)";

/// The form by which names are compared: in lower case. Costs nothing for what is in lower case already.
pub(crate) fn fold(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.to_lowercase())
    }
}

/// Whether a text could be stored at all; what could not needs not be looked for.
pub(crate) fn is_storable(text: &str) -> bool {
    text.len() <= 4 * MAX_NAME && !text.contains(char::is_control)
}

/// A new login name: 1 to 255 characters, no colon (it separates name and password in HTTP Basic, RFC 7617), and prepared by
/// the profile `UsernameCaseMapped` (RFC 8265) but for the case, so that it looks like no other name.
pub(crate) fn username(name: &str) -> Result<(), PeopleError> {
    named("username", name)?;
    refuse_if(name.contains(':'), "the username must not contain a colon")?;
    refuse_if(!may_be_new_login(name), CONFUSABLE_NAME)
}

/// A group's name.
pub(crate) fn group_name(name: &str) -> Result<(), PeopleError> {
    named("group name", name)
}

/// A mail address, or none. It is a login name too, so the same characters are refused.
pub(crate) fn mail(address: &str) -> Result<(), PeopleError> {
    if address.is_empty() {
        return Ok(());
    }
    refuse_if(!is_mail_address(address), "the mail address is not one")?;
    refuse_if(!may_be_new_address(address), CONFUSABLE_MAIL)
}

/// The name to show.
pub(crate) fn display_name(name: &str) -> Result<(), PeopleError> {
    named("display name", name)
}

/// A group's description.
pub(crate) fn description(text: &str) -> Result<(), PeopleError> {
    let control = |c: char| c.is_control() && c != '\n';
    refuse_if(
        text.chars().count() > MAX_DESCRIPTION || text.contains(control),
        "the description must have at most 1024 characters and no control characters",
    )
}

/// A POSIX number, or 0 for none.
pub(crate) fn posix_number(number: i64) -> Result<(), PeopleError> {
    refuse_if(number < 0, "uid and gid numbers must not be negative")
}

/// An identifier that was chosen elsewhere.
pub(crate) fn id(text: &str) -> Result<String, PeopleError> {
    let id = Uuid::try_parse(text).map_err(|_| PeopleError::Invalid("the id must be a UUID".to_owned()))?;
    Ok(id.hyphenated().to_string())
}

/// The identifiers of roles that are given by everyday name or by identifier.
pub(crate) fn roles(roles: &[String]) -> Result<Vec<String>, PeopleError> {
    refuse_if(roles.len() > MAX_ROLES, "a user has at most 32 roles")?;
    let mut ids = roles.iter().map(|role| self::role(role)).collect::<Result<Vec<_>, _>>()?;
    ids.sort();
    ids.dedup();
    Ok(ids)
}

fn role(role: &str) -> Result<String, PeopleError> {
    let unknown = |_| {
        PeopleError::Invalid(format!("there is no role {role:?}; choose admin, spaceadmin, user, guest or a role's id"))
    };
    Ok(Uuid::try_parse(authn::role::id(role)).map_err(unknown)?.hyphenated().to_string())
}

fn named(what: &str, name: &str) -> Result<(), PeopleError> {
    let length = name.chars().count();
    let problem = if length == 0 || length > MAX_NAME {
        "must have 1 to 255 characters"
    } else if name.contains(char::is_control) {
        "must not contain control characters"
    } else if name.trim() != name {
        "must not begin or end with a blank"
    } else {
        return Ok(());
    };
    Err(PeopleError::Invalid(format!("the {what} {problem}")))
}

fn refuse_if(wrong: bool, problem: &str) -> Result<(), PeopleError> {
    if wrong { Err(PeopleError::Invalid(problem.to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_username_that_is_accepted_is_fit_for_all_it_is_used_for(name in any::<String>()) {
            if username(&name).is_ok() {
                prop_assert!((1..=MAX_NAME).contains(&name.chars().count()));
                prop_assert!(!name.contains(|c: char| c == ':' || c.is_control()));
                prop_assert!(is_storable(&name));
                let folded = fold(&name).into_owned();
                prop_assert_eq!(fold(&folded).into_owned(), folded);
            }
        }

        #[test]
        fn usernames_of_ordinary_characters_are_accepted(name in "[a-zA-Z0-9ßàÉñøŁд_.@-]{1,255}") {
            prop_assert!(username(&name).is_ok());
        }

        #[test]
        fn a_colon_or_control_character_anywhere_is_refused(
            start in "[a-z]{0,10}", bad in "[:\\x00-\\x1f\\x7f\u{85}]", end in "[a-z]{0,10}",
        ) {
            prop_assert!(username(&[start, bad, end].concat()).is_err());
        }

        #[test]
        fn names_that_differ_in_case_fold_to_one(name in "[\\p{Latin}0-9]{1,20}") {
            prop_assert_eq!(fold(&name.to_lowercase()).into_owned(), fold(&name).into_owned());
        }
    }

    #[test]
    fn the_limits_are_where_they_are_said_to_be() {
        assert!(username("").is_err() && username(&"x".repeat(256)).is_err());
        assert!(username(&"ß".repeat(255)).is_ok());
        for blank in [" marie", "marie ", "\u{a0}marie"] {
            assert!(username(blank).is_err(), "{blank:?}");
        }
    }

    #[test]
    fn confusable_names_and_addresses_are_refused() {
        for bad in ["ein\u{200b}stein", "\u{202e}nietsnie", "zoe\u{308}", "ｅｉｎｓｔｅｉｎ", "marie curie", "ﬁnn"]
        {
            assert!(username(bad).is_err(), "{bad:?}");
            assert!(mail(&format!("{bad}@example.org")).is_err(), "{bad:?}");
            assert!(mail(&format!("marie@{bad}.example")).is_err(), "{bad:?}");
        }
        assert!(username("zoë").is_ok() && mail("zoë@bücher.example").is_ok());
    }

    #[test]
    fn mail_addresses_are_judged_loosely() {
        for good in ["", "a@b", "marie.curie@sorbonne.example", "\"odd@local\"@example.org"] {
            assert!(mail(good).is_ok(), "{good}");
        }
        for bad in ["@", "a@", "@b", "a b@c", "a\n@c", "plain"] {
            assert!(mail(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn roles_are_known_by_name_and_by_identifier() {
        let given = ["user".to_owned(), authn::role::ADMIN.to_uppercase(), "admin".to_owned()];
        assert_eq!(roles(&given).unwrap(), [authn::role::ADMIN, authn::role::USER]);
        assert!(roles(&["root".to_owned()]).is_err());
    }
}
