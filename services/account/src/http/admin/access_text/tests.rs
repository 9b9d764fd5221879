use super::*;
use crate::http::text_checks::{assert_gaps, assert_translated};

#[test]
fn every_text_is_there_and_translated() {
    assert_translated(access_text, &[]);
}

#[test]
fn every_phrase_has_one_gap_and_nothing_else_has() {
    assert_gaps(access_text);
}

#[test]
fn phrase_to_type_is_compared_in_lower_case() {
    for language in Language::ALL {
        let phrase = access_text(language).everyone_phrase;
        assert_eq!(phrase.to_lowercase(), phrase, "{language:?}");
    }
}
