//! The filter of `FindUsers`, in both generations of the API.
//!
//! The older generation has `string filter = 2` in the request, the newer one `repeated Filter filters = 2`. Both are
//! length-delimited, so nothing but the bytes themselves says which it is. [`decode_filters`] decides for each element:
//!
//! 1. bytes that parse to the end as a [`Filter`] whose type is 1 or 2, and whose term is the one this type names, are
//!    of the newer generation;
//! 2. other bytes that are valid UTF-8 are a text of the older generation;
//! 3. all else is an error.
//!
//! # What remains ambiguous
//!
//! A text of the older generation is taken for a filter of the newer one only if it happens to be one, byte by byte.
//! That takes the field number of `type`, which in UTF-8 is the control character U+0008 (or, written longer than need
//! be, a sequence that ends in U+0000), and at least four bytes in all. So
//!
//! - a text of up to three bytes is never misread, whatever it holds;
//! - a text without U+0000 and U+0008 is never misread, however long it is. These characters cannot be typed into a
//!   search field; a caller that sends them gets another search than the intended one, and no additional rights.
//!
//! In the other direction, a filter of the newer generation that breaks the rules (a type that is not known, or a term
//! that does not fit) and happens to be valid UTF-8 is taken for a text. It holds a control character, so it matches
//! no user.

use prost::Message as _;

use crate::cs3::identity::user::v1beta1::filter::{Term, Type};
use crate::cs3::identity::user::v1beta1::{Filter, UserType};

/// One condition on the users to find.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserFilter {
    /// A text to search for. An empty one is what a client sends to find all users.
    Query(String),
    /// The kind of the account.
    Type(UserType),
}

/// Why a filter cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It is neither a filter of the newer generation nor a text.
    #[error("filter {index} is neither a filter message nor valid UTF-8")]
    Unreadable {
        /// Its place in the request, from 0.
        index: usize,
    },
    /// It is a filter of the newer generation for a kind of account that is not known.
    #[error("filter {index} asks for the unknown user type {value}")]
    UnknownUserType {
        /// Its place in the request, from 0.
        index: usize,
        /// The number of the kind.
        value: i32,
    },
}

/// Reads the filters of a request, in either generation. No filter gives an empty list: the older generation leaves an
/// empty text out.
pub fn decode_filters<B: AsRef<[u8]>>(filters: &[B]) -> Result<Vec<UserFilter>, FilterError> {
    filters.iter().enumerate().map(|(index, bytes)| decode_filter(index, bytes.as_ref())).collect()
}

fn decode_filter(index: usize, bytes: &[u8]) -> Result<UserFilter, FilterError> {
    if let Ok(filter) = Filter::decode(bytes) {
        match (filter.r#type(), filter.term) {
            (Type::Query, Some(Term::Query(query))) => return Ok(UserFilter::Query(query)),
            (Type::Usertype, Some(Term::Usertype(value))) => {
                return UserType::try_from(value)
                    .map(UserFilter::Type)
                    .map_err(|_| FilterError::UnknownUserType { index, value });
            }
            _ => {}
        }
    }
    str::from_utf8(bytes)
        .map(|query| UserFilter::Query(query.to_owned()))
        .map_err(|_| FilterError::Unreadable { index })
}

/// The filters of a request of the older generation that searches for a text. That generation has no other filter.
///
/// The text goes out as it is, see the module for what remains ambiguous.
pub fn encode_query_old(query: &str) -> Vec<Vec<u8>> {
    if query.is_empty() { Vec::new() } else { vec![query.as_bytes().to_vec()] }
}

/// The filters of a request of the newer generation that searches for a text.
pub fn encode_query_new(query: &str) -> Vec<Vec<u8>> {
    encode_filters_new(&[UserFilter::Query(query.to_owned())])
}

/// The filters of a request of the newer generation.
pub fn encode_filters_new(filters: &[UserFilter]) -> Vec<Vec<u8>> {
    filters
        .iter()
        .map(|filter| {
            let (kind, term) = match filter {
                UserFilter::Query(query) => (Type::Query, Term::Query(query.clone())),
                UserFilter::Type(user_type) => (Type::Usertype, Term::Usertype((*user_type).into())),
            };
            Filter { r#type: kind.into(), term: Some(term) }.encode_to_vec()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(text: &str) -> UserFilter {
        UserFilter::Query(text.to_owned())
    }

    fn any_filter() -> impl Strategy<Value = UserFilter> {
        prop_oneof![
            any::<String>().prop_map(UserFilter::Query),
            (0..=8i32).prop_map(|n| UserFilter::Type(UserType::try_from(n).unwrap())),
        ]
    }

    #[test]
    fn reads_known_bytes_of_both_generations() {
        assert_eq!(decode_filters(&[b"ein"]), Ok(vec![query("ein")]));
        assert_eq!(decode_filters(&[b"\x08\x02\x1a\x03ein"]), Ok(vec![query("ein")]));
        assert_eq!(decode_filters(&[b"\x1a\x03ein\x08\x02"]), Ok(vec![query("ein")]), "fields may be in any order");
        assert_eq!(decode_filters(&[b"\x08\x01\x10\x03"]), Ok(vec![UserFilter::Type(UserType::Service)]));
        assert_eq!(decode_filters::<Vec<u8>>(&[]), Ok(vec![]));
        assert_eq!(decode_filters(&[b""]), Ok(vec![query("")]));
    }

    #[test]
    fn writes_known_bytes_of_both_generations() {
        assert_eq!(encode_query_old("ein"), [b"ein"]);
        assert_eq!(encode_query_old(""), Vec::<Vec<u8>>::new());
        assert_eq!(encode_query_new("ein"), [b"\x08\x02\x1a\x03ein"]);
        assert_eq!(encode_query_new(""), [b"\x08\x02\x1a\x00"]);
        assert_eq!(encode_filters_new(&[UserFilter::Type(UserType::Service)]), [b"\x08\x01\x10\x03"]);
    }

    #[test]
    fn several_filters_keep_their_order() {
        let filters = [UserFilter::Type(UserType::Guest), query("a"), UserFilter::Type(UserType::Primary)];
        assert_eq!(decode_filters(&encode_filters_new(&filters)), Ok(filters.to_vec()));
    }

    #[test]
    fn what_is_neither_is_an_error() {
        assert_eq!(decode_filters(&[&b"ein"[..], b"\xff\xfe"]), Err(FilterError::Unreadable { index: 1 }));
        // cut short in the middle of a query, and not UTF-8
        assert_eq!(decode_filters(&[b"\x08\x02\x1a\x05\xc3"]), Err(FilterError::Unreadable { index: 0 }));
        // a query that is not UTF-8
        assert_eq!(decode_filters(&[b"\x08\x02\x1a\x01\xff"]), Err(FilterError::Unreadable { index: 0 }));
    }

    #[test]
    fn an_unknown_user_type_is_an_error() {
        assert_eq!(
            decode_filters(&[b"\x08\x01\x10\x63"]),
            Err(FilterError::UnknownUserType { index: 0, value: 99 }),
            "it is not read as a text that matches no user"
        );
    }

    #[test]
    fn a_filter_whose_term_does_not_fit_is_no_filter() {
        for text in ["\x08\x02\x10\x01", "\x08\x01\x1a\x01a", "\x08\x03\x1a\x01a", "\x08\x02", "\x1a\x01a"] {
            assert_eq!(decode_filters(&[text]), Ok(vec![query(text)]));
        }
    }

    #[test]
    fn no_text_of_up_to_two_bytes_is_misread() {
        for a in '\0'..='\u{7ff}' {
            let text = a.to_string();
            assert_eq!(decode_filters(&[&text]), Ok(vec![query(&text)]));
        }
        for a in '\0'..='\x7f' {
            for b in '\0'..='\x7f' {
                let text = String::from_iter([a, b]);
                assert_eq!(decode_filters(&[&text]), Ok(vec![query(&text)]));
            }
        }
    }

    #[test]
    fn the_ambiguity_that_remains() {
        assert_eq!(decode_filters(&["\x08\x02\x1a\x01a"]), Ok(vec![query("a")]));
        assert_eq!(decode_filters(&["\u{8}\u{1}\u{10}\u{1}"]), Ok(vec![UserFilter::Type(UserType::Primary)]));
    }

    proptest! {
        #[test]
        fn the_newer_generation_round_trips(filters in proptest::collection::vec(any_filter(), 0..5)) {
            prop_assert_eq!(decode_filters(&encode_filters_new(&filters)), Ok(filters));
        }

        #[test]
        fn a_query_round_trips_in_the_newer_generation(text in any::<String>()) {
            prop_assert_eq!(decode_filters(&encode_query_new(&text)), Ok(vec![query(&text)]));
        }

        #[test]
        fn a_text_without_the_two_control_characters_round_trips(text in "[^\\x00\\x08]{1,40}") {
            prop_assert_eq!(decode_filters(&encode_query_old(&text)), Ok(vec![query(&text)]));
        }

        // the characters that come up in an encoded filter, to hit near misses often
        #[test]
        fn near_misses_without_the_two_control_characters_round_trip(text in "[\\x01-\\x03\\x10\\x18\\x1a\\x7fa-c\u{80}-\u{bf}]{1,12}") {
            prop_assert_eq!(decode_filters(&encode_query_old(&text)), Ok(vec![query(&text)]));
        }

        #[test]
        fn a_text_of_three_bytes_is_never_misread(text in "[\\x00-\\x7f]{3}") {
            prop_assert_eq!(decode_filters(&encode_query_old(&text)), Ok(vec![query(&text)]));
        }

        #[test]
        fn bytes_never_panic(filters in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
            if let Ok(decoded) = decode_filters(&filters) {
                prop_assert_eq!(decoded.len(), filters.len());
            }
        }
    }
}
