//! The arguments by which a user is changed.

use std::collections::BTreeMap;

use authn::Attribute;
use clap::Args;

/// What to change of a user. What is not given stays as it is.
#[derive(Debug, Args)]
pub(crate) struct UserChange {
    /// The name to show
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) display_name: Option<String>,
    /// The mail address; an empty text removes it
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) mail: Option<String>,
    #[command(flatten)]
    pub(crate) profile: ProfileChange,
}

/// The attributes of a profile. An empty text removes one.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Profile (an empty text removes an attribute)")]
pub(crate) struct ProfileChange {
    /// The given name or names
    #[arg(long, allow_hyphen_values = true)]
    given_name: Option<String>,
    /// The family name or names
    #[arg(long, allow_hyphen_values = true)]
    family_name: Option<String>,
    /// The middle name or names
    #[arg(long, allow_hyphen_values = true)]
    middle_name: Option<String>,
    /// The casual name
    #[arg(long, allow_hyphen_values = true)]
    nickname: Option<String>,
    /// The URL of the profile page
    #[arg(long, value_name = "URL")]
    profile: Option<String>,
    /// The URL of the picture
    #[arg(long, value_name = "URL")]
    picture: Option<String>,
    /// The URL of the website
    #[arg(long, value_name = "URL")]
    website: Option<String>,
    /// The gender
    #[arg(long, allow_hyphen_values = true)]
    gender: Option<String>,
    /// The date of birth: YYYY-MM-DD, 0000-MM-DD without the year, or YYYY
    #[arg(long, value_name = "DATE")]
    birthdate: Option<String>,
    /// The time zone, like Europe/Zurich
    #[arg(long, value_name = "ZONE")]
    zoneinfo: Option<String>,
    /// The language, like de-CH
    #[arg(long, value_name = "TAG")]
    locale: Option<String>,
    /// The telephone number, like +41 44 632 11 11
    #[arg(long, value_name = "NUMBER")]
    phone_number: Option<String>,
    /// Whether the telephone number is known to be the user's
    #[arg(long, value_name = "BOOL")]
    pub(crate) phone_number_verified: Option<bool>,
    /// The postal address as it stands on a letter
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    address_formatted: Option<String>,
    /// Street, house number, post office box
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    address_street: Option<String>,
    /// The city
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    address_locality: Option<String>,
    /// The state, province or region
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    address_region: Option<String>,
    /// The postal code
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    address_postal_code: Option<String>,
    /// The country
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    address_country: Option<String>,
}

impl UserChange {
    /// Whether nothing is given.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { display_name, mail, profile } = self;
        let is_same = display_name.is_none() && mail.is_none() && profile.phone_number_verified.is_none();
        is_same && profile.given().iter().all(|(_, value)| value.is_none())
    }
}

impl ProfileChange {
    /// Every attribute, with its new value if one is given.
    fn given(&self) -> [(Attribute, Option<&String>); 18] {
        [
            (Attribute::GivenName, self.given_name.as_ref()),
            (Attribute::FamilyName, self.family_name.as_ref()),
            (Attribute::MiddleName, self.middle_name.as_ref()),
            (Attribute::Nickname, self.nickname.as_ref()),
            (Attribute::Profile, self.profile.as_ref()),
            (Attribute::Picture, self.picture.as_ref()),
            (Attribute::Website, self.website.as_ref()),
            (Attribute::Gender, self.gender.as_ref()),
            (Attribute::Birthdate, self.birthdate.as_ref()),
            (Attribute::Zoneinfo, self.zoneinfo.as_ref()),
            (Attribute::Locale, self.locale.as_ref()),
            (Attribute::PhoneNumber, self.phone_number.as_ref()),
            (Attribute::AddressFormatted, self.address_formatted.as_ref()),
            (Attribute::AddressStreet, self.address_street.as_ref()),
            (Attribute::AddressLocality, self.address_locality.as_ref()),
            (Attribute::AddressRegion, self.address_region.as_ref()),
            (Attribute::AddressPostalCode, self.address_postal_code.as_ref()),
            (Attribute::AddressCountry, self.address_country.as_ref()),
        ]
    }

    /// The attributes that are given, by name.
    pub(crate) fn attributes(&self) -> BTreeMap<String, String> {
        let named =
            |(attribute, value): (Attribute, Option<&String>)| Some((attribute.name().to_owned(), value?.clone()));
        self.given().into_iter().filter_map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        change: UserChange,
    }

    #[test]
    fn every_attribute_has_an_argument() {
        let arguments = Attribute::ALL.map(|attribute| {
            let name = attribute.name().replace("street_address", "street").replace(['_', '.'], "-");
            format!("--{name}={}", attribute.name())
        });
        let line = std::iter::once("update".to_owned()).chain(arguments);
        let parsed = Line::try_parse_from(line).map_err(|error| error.to_string()).expect("is understood");
        let attributes = parsed.change.profile.attributes();
        assert_eq!(attributes.len(), Attribute::ALL.len());
        assert!(attributes.iter().all(|(name, value)| name == value), "{attributes:?}");
    }

    #[test]
    fn what_is_not_given_is_not_changed() {
        let line = Line::try_parse_from(["update", "--nickname", ""]).map_err(|error| error.to_string());
        let change = line.expect("is understood").change;
        assert_eq!((change.display_name, change.mail, change.profile.phone_number_verified), (None, None, None));
        assert_eq!(change.profile.attributes(), BTreeMap::from([("nickname".to_owned(), String::new())]));
    }
}
