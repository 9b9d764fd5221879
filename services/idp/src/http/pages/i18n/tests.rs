use super::*;

/// The texts of a language, as they stand between quotation marks in its table.
fn texts(language: Language) -> Vec<String> {
    let table = format!("{:#?}", words(language));
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
        let table = format!("{:#?}", words(language));
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
fn french_names_no_gender_of_the_user() {
    let table = format!("{:?}", words(Language::French));
    for gendered in
        ["êtes connecté", "êtes déconnecté", "serez d", "Connecté en", "Rester connecté", "être redirigé", "·e"]
    {
        assert!(!table.contains(gendered), "{gendered}");
    }
}
