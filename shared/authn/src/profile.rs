//! The profile of a user: the claims of `OpenID` Connect Core 5.1 that are not part of the account itself.

mod format;

use std::collections::BTreeMap;
use std::time::SystemTime;

/// An attribute of a profile. All values are texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// The given name or names.
    GivenName,
    /// The family name or names.
    FamilyName,
    /// The middle name or names.
    MiddleName,
    /// The casual name.
    Nickname,
    /// The URL of the profile page.
    Profile,
    /// The URL of the picture.
    Picture,
    /// The URL of the website.
    Website,
    /// The gender.
    Gender,
    /// The date of birth: `YYYY-MM-DD`, `0000-MM-DD` without the year, or `YYYY`.
    Birthdate,
    /// The time zone, a name of the IANA database.
    Zoneinfo,
    /// The language, a BCP 47 tag.
    Locale,
    /// The telephone number, in international form.
    PhoneNumber,
    /// The postal address as it stands on a letter, with line breaks.
    AddressFormatted,
    /// Street, house number, post office box.
    AddressStreet,
    /// The city.
    AddressLocality,
    /// The state, province or region.
    AddressRegion,
    /// The postal code.
    AddressPostalCode,
    /// The country.
    AddressCountry,
}

impl Attribute {
    /// All attributes.
    pub const ALL: [Self; 18] = [
        Self::GivenName,
        Self::FamilyName,
        Self::MiddleName,
        Self::Nickname,
        Self::Profile,
        Self::Picture,
        Self::Website,
        Self::Gender,
        Self::Birthdate,
        Self::Zoneinfo,
        Self::Locale,
        Self::PhoneNumber,
        Self::AddressFormatted,
        Self::AddressStreet,
        Self::AddressLocality,
        Self::AddressRegion,
        Self::AddressPostalCode,
        Self::AddressCountry,
    ];

    /// The name: that of the claim, for a member of the address with `address.` before it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
            Self::MiddleName => "middle_name",
            Self::Nickname => "nickname",
            Self::Profile => "profile",
            Self::Picture => "picture",
            Self::Website => "website",
            Self::Gender => "gender",
            Self::Birthdate => "birthdate",
            Self::Zoneinfo => "zoneinfo",
            Self::Locale => "locale",
            Self::PhoneNumber => "phone_number",
            Self::AddressFormatted => "address.formatted",
            Self::AddressStreet => "address.street_address",
            Self::AddressLocality => "address.locality",
            Self::AddressRegion => "address.region",
            Self::AddressPostalCode => "address.postal_code",
            Self::AddressCountry => "address.country",
        }
    }

    /// The attribute with this [name](Self::name).
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.name() == name)
    }

    /// The claim that contains it: its own, or `address`.
    pub fn claim(self) -> &'static str {
        self.name().split_once('.').map_or(self.name(), |(claim, _)| claim)
    }

    /// The member of the claim `address` that it is, if it is one.
    pub fn address_member(self) -> Option<&'static str> {
        self.name().split_once('.').map(|(_, member)| member)
    }

    /// Checks a value, which is not empty.
    ///
    /// # Errors
    /// When it does not have the form that the standard demands.
    pub fn check(self, value: &str) -> Result<(), InvalidAttribute> {
        let (is_valid, expected) = match self {
            Self::Profile | Self::Picture | Self::Website => {
                (format::is_url(value), "an https:// or http:// URL of at most 2048 characters")
            }
            Self::Birthdate => (format::is_birthdate(value), "a date like 1879-03-14, 0000-03-14 or 1879"),
            Self::Zoneinfo => (format::is_zone(value), "the name of a time zone like Europe/Zurich"),
            Self::Locale => (format::is_language_tag(value), "a language tag like de-CH"),
            Self::PhoneNumber => (format::is_phone_number(value), "an international number like +41 44 632 11 11"),
            Self::AddressFormatted | Self::AddressStreet => {
                (format::is_text(value, true), "a text of at most 255 characters without control characters")
            }
            _ => (format::is_text(value, false), "a line of at most 255 characters without control characters"),
        };
        if is_valid { Ok(()) } else { Err(InvalidAttribute { attribute: self.name(), expected }) }
    }
}

/// A value does not have the form of its attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{attribute} must be {expected}")]
pub struct InvalidAttribute {
    /// The name of the attribute.
    pub attribute: &'static str,
    /// What its value must be.
    pub expected: &'static str,
}

/// The profile of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    attributes: BTreeMap<Attribute, String>,
    /// Whether the telephone number is known to be the user's.
    pub phone_number_verified: bool,
    /// When the account or the profile last changed, where that is known.
    pub updated: Option<SystemTime>,
}

impl Profile {
    /// The profile with these attributes by name, as stored or sent by another service. Unknown names and values that are
    /// not valid are left out.
    pub fn from_names<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut profile = Self::default();
        for (name, value) in attributes {
            if let Some(attribute) = Attribute::parse(name) {
                profile.set_if_valid(attribute, value);
            }
        }
        profile
    }

    /// The attributes by name.
    pub fn names(&self) -> BTreeMap<String, String> {
        self.attributes().map(|(attribute, value)| (attribute.name().to_owned(), value.to_owned())).collect()
    }

    /// The attributes that the user has.
    pub fn attributes(&self) -> impl Iterator<Item = (Attribute, &str)> {
        self.attributes.iter().map(|(attribute, value)| (*attribute, value.as_str()))
    }

    /// The value of an attribute, if the user has it.
    pub fn get(&self, attribute: Attribute) -> Option<&str> {
        self.attributes.get(&attribute).map(String::as_str)
    }

    /// Sets an attribute; an empty value removes it. Another telephone number is not verified.
    ///
    /// # Errors
    /// When the value does not have the form of the attribute.
    pub fn set(&mut self, attribute: Attribute, value: &str) -> Result<(), InvalidAttribute> {
        let value = value.trim();
        if !value.is_empty() {
            attribute.check(value)?;
        }
        if attribute == Attribute::PhoneNumber && self.get(attribute) != Some(value) {
            self.phone_number_verified = false;
        }
        if value.is_empty() {
            self.attributes.remove(&attribute);
        } else {
            self.attributes.insert(attribute, value.to_owned());
        }
        Ok(())
    }

    /// Sets an attribute, or leaves it out if the value is not valid: for values that others maintain.
    pub fn set_if_valid(&mut self, attribute: Attribute, value: &str) {
        if let Err(error) = self.set(attribute, value) {
            tracing::debug!(%error, "an attribute of a profile is left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_claims() {
        for attribute in Attribute::ALL {
            assert_eq!(Attribute::parse(attribute.name()), Some(attribute));
        }
        assert_eq!(Attribute::AddressPostalCode.claim(), "address");
        assert_eq!(Attribute::AddressPostalCode.address_member(), Some("postal_code"));
        assert_eq!((Attribute::Locale.claim(), Attribute::Locale.address_member()), ("locale", None));
    }

    #[test]
    fn empty_value_removes_an_attribute_and_invalid_value_changes_nothing() {
        let mut profile = Profile::default();
        profile.set(Attribute::Locale, " de-CH ").expect("a tag");
        assert_eq!(profile.get(Attribute::Locale), Some("de-CH"));
        let error = profile.set(Attribute::Locale, "Deutsch, bitte").expect_err("no tag");
        assert_eq!(error.to_string(), "locale must be a language tag like de-CH");
        assert_eq!(profile.get(Attribute::Locale), Some("de-CH"));
        profile.set(Attribute::Locale, "").expect("is removed");
        assert_eq!(profile, Profile::default());
    }

    #[test]
    fn another_telephone_number_is_not_verified() {
        let mut profile = Profile::default();
        profile.set(Attribute::PhoneNumber, "+41 44 632 11 11").expect("a number");
        profile.phone_number_verified = true;
        profile.set(Attribute::PhoneNumber, "+41 44 632 11 11").expect("the same number");
        assert!(profile.phone_number_verified);
        profile.set(Attribute::PhoneNumber, "+41 44 632 11 12").expect("another number");
        assert!(!profile.phone_number_verified);
    }

    #[test]
    fn what_is_read_by_name_is_valid() {
        let read = Profile::from_names([("nickname", "Al"), ("website", "javascript:alert(1)"), ("sub", "x")]);
        assert_eq!(read.names(), BTreeMap::from([("nickname".to_owned(), "Al".to_owned())]));
    }
}
