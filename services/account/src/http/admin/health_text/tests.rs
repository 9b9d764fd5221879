use super::*;

/// The texts of a language, as they stand between quotation marks in its table.
fn texts(language: Language) -> Vec<String> {
    let table = format!("{:#?}", health_text(language));
    let lines = table.lines().filter_map(|line| line.split_once('"'));
    lines.map(|(_, rest)| rest.trim_end_matches(',').trim_end_matches('"').to_owned()).collect()
}

#[test]
fn every_text_is_there_and_translated() {
    let english = texts(Language::English);
    for language in Language::ALL {
        let texts = texts(language);
        assert_eq!(texts.len(), english.len(), "{language:?}");
        for (text, english) in texts.into_iter().zip(&english) {
            assert!(text.len() > 1 && text.trim() == text, "{language:?}: {text:?}");
            assert!(language == Language::English || text != *english, "{language:?}: {text:?}");
        }
    }
}

#[test]
fn every_phrase_has_one_gap_and_nothing_else_has() {
    for language in Language::ALL {
        let table = format!("{:#?}", health_text(language));
        let phrases: Vec<_> = table.split("Phrase(").skip(1).collect();
        assert!(phrases.iter().all(|rest| rest.lines().nth(1).is_some_and(|line| line.contains("{}"))), "{language:?}");
        assert_eq!(table.matches("{}").count(), phrases.len(), "{language:?}");
    }
}
