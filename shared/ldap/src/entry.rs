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

    /// The value of an attribute, which is empty without one; `None` if it has several values, or one that is no text.
    pub(crate) fn single_text(&self, name: &str) -> Option<&str> {
        match self.values.get(&name.to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default() {
            [] => Some(""),
            [one] => std::str::from_utf8(one).ok(),
            _ => None,
        }
    }

    /// The values of an attribute that are text, and where the rest begins if the server gives only a range of them
    /// (`member;range=0-1499`).
    pub(crate) fn ranged_texts(&self, name: &str) -> (Vec<String>, Option<usize>) {
        let name = name.to_ascii_lowercase();
        let prefix = format!("{name};range=");
        let (mut texts, mut next) = (Vec::new(), None);
        for (key, values) in &self.values {
            let range = key.strip_prefix(&prefix);
            if range.is_some() || *key == name {
                texts.extend(values.iter().filter_map(|value| String::from_utf8(value.clone()).ok()));
            }
            // the last range ends with *
            let last = range.and_then(|range| range.split_once('-')).and_then(|(_, last)| last.parse::<usize>().ok());
            next = next.or(last.map(|last| last.saturating_add(1)));
        }
        (texts, next)
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

#[cfg(test)]
mod tests {
    use super::Entry;

    fn entry(values: &[(&str, &[&str])]) -> Entry {
        let bytes = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        let values = values.iter().map(|(name, texts)| ((*name).to_owned(), bytes(texts))).collect();
        Entry { dn: String::new(), values }
    }

    #[test]
    fn several_values_are_none() {
        let two = entry(&[("tenant", &["a", "b"]), ("other", &["a"])]);
        assert_eq!(
            (two.single_text("Tenant"), two.single_text("OTHER"), two.single_text("none")),
            (None, Some("a"), Some(""))
        );
    }

    #[test]
    fn range_of_values_names_where_the_rest_begins() {
        let two = || vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(entry(&[("member", &["a", "b"])]).ranged_texts("Member"), (two(), None));
        assert_eq!(entry(&[]).ranged_texts("member"), (Vec::new(), None));
        // Active Directory gives the attribute itself too, without values
        let first = entry(&[("member", &[]), ("member;range=0-1", &["a", "b"])]);
        assert_eq!(first.ranged_texts("member"), (two(), Some(2)));
        assert_eq!(entry(&[("member;range=2-*", &["a", "b"])]).ranged_texts("member"), (two(), None));
        assert_eq!(entry(&[("memberof", &["a"])]).ranged_texts("member"), (Vec::new(), None));
    }
}
