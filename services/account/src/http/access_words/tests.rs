use super::*;
use crate::http::text_checks::{assert_gaps, assert_translated};

#[test]
fn every_text_is_there_and_translated() {
    assert_translated(access_words, &[]);
}

#[test]
fn every_phrase_has_one_gap_and_nothing_else_has() {
    assert_gaps(access_words);
}
