use axum::http::HeaderValue;

use super::*;

fn liked(accepted: &str, ui_locales: &[&str]) -> Language {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(accepted).unwrap());
    let ui_locales: Vec<String> = ui_locales.iter().map(|&tag| tag.to_owned()).collect();
    Language::choose(&ui_locales, &headers)
}

/// The texts of a language, as they stand between quotation marks in its table.
fn texts(language: Language) -> Vec<String> {
    let table = format!("{:#?}", language.words());
    table.lines().filter_map(|line| line.split_once('"')).map(|(_, rest)| rest.to_owned()).collect()
}

#[test]
fn every_text_is_there_in_every_language() {
    for language in Language::ALL {
        let texts = texts(language);
        assert!(texts.len() > 80, "{language:?}");
        for text in texts {
            let text = text.trim_end_matches(['"', ',']);
            assert!(text.len() > 1 && text.trim() == text, "{language:?}: {text:?}");
        }
    }
}

#[test]
fn every_phrase_has_one_gap_and_nothing_else_has() {
    for language in Language::ALL {
        let table = format!("{:#?}", language.words());
        let phrases = table.matches("Phrase(").count();
        assert!(phrases > 10);
        assert_eq!(table.matches("{}").count(), phrases, "{language:?}");
        let gaps =
            table.split("Phrase(").skip(1).all(|rest| rest.lines().nth(1).is_some_and(|line| line.contains("{}")));
        assert!(gaps, "{language:?}");
    }
}

#[test]
fn every_text_is_translated() {
    let english = texts(Language::English);
    for language in [Language::German, Language::French] {
        let same: Vec<_> =
            texts(language).into_iter().zip(&english).filter(|(text, english)| text == *english).collect();
        // "Code" is one word in all three
        assert_eq!(same.len(), 1, "{language:?}: {same:?}");
    }
}

#[test]
fn the_client_is_heard_before_the_browser() {
    assert_eq!(liked("fr", &["de-AT", "fr"]), Language::German);
    assert_eq!(liked("fr", &["tlh", "DE"]), Language::German);
    assert_eq!(liked("fr", &["tlh"]), Language::French);
}

#[test]
fn the_browser_gets_what_it_likes_best() {
    assert_eq!(liked("de-CH,de;q=0.9,en;q=0.8", &[]), Language::German);
    assert_eq!(liked("en;q=0.3, fr;q=0.75, de;q=0.7", &[]), Language::French);
    assert_eq!(liked("nl, fr;q=0.5", &[]), Language::French);
    assert_eq!(liked("de;q=0, fr;q=0.001", &[]), Language::French);
    assert_eq!(liked("nl, *", &[]), Language::English);
    assert_eq!(liked(";q=1,,de;q=x", &[]), Language::English);
    assert_eq!(Language::choose(&[], &HeaderMap::new()), Language::English);
}
