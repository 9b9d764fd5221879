//! Metadata that services of oCIS and OpenCloud hand on with every call they make (`autoprop-*`), for instance that the user has several
//! factors. This family decides nothing by it, and passes it on.

use std::sync::{Arc, Once};

use tonic::metadata::{Ascii, KeyAndValueRef, MetadataKey, MetadataMap, MetadataValue};

/// How the names of this metadata begin.
const PREFIX: &str = "autoprop-";
/// The longest rest of such a name, in bytes.
const LONGEST_SUFFIX: usize = 64;
/// The most values that are passed on.
const MOST: usize = 16;
/// The largest size of names and values together, in bytes.
const LARGEST: usize = 8 * 1024;

/// The metadata of a gRPC call that goes along with the calls which it causes; empty for requests over HTTP, whose headers are written by
/// clients (`docs/security-requirements.md#g22`).
#[derive(Debug, Clone, Default)]
pub struct Propagated(Arc<[(MetadataKey<Ascii>, MetadataValue<Ascii>)]>);

impl Propagated {
    /// That of a gRPC call; nothing if it is more than is passed on.
    pub(super) fn of(metadata: &MetadataMap) -> Self {
        static WARNING: Once = Once::new();
        let values = metadata.iter().filter_map(|pair| match pair {
            KeyAndValueRef::Ascii(key, value) => is_propagated(key.as_str()).then(|| (key.clone(), value.clone())),
            KeyAndValueRef::Binary(..) => None,
        });
        let values: Vec<_> = values.take(MOST + 1).collect();
        let size: usize = values.iter().map(|(key, value)| key.as_str().len() + value.as_bytes().len()).sum();
        if values.len() > MOST || size > LARGEST {
            WARNING.call_once(|| {
                tracing::warn!(
                    "a call has more than {MOST} values or {LARGEST} bytes of autoprop metadata: none of it is passed on"
                );
            });
            return Self::default();
        }
        if values.is_empty() { Self::default() } else { Self(values.into()) }
    }

    /// Writes it into the metadata of another call, in place of what that has under the same names.
    pub(super) fn write(&self, metadata: &mut MetadataMap) {
        for (key, _) in self.0.iter() {
            metadata.remove(key.as_str());
        }
        for (key, value) in self.0.iter() {
            metadata.append(key.clone(), value.clone());
        }
    }
}

fn is_propagated(key: &str) -> bool {
    key.strip_prefix(PREFIX).is_some_and(|suffix| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=LONGEST_SUFFIX).contains(&suffix.len()) && suffix.bytes().all(is_plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pairs: &[(&str, &str)]) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        for (key, value) in pairs {
            let key: MetadataKey<Ascii> = key.parse().expect("a name");
            metadata.append(key, value.parse().expect("a value"));
        }
        metadata
    }

    /// What another call has after it was written.
    fn passed_on(metadata: &MetadataMap) -> Vec<(String, String)> {
        let propagated = Propagated::of(metadata);
        let mut other = MetadataMap::new();
        propagated.write(&mut other);
        propagated.write(&mut other);
        let pairs = other.iter().map(|pair| match pair {
            KeyAndValueRef::Ascii(key, value) => (key.as_str().to_owned(), value.to_str().expect("a text").to_owned()),
            KeyAndValueRef::Binary(key, _) => panic!("{key:?}"),
        });
        let mut pairs: Vec<_> = pairs.collect();
        // names have no order
        pairs.sort_by(|one, other| one.0.cmp(&other.0));
        pairs
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn names_with_the_prefix_pass_with_every_value() {
        let mut sent = metadata(&[
            ("autoprop-mfa-authenticated", "true"),
            ("autoprop-label", "one"),
            ("autoprop-label", "two"),
            ("autoprop-", "no name"),
            ("autoprop-under_score", "no name"),
            ("x-autoprop-label", "another name"),
            ("authorization", "Bearer x"),
        ]);
        sent.insert_bin("autoprop-label-bin", tonic::metadata::MetadataValue::from_bytes(b"binary"));
        let expected =
            [pair("autoprop-label", "one"), pair("autoprop-label", "two"), pair("autoprop-mfa-authenticated", "true")];
        assert_eq!(passed_on(&sent), expected);
        assert!(passed_on(&MetadataMap::new()).is_empty());
    }

    #[test]
    fn too_much_is_left_out_altogether() {
        let name = format!("autoprop-{}", "n".repeat(64));
        assert_eq!(passed_on(&metadata(&[(&name, "x")])).len(), 1);
        assert!(passed_on(&metadata(&[(&format!("{name}n"), "x")])).is_empty());

        let values = vec![("autoprop-label", "x"); 17];
        assert_eq!(passed_on(&metadata(&values[..16])).len(), 16);
        assert!(passed_on(&metadata(&values)).is_empty());

        let fits = "v".repeat(8 * 1024 - "autoprop-label".len());
        assert_eq!(passed_on(&metadata(&[("autoprop-label", &fits)])).len(), 1);
        assert!(passed_on(&metadata(&[("autoprop-label", &format!("{fits}v"))])).is_empty());
    }
}
