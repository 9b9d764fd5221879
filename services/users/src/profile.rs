//! A change of a profile, and who may change what.

use std::collections::BTreeMap;

use authn::{Attribute, InvalidAttribute, Profile};

use crate::{PeopleError, rules};

/// The name by which the operator permits users to change the name to show.
pub(crate) const DISPLAY_NAME: &str = "display_name";
/// The name by which the operator permits users to change their mail address, by a link that is sent there. A change of a profile
/// never has it.
pub(crate) const MAIL: &str = "mail";

/// A change of a profile. Attributes that are not named stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The new values; an empty one removes the attribute.
    pub attributes: BTreeMap<Attribute, String>,
    /// The name to show.
    pub display_name: Option<String>,
    /// Whether the telephone number is known to be the user's.
    pub phone_number_verified: Option<bool>,
    /// The values that have to be stored for the change to be made; an empty one if the attribute must not be there.
    pub expected_attributes: BTreeMap<Attribute, String>,
    /// The name to show that has to be stored.
    pub expected_display_name: Option<String>,
}

impl ProfileChange {
    /// The change of these attributes by name.
    ///
    /// # Errors
    /// [`PeopleError::Invalid`] for a name that no attribute has.
    pub fn of_names(names: BTreeMap<String, String>) -> Result<Self, PeopleError> {
        Ok(Self { attributes: by_attribute(names)?, ..Self::default() })
    }

    /// The same, if these values are stored, by name.
    ///
    /// # Errors
    /// [`PeopleError::Invalid`] for a name that no attribute has.
    pub fn expecting(self, names: BTreeMap<String, String>) -> Result<Self, PeopleError> {
        Ok(Self { expected_attributes: by_attribute(names)?, ..self })
    }

    /// Whether what is stored is what was expected.
    pub(crate) fn is_expected(&self, profile: &Profile, display_name: &str) -> bool {
        let is_stored =
            |(attribute, value): (&Attribute, &String)| profile.get(*attribute).unwrap_or_default() == value;
        self.expected_attributes.iter().all(is_stored)
            && self.expected_display_name.as_ref().is_none_or(|expected| expected == display_name)
    }

    /// Checks every value.
    pub(crate) fn check(&self) -> Result<(), PeopleError> {
        self.display_name.as_deref().map(rules::display_name).transpose()?;
        self.apply(&mut Profile::default()).map_err(|error| PeopleError::Invalid(error.to_string()))
    }

    /// Applies it, but for the name to show, which is no part of the profile.
    pub(crate) fn apply(&self, profile: &mut Profile) -> Result<(), InvalidAttribute> {
        self.attributes.iter().try_for_each(|(attribute, value)| profile.set(*attribute, value))?;
        if let Some(verified) = self.phone_number_verified {
            profile.phone_number_verified = verified && profile.get(Attribute::PhoneNumber).is_some();
        }
        Ok(())
    }

    /// The first attribute that it changes and a user may not, where users may change these (row P1).
    pub(crate) fn reserved(&self, self_service: &[String]) -> Option<&'static str> {
        let is_permitted = |name: &str| self_service.iter().any(|permitted| permitted == name);
        if self.phone_number_verified.is_some() {
            return Some("phone_number_verified");
        }
        if self.display_name.is_some() && !is_permitted(DISPLAY_NAME) {
            return Some(DISPLAY_NAME);
        }
        self.attributes.keys().find(|attribute| !is_permitted(attribute.claim())).map(|attribute| attribute.name())
    }
}

fn by_attribute(names: BTreeMap<String, String>) -> Result<BTreeMap<Attribute, String>, PeopleError> {
    let parse = |(name, value): (String, String)| {
        let unknown = || PeopleError::Invalid(format!("a profile has no attribute {name:?}"));
        Ok((Attribute::parse(&name).ok_or_else(unknown)?, value))
    };
    names.into_iter().map(parse).collect()
}

/// Whether this is the name of something that the operator may permit users to change.
pub(crate) fn may_be_self_service(name: &str) -> bool {
    [DISPLAY_NAME, MAIL].contains(&name) || Attribute::ALL.into_iter().any(|attribute| attribute.claim() == name)
}

/// All that an administrator may change.
pub(crate) fn all_writable() -> Vec<String> {
    let mut names: Vec<_> = Attribute::ALL.into_iter().map(|attribute| attribute.claim().to_owned()).collect();
    names.dedup();
    names.insert(0, DISPLAY_NAME.to_owned());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(names: &[(&str, &str)]) -> ProfileChange {
        let names = names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ProfileChange::of_names(names).expect("the names are known")
    }

    /// [Row P1](docs/security-requirements.md#p1).
    #[test]
    fn users_change_only_what_the_operator_permits() {
        let permitted = ["nickname".to_owned(), "address".to_owned()];
        assert_eq!(change(&[("nickname", "Al"), ("address.country", "CH")]).reserved(&permitted), None);
        assert_eq!(change(&[("nickname", "Al"), ("given_name", "A")]).reserved(&permitted), Some("given_name"));
        let named = ProfileChange { display_name: Some("A".to_owned()), ..ProfileChange::default() };
        assert_eq!(named.reserved(&permitted), Some(DISPLAY_NAME));
        assert_eq!(named.reserved(&[DISPLAY_NAME.to_owned()]), None);
        let verified = ProfileChange { phone_number_verified: Some(true), ..ProfileChange::default() };
        assert_eq!(verified.reserved(&all_writable()), Some("phone_number_verified"), "it is not the user's word");
    }

    #[test]
    fn only_a_number_can_be_verified() {
        let mut profile = Profile::default();
        let verified = ProfileChange { phone_number_verified: Some(true), ..ProfileChange::default() };
        verified.apply(&mut profile).expect("is valid");
        assert!(!profile.phone_number_verified, "there is no number");
        let both =
            ProfileChange { phone_number_verified: Some(true), ..change(&[("phone_number", "+41 44 632 11 11")]) };
        both.apply(&mut profile).expect("is valid");
        assert!(profile.phone_number_verified);
    }

    #[test]
    fn invalid_values_and_unknown_names_are_refused() {
        assert!(matches!(change(&[("birthdate", "yesterday")]).check(), Err(PeopleError::Invalid(_))));
        for name in ["email", MAIL] {
            let unknown = BTreeMap::from([(name.to_owned(), "a@b".to_owned())]);
            assert!(matches!(ProfileChange::of_names(unknown), Err(PeopleError::Invalid(_))), "{name}");
        }
    }
}
