//! Search filters (RFC 4515). Whatever a caller said goes through [`escape`]; nothing else makes filters.

use std::fmt::Write;

use ldap3::ldap_escape;

/// A value, escaped for a filter.
pub(crate) fn escape(value: &str) -> String {
    ldap_escape(value).into_owned()
}

/// `attribute` is exactly `value`.
pub(crate) fn equals(attribute: &str, value: &str) -> String {
    format!("({attribute}={})", escape(value))
}

/// `attribute` is exactly these bytes, each of them escaped.
pub(crate) fn equals_bytes(attribute: &str, value: &[u8]) -> String {
    let escaped = value.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:02x}");
        text
    });
    format!("({attribute}={escaped})")
}

/// `attribute` has `part` somewhere in it; `part` must not be empty.
pub(crate) fn contains(attribute: &str, part: &str) -> String {
    format!("({attribute}=*{}*)", escape(part))
}

/// All of these hold.
pub(crate) fn all(parts: &[String]) -> String {
    format!("(&{})", parts.concat())
}

/// One of these holds.
pub(crate) fn any(parts: &[String]) -> String {
    format!("(|{})", parts.concat())
}

/// This does not hold.
pub(crate) fn not(part: &str) -> String {
    format!("(!{part})")
}

/// What an operator configured, with the brackets that are often forgotten; nothing if it is empty.
pub(crate) fn configured(text: &str) -> Option<String> {
    match text.trim() {
        "" => None,
        text if text.starts_with('(') => Some(text.to_owned()),
        text => Some(format!("({text})")),
    }
}

#[cfg(test)]
mod tests {
    use ldap3::parse_filter;
    use proptest::prelude::*;

    use super::{configured, contains, equals, equals_bytes, escape};

    #[test]
    fn what_could_end_a_value_is_escaped() {
        assert_eq!(equals("uid", "*)(uid=*"), r"(uid=\2a\29\28uid=\2a)");
        assert_eq!(equals("uid", "a\\b\0"), r"(uid=a\5cb\00)");
        assert_eq!(equals_bytes("objectGUID", &[0, 0x2a, 0xff]), r"(objectGUID=\00\2a\ff)");
        assert_eq!(contains("cn", "*"), r"(cn=*\2a*)");
    }

    #[test]
    fn forgotten_brackets_are_added() {
        assert_eq!(configured(" "), None);
        assert_eq!(configured("objectClass=ownCloud").as_deref(), Some("(objectClass=ownCloud)"));
        assert_eq!(configured("(|(a=b)(c=d))").as_deref(), Some("(|(a=b)(c=d))"));
    }

    proptest! {
        /// Row B6: no value changes the shape of the filter it is put into.
        #[test]
        fn b6_a_value_stays_one_value(value in any::<String>()) {
            let escaped = escape(&value);
            prop_assert!(!escaped.contains(['(', ')', '*', '\0']));
            let alone = parse_filter(equals("uid", "x")).expect("a filter");
            let built = parse_filter(equals("uid", &value)).expect("any value makes a filter");
            prop_assert_eq!(shape(&built), shape(&alone));
        }
    }

    /// The tags of a filter without its values.
    fn shape(tag: &ldap3::asn1::Tag) -> String {
        use ldap3::asn1::Tag;
        match tag {
            Tag::Sequence(inner) => {
                format!("sequence {} of {}", inner.id, inner.inner.iter().map(shape).collect::<String>())
            }
            Tag::OctetString(octets) => format!("octets {},", octets.id),
            other => format!("{other:?}"),
        }
    }
}
