//! The properties of a profile, as fields of a form.

use authn::Attribute;

use super::text::SelfServiceText;

/// The longest text, in characters.
const MAX_TEXT: usize = 255;

/// A property of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    /// The name to show: the claim `name`.
    DisplayName,
    /// Any other claim, or a member of the address.
    Attribute(Attribute),
}

impl Property {
    /// Every property, in the order of the page.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::DisplayName).chain(Attribute::ALL.into_iter().map(Self::Attribute))
    }

    /// The name of the field, which is that of the attribute.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::DisplayName => "display_name",
            Self::Attribute(attribute) => attribute.name(),
        }
    }

    /// The name by which the operator permits users to change it.
    pub(super) fn permission(self) -> &'static str {
        match self {
            Self::DisplayName => self.name(),
            Self::Attribute(attribute) => attribute.claim(),
        }
    }

    /// Whether it is a member of the address.
    pub(super) fn is_of_address(self) -> bool {
        matches!(self, Self::Attribute(attribute) if attribute.address_member().is_some())
    }

    /// Whether it may have several lines.
    pub(super) const fn is_multiline(self) -> bool {
        matches!(self, Self::Attribute(Attribute::AddressFormatted | Attribute::AddressStreet))
    }

    /// Whether a value, which has no blanks around it, may be stored. An empty one removes an attribute; the name to show stays.
    pub(super) fn accepts(self, value: &str) -> bool {
        match self {
            Self::DisplayName => {
                !value.is_empty() && value.chars().count() <= MAX_TEXT && !value.contains(char::is_control)
            }
            Self::Attribute(attribute) => value.is_empty() || attribute.check(value).is_ok(),
        }
    }

    /// The type of its field. The standard permits birthdates without the day or the year, which a field for dates cannot show.
    pub(super) fn input_type(self, value: &str) -> &'static str {
        match self {
            Self::Attribute(Attribute::Profile | Attribute::Picture | Attribute::Website) => "url",
            Self::Attribute(Attribute::PhoneNumber) => "tel",
            Self::Attribute(Attribute::Birthdate) if is_date_or_empty(value) => "date",
            _ => "text",
        }
    }

    /// What browsers fill in (HTML, "autofill detail tokens").
    pub(super) const fn autocomplete(self) -> &'static str {
        match self {
            Self::DisplayName => "name",
            Self::Attribute(attribute) => match attribute {
                Attribute::GivenName => "given-name",
                Attribute::FamilyName => "family-name",
                Attribute::MiddleName => "additional-name",
                Attribute::Nickname => "nickname",
                Attribute::Picture => "photo",
                Attribute::Website => "url",
                Attribute::Gender => "sex",
                Attribute::Birthdate => "bday",
                Attribute::Locale => "language",
                Attribute::PhoneNumber => "tel",
                Attribute::AddressStreet => "street-address",
                Attribute::AddressLocality => "address-level2",
                Attribute::AddressRegion => "address-level1",
                Attribute::AddressPostalCode => "postal-code",
                Attribute::AddressCountry => "country-name",
                Attribute::Profile | Attribute::Zoneinfo | Attribute::AddressFormatted => "off",
            },
        }
    }

    /// The label.
    pub(super) const fn label(self, words: &SelfServiceText) -> &'static str {
        match self {
            Self::DisplayName => words.display_name,
            Self::Attribute(attribute) => match attribute {
                Attribute::GivenName => words.given_name,
                Attribute::FamilyName => words.family_name,
                Attribute::MiddleName => words.middle_name,
                Attribute::Nickname => words.nickname,
                Attribute::Profile => words.profile_page,
                Attribute::Picture => words.picture,
                Attribute::Website => words.website,
                Attribute::Gender => words.gender,
                Attribute::Birthdate => words.birthdate,
                Attribute::Zoneinfo => words.zoneinfo,
                Attribute::Locale => words.locale,
                Attribute::PhoneNumber => words.phone_number,
                Attribute::AddressFormatted => words.address_formatted,
                Attribute::AddressStreet => words.address_street,
                Attribute::AddressLocality => words.address_locality,
                Attribute::AddressRegion => words.address_region,
                Attribute::AddressPostalCode => words.address_postal_code,
                Attribute::AddressCountry => words.address_country,
            },
        }
    }

    /// How a value has to look, where that is not obvious.
    pub(super) fn hint(self, words: &SelfServiceText, value: &str) -> Option<&'static str> {
        match self {
            Self::Attribute(Attribute::Profile | Attribute::Picture | Attribute::Website) => Some(words.url_hint),
            // a field for dates says it itself
            Self::Attribute(Attribute::Birthdate) if !is_date_or_empty(value) => Some(words.birthdate_hint),
            Self::Attribute(Attribute::Zoneinfo) => Some(words.zoneinfo_hint),
            Self::Attribute(Attribute::Locale) => Some(words.locale_hint),
            Self::Attribute(Attribute::PhoneNumber) => Some(words.phone_number_hint),
            Self::Attribute(Attribute::AddressFormatted) => Some(words.address_formatted_hint),
            _ => None,
        }
    }

    /// What is wrong with a value that is not accepted.
    pub(super) const fn error(self, words: &SelfServiceText) -> &'static str {
        match self {
            Self::DisplayName => words.display_name_error,
            Self::Attribute(Attribute::Profile | Attribute::Picture | Attribute::Website) => words.url_error,
            Self::Attribute(Attribute::Birthdate) => words.birthdate_error,
            Self::Attribute(Attribute::Zoneinfo) => words.zoneinfo_error,
            Self::Attribute(Attribute::Locale) => words.locale_error,
            Self::Attribute(Attribute::PhoneNumber) => words.phone_number_error,
            Self::Attribute(_) => words.text_error,
        }
    }
}

/// Whether a field for dates can show it: a day of a known year.
fn is_date_or_empty(birthdate: &str) -> bool {
    let is_day = Attribute::Birthdate.check(birthdate).is_ok() && birthdate.contains('-');
    birthdate.is_empty() || (is_day && !birthdate.starts_with("0000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn birthdates_that_no_date_field_can_show_are_edited_as_text() {
        let birthdate = Property::Attribute(Attribute::Birthdate);
        for (value, input_type) in
            [("", "date"), ("1879-03-14", "date"), ("0000-03-14", "text"), ("1879", "text"), ("14.3.1879", "text")]
        {
            assert_eq!(birthdate.input_type(value), input_type, "{value}");
        }
    }

    #[test]
    fn only_the_name_to_show_cannot_be_removed() {
        assert!(Property::all().skip(1).all(|property| property.accepts("")));
        assert!(!Property::DisplayName.accepts("") && !Property::DisplayName.accepts("a\nb"));
        assert!(Property::DisplayName.accepts(&"é".repeat(255)) && !Property::DisplayName.accepts(&"e".repeat(256)));
    }
}
