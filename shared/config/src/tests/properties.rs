//! Parsers meet any text, and read back what they write.

use std::time::Duration;

use figment::value::{Dict, Value};
use proptest::prelude::*;

use super::{Folder, read};
use crate::kind::{Kind, on_one_line};
use crate::yaml;
use crate::{ListenAddr, duration};

/// The items of a list that is written on one line.
fn list(text: &str) -> Vec<String> {
    Kind::List.read(text).expect("any text is a list").deserialize().expect("a list of texts")
}

#[test]
fn durations_as_go_reads_them() {
    let read = |text: &str| duration::parse(text).map(|duration| duration.as_nanos());
    for (text, nanos) in [
        ("0", 0),
        ("90", 90_000_000_000),
        ("1h30m", 5_400_000_000_000),
        ("+1.5s", 1_500_000_000),
        (".5m", 30_000_000_000),
        ("1.s", 1_000_000_000),
        ("1us2µs3μs4ns", 6_004),
        ("300ms", 300_000_000),
        ("0.0000000001s", 0),
    ] {
        assert_eq!(read(text), Some(nanos), "{text}");
    }
    for text in ["", "+", "-5s", "s", ".", ".s", "1", "1.5", "1..5s", "1d", "5 s", "5s ", "99999999999999999999h"] {
        assert_eq!(read(text).is_some(), text == "1", "{text}");
    }
    assert_eq!(duration::format(Duration::ZERO), "0s");
    assert_eq!(duration::format(Duration::from_millis(5_401_500)), "1h30m1s500ms");
}

#[test]
fn bools_as_go_reads_them() {
    for text in ["1", "t", "T", "true", "TRUE", "True"] {
        assert_eq!(Kind::Bool.read(text), Some(true.into()));
    }
    for text in ["0", "f", "F", "false", "FALSE", "False"] {
        assert_eq!(Kind::Bool.read(text), Some(false.into()));
    }
    for text in ["", "yes", "tRUE", " true"] {
        assert_eq!(Kind::Bool.read(text), None);
    }
}

proptest! {
    #[test]
    fn durations_are_read_back(seconds: u64, nanos in 0..1_000_000_000_u32) {
        let duration = Duration::new(seconds, nanos);
        prop_assert_eq!(duration::parse(&duration::format(duration)), Some(duration));
    }

    #[test]
    fn any_text_is_a_duration_or_none(text in "\\PC*", like in "[0-9.]{0,40}(ns|us|ms|s|m|h)?[0-9.hms]{0,20}") {
        let _ = duration::parse(&text);
        let _ = duration::parse(&like);
    }

    #[test]
    fn lists_are_read_back(items in prop::collection::vec("[^,\\s]([^,]*[^,\\s])?", 0..8)) {
        prop_assert_eq!(list(&items.join(",")), items.clone());
        prop_assert_eq!(list(&items.join(" , ,")), items);
    }

    #[test]
    fn any_text_is_a_list_without_empty_items(text: String) {
        let items = list(&text);
        prop_assert!(items.iter().all(|item| !item.is_empty() && item.trim() == item));
    }

    #[test]
    fn addresses_are_read_back(text in "\\PC{0,20}", host in "[a-z0-9.]{0,9}|\\[[0-9a-f:]{2,9}\\]", port: u16) {
        let usual = format!("{host}:{port}");
        prop_assert!(usual.parse::<ListenAddr>().is_ok());
        for text in [text, usual] {
            if let Ok(address) = text.parse::<ListenAddr>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }

    #[test]
    fn values_are_read_back(seconds: u64, number: u64, truth: bool) {
        for (kind, text) in [
            (Kind::Duration, duration::format(Duration::from_secs(seconds))),
            (Kind::U64, number.to_string()),
            (Kind::Bool, truth.to_string()),
        ] {
            let value = kind.read(&text).expect("of its kind");
            prop_assert_eq!(on_one_line(&kind.shown(&value)), text);
        }
    }

    #[test]
    fn scalars_are_read_back(text: String, tricky in "[-:#'\"{}\\[\\]&*!|>%@`~ \n\ta0]{0,12}") {
        for text in [text, tricky] {
            let document = format!("a:\n  b: {} # note\n  c:\n  - {}\n", yaml::scalar(&text), yaml::scalar(&text));
            let tree = yaml::parse(&document);
            let inner: Value = Dict::from([("b".into(), text.as_str().into()), ("c".into(), vec![text].into())]).into();
            prop_assert_eq!(tree, Ok(Dict::from([("a".into(), inner)]).into()));
        }
    }

    #[test]
    fn any_document_is_read_or_refused(text in "([a-z: \n\\[\\]{}&*!|>\"'#,~0-9-]|\\PC){0,60}") {
        let folder = Folder::holding("auth-app.yaml", &text);
        let _ = read(&folder.env());
        let _ = yaml::parse(&text);
    }
}
