//! The profiles of users: which attribute holds what, and what its values mean. They are only read.

use authn::{Attribute, Profile};
use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attribute::is_name;
use crate::entry::Entry;

/// `profile_schema`: which attribute of a user holds which part of the profile.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProfileSchema {
    /// The attribute with the given name. If empty, profiles are without it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_GIVEN_NAME", "<P>_LDAP_USER_SCHEMA_GIVEN_NAME"], "default" = "givenName"))]
    pub given_name: String,
    /// The attribute with the family name. If empty, profiles are without it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_FAMILY_NAME", "<P>_LDAP_USER_SCHEMA_FAMILY_NAME"], "default" = "sn"))]
    pub family_name: String,
    /// The attribute with the telephone number, in international form. If empty, profiles are without it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_PHONE_NUMBER", "<P>_LDAP_USER_SCHEMA_PHONE_NUMBER"], "default" = "telephoneNumber"))]
    pub phone_number: String,
    /// The attribute with the URL of the website, perhaps with a label after it. If empty, profiles are without it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_WEBSITE", "<P>_LDAP_USER_SCHEMA_WEBSITE"], "default" = "labeledURI"))]
    pub website: String,
    /// The attribute with the preferred language. If empty, profiles are without it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_LOCALE", "<P>_LDAP_USER_SCHEMA_LOCALE"], "default" = "preferredLanguage"))]
    pub locale: String,
    /// The attribute with the postal address as it stands on a letter. If empty, profiles are without it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_ADDRESS", "<P>_LDAP_USER_SCHEMA_ADDRESS"], "default" = "postalAddress"))]
    pub formatted: String,
    /// The attribute with the street and the house number. If empty, profiles are without it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_STREET", "<P>_LDAP_USER_SCHEMA_STREET"], "default" = "street"))]
    pub street: String,
    /// The attribute with the city. If empty, profiles are without it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_LOCALITY", "<P>_LDAP_USER_SCHEMA_LOCALITY"], "default" = "l"))]
    pub locality: String,
    /// The attribute with the state or province. If empty, profiles are without it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_REGION", "<P>_LDAP_USER_SCHEMA_REGION"], "default" = "st"))]
    pub region: String,
    /// The attribute with the postal code. If empty, profiles are without it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_POSTAL_CODE", "<P>_LDAP_USER_SCHEMA_POSTAL_CODE"], "default" = "postalCode"))]
    pub postal_code: String,
    /// The attribute with the country. If empty, profiles are without it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_COUNTRY", "<P>_LDAP_USER_SCHEMA_COUNTRY"], "default" = "c"))]
    pub country: String,
}

config::impl_default!(ProfileSchema);

impl ProfileSchema {
    pub(crate) fn attributes(&self) -> [(&'static str, &String, Attribute); 11] {
        [
            ("given_name", &self.given_name, Attribute::GivenName),
            ("family_name", &self.family_name, Attribute::FamilyName),
            ("phone_number", &self.phone_number, Attribute::PhoneNumber),
            ("website", &self.website, Attribute::Website),
            ("locale", &self.locale, Attribute::Locale),
            ("formatted", &self.formatted, Attribute::AddressFormatted),
            ("street", &self.street, Attribute::AddressStreet),
            ("locality", &self.locality, Attribute::AddressLocality),
            ("region", &self.region, Attribute::AddressRegion),
            ("postal_code", &self.postal_code, Attribute::AddressPostalCode),
            ("country", &self.country, Attribute::AddressCountry),
        ]
    }

    /// The names of the LDAP attributes that a profile is made of.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.attributes().map(|(_, name, _)| name);
        let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).cloned().collect();
        // an empty list would request all attributes (RFC 4511 4.5.1.8)
        if names.is_empty() { vec!["1.1".to_owned()] } else { names }
    }

    /// The profile that an entry describes. Values without the form that the claim demands are left out.
    pub(crate) fn profile(&self, entry: &Entry) -> Profile {
        let mut profile = Profile::default();
        for (_, name, attribute) in self.attributes() {
            if let Some(value) = entry.text(name).filter(|_| !name.is_empty()) {
                profile.set_if_valid(attribute, &converted(attribute, value));
            }
        }
        profile
    }
}

impl Section for ProfileSchema {
    fn validate(&self) -> Result<(), Invalid> {
        let problem = "must be the name of an LDAP attribute, or empty";
        let mut attributes = self.attributes().into_iter();
        attributes.try_for_each(|(key, name, _)| Invalid::unless(name.is_empty() || is_name(name), key, problem))
    }
}

/// The value of a claim that the value of an LDAP attribute means.
fn converted(attribute: Attribute, value: &str) -> String {
    match attribute {
        // a label may follow (RFC 2079)
        Attribute::Website => value.split(' ').next().unwrap_or_default().to_owned(),
        // a list of languages as in `Accept-Language` (RFC 2798)
        Attribute::Locale => value.split([',', ';']).next().unwrap_or_default().trim().to_owned(),
        // the lines have `$` between them; a dollar and a backslash are escaped (RFC 4517 3.3.28)
        Attribute::AddressFormatted => {
            value.replace('$', "\n").replace("\\24", "$").replace("\\5C", "\\").replace("\\5c", "\\")
        }
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_ldap_become_values_of_claims() {
        let cases = [
            (Attribute::Website, "https://example.org My page", "https://example.org"),
            (Attribute::Locale, "de-CH, en;q=0.5", "de-CH"),
            (Attribute::AddressFormatted, "Kramgasse 49$3011 Bern$\\24 \\5C", "Kramgasse 49\n3011 Bern\n$ \\"),
            (Attribute::GivenName, "Albert", "Albert"),
        ];
        for (attribute, value, expected) in cases {
            assert_eq!(converted(attribute, value), expected);
        }
    }

    #[test]
    fn names_of_attributes_are_checked_and_may_be_empty() {
        let schema = ProfileSchema { country: String::new(), ..ProfileSchema::default() };
        schema.validate().expect("a profile may be without a country");
        assert_eq!(schema.names().len(), 10);
        let injected = ProfileSchema { country: "c)(uid=*".to_owned(), ..ProfileSchema::default() };
        injected.validate().expect_err("is no name");
    }
}
