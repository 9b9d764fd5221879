use super::*;

/// The texts of a language, as they stand between quotation marks in its table.
fn texts(language: Language) -> Vec<String> {
    let table = format!("{:#?}", access_words(language));
    let lines = table.lines().filter_map(|line| line.split_once('"'));
    lines.map(|(_, rest)| rest.trim_end_matches(',').trim_end_matches('"').to_owned()).collect()
}

#[test]
fn every_text_is_there_in_every_language() {
    let count = texts(Language::English).len();
    for language in Language::ALL {
        let texts = texts(language);
        assert_eq!(texts.len(), count, "{language:?}");
        for text in texts {
            assert!(text.len() > 1 && text.trim() == text && !text.contains("{}"), "{language:?}: {text:?}");
        }
    }
}

#[test]
fn every_text_is_translated() {
    let english = texts(Language::English);
    for language in [Language::German, Language::French] {
        for (text, english) in texts(language).into_iter().zip(&english) {
            assert!(text != *english, "{language:?}: {text:?}");
        }
    }
}
