use super::*;
use crate::http::text_checks::{assert_gaps, assert_translated};

/// Words that are the same in English and another language.
const SAME: [&str; 1] = ["Administration"];

#[test]
fn every_text_is_there_and_translated() {
    assert_translated(text, &SAME);
}

#[test]
fn every_phrase_has_one_gap_and_nothing_else_has() {
    assert_gaps(text);
}
