//! What a search found.

use std::collections::HashMap;

use authn::Login;
use ldap3::{ResultEntry, SearchEntry};

/// An entry of the directory. Names of attributes are compared regardless of case, as servers answer them in their own.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    values: HashMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    pub(crate) fn new(raw: ResultEntry) -> Self {
        let SearchEntry { dn, attrs, bin_attrs } = SearchEntry::construct(raw);
        let texts =
            attrs.into_iter().map(|(name, values)| (name, values.into_iter().map(String::into_bytes).collect()));
        let values = texts.chain(bin_attrs).map(|(name, values)| (name.to_ascii_lowercase(), values)).collect();
        Self { dn, values }
    }

    /// The first value of an attribute.
    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.values.get(&name.to_ascii_lowercase())?.first().map(Vec::as_slice)
    }

    /// The first value of an attribute, if it is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(name)?).ok()
    }

    /// Whether one of these attributes has a value that the login names.
    pub(crate) fn is_named(&self, attributes: &[String], login: &Login) -> bool {
        let values = attributes.iter().filter_map(|name| self.values.get(&name.to_ascii_lowercase())).flatten();
        values.filter_map(|value| std::str::from_utf8(value).ok()).any(|value| login.names(value))
    }

    /// The first value of an attribute as a number, 0 if it is none.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}
