use super::*;

/// The texts of a language, as they stand between quotation marks in its table.
fn texts(language: Language) -> Vec<String> {
    let table = format!("{:#?}", service_account_text(language));
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
