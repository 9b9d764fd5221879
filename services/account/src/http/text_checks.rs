//! What holds for every table of texts.

use std::fmt::Debug;

use web::i18n::Language;

/// The texts of a language, as they stand between quotation marks in its table.
fn texts(table: &impl Debug) -> Vec<String> {
    let table = format!("{table:#?}");
    let lines = table.lines().filter_map(|line| line.split_once('"'));
    lines.map(|(_, rest)| rest.trim_end_matches(',').trim_end_matches('"').to_owned()).collect()
}

/// Every text is there in every language, and is translated unless it is one of those that are the `same` in English and another language.
pub(super) fn assert_translated<T: Debug + 'static>(table: impl Fn(Language) -> &'static T, same: &[&str]) {
    let english = texts(table(Language::English));
    for language in Language::ALL {
        let texts = texts(table(language));
        assert_eq!(texts.len(), english.len(), "{language:?}");
        for (text, english) in texts.into_iter().zip(&english) {
            assert!(text.len() > 1 && text.trim() == text, "{language:?}: {text:?}");
            let is_translated = text != *english || same.contains(&&*text);
            assert!(language == Language::English || is_translated, "{language:?}: {text:?}");
        }
    }
}

/// Every phrase has one gap, and nothing else has one.
pub(super) fn assert_gaps<T: Debug + 'static>(table: impl Fn(Language) -> &'static T) {
    for language in Language::ALL {
        let table = format!("{:#?}", table(language));
        let phrases: Vec<_> = table.split("Phrase(").skip(1).collect();
        assert!(phrases.iter().all(|rest| rest.lines().nth(1).is_some_and(|line| line.contains("{}"))), "{language:?}");
        assert_eq!(table.matches("{}").count(), phrases.len(), "{language:?}");
    }
}
