use super::*;
use crate::http::text_checks::{assert_gaps, assert_translated};

/// Words that are the same in English and another language.
const SAME: [&str; 2] = ["Applications", "Name"];

#[test]
fn every_text_is_there_and_translated() {
    assert_translated(words, &SAME);
}

#[test]
fn every_phrase_has_one_gap_and_nothing_else_has() {
    assert_gaps(words);
}
