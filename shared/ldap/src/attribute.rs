//! Attributes that identify: how their values become texts, and texts become filters.

use uuid::Uuid;

use crate::filter;

/// How an identifier is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As text.
    Text,
    /// Sixteen bytes in network order (RFC 4122): eDirectory's `GUID` and the like.
    Uuid,
    /// Sixteen bytes, of which the first three fields are little-endian: Active Directory's `objectGUID`.
    Guid,
}

/// The attribute that holds the identifier of a user or a group.
#[derive(Debug, Clone)]
pub(crate) struct IdAttribute {
    pub(crate) name: String,
    form: Form,
}

impl IdAttribute {
    /// Only `objectGUID` has Microsoft's byte order; whoever else stores UUIDs in bytes keeps to the network's.
    pub(crate) fn new(name: &str, is_octet_string: bool) -> Self {
        let form = match is_octet_string {
            false => Form::Text,
            true if name.eq_ignore_ascii_case("objectGUID") => Form::Guid,
            true => Form::Uuid,
        };
        Self { name: name.to_owned(), form }
    }

    /// The identifier that these bytes are, if they are one.
    pub(crate) fn decode(&self, value: &[u8]) -> Option<String> {
        match self.form {
            Form::Text => std::str::from_utf8(value).ok().filter(|text| !text.is_empty()).map(str::to_owned),
            Form::Uuid => Some(Uuid::from_bytes(value.try_into().ok()?).to_string()),
            Form::Guid => Some(Uuid::from_bytes_le(value.try_into().ok()?).to_string()),
        }
    }

    /// A filter for this identifier; `None` if nothing can have it.
    pub(crate) fn filter(&self, id: &str) -> Option<String> {
        if id.is_empty() {
            return None;
        }
        match self.form {
            Form::Text => Some(filter::equals(&self.name, id)),
            Form::Uuid => Some(filter::equals_bytes(&self.name, Uuid::parse_str(id).ok()?.as_bytes())),
            Form::Guid => Some(filter::equals_bytes(&self.name, &Uuid::parse_str(id).ok()?.to_bytes_le())),
        }
    }
}

/// Whether a text can be the name of an attribute or an object class: a short name or a dotted number (RFC 4512).
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';' | '_'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BYTES: [u8; 16] =
        [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];

    #[test]
    fn active_directory_swaps_the_first_three_fields() {
        let attribute = IdAttribute::new("objectguid", true);
        let id = "00112233-4455-6677-8899-aabbccddeeff";
        assert_eq!(attribute.decode(&BYTES).as_deref(), Some(id));
        let filter = r"(objectguid=\33\22\11\00\55\44\77\66\88\99\aa\bb\cc\dd\ee\ff)";
        assert_eq!(attribute.filter(id).as_deref(), Some(filter));
    }

    #[test]
    fn others_keep_the_network_order() {
        let attribute = IdAttribute::new("GUID", true);
        assert_eq!(attribute.decode(&BYTES).as_deref(), Some("33221100-5544-7766-8899-aabbccddeeff"));
        assert_eq!(attribute.decode(&BYTES[1..]), None, "fifteen bytes are no identifier");
        assert_eq!(attribute.filter("einstein"), None, "a name is no identifier");
    }

    #[test]
    fn names_cannot_bring_a_filter_along() {
        assert!(is_name("ownCloudUUID") && is_name("2.5.4.3") && is_name("cn;lang-en"));
        assert!(!is_name("") && !is_name("uid=*)(cn") && !is_name("a b") && !is_name("-x"));
    }

    proptest! {
        #[test]
        fn what_is_decoded_is_found_again(bytes in any::<[u8; 16]>(), name in "objectGUID|GUID") {
            let attribute = IdAttribute::new(&name, true);
            let id = attribute.decode(&bytes).expect("sixteen bytes are an identifier");
            prop_assert_eq!(attribute.filter(&id), Some(filter::equals_bytes(&name, &bytes)));
        }
    }
}
