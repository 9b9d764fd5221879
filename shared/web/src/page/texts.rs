//! The texts of the shell. What pages say is each service's own.

use crate::i18n::Language;

/// The texts of the shell in one language.
#[derive(Debug)]
pub(super) struct Texts {
    /// The link to the imprint.
    pub(super) imprint: &'static str,
    /// The link to the privacy policy of the installation.
    pub(super) privacy: &'static str,
    /// The link to help.
    pub(super) help: &'static str,
    /// Before the id of a request.
    pub(super) request_id: &'static str,
    /// What is said of a link that opens a new window, to users of screen readers.
    pub(super) new_window: &'static str,
}

const ENGLISH: Texts = Texts {
    imprint: "Imprint",
    privacy: "Privacy",
    help: "Help",
    request_id: "Request ID:",
    new_window: "(opens in a new window)",
};

const GERMAN: Texts = Texts {
    imprint: "Impressum",
    privacy: "Datenschutz",
    help: "Hilfe",
    request_id: "Kennung der Anfrage:",
    new_window: "(öffnet ein neues Fenster)",
};

const FRENCH: Texts = Texts {
    imprint: "Mentions légales",
    privacy: "Confidentialité",
    help: "Aide",
    request_id: "Identifiant de la requête\u{a0}:",
    new_window: "(s’ouvre dans une nouvelle fenêtre)",
};

impl Texts {
    /// The texts in the language with this tag; those in English for any other tag.
    pub(super) fn of(tag: &str) -> &'static Self {
        match Language::ALL.into_iter().find(|language| language.tag() == tag) {
            Some(Language::German) => &GERMAN,
            Some(Language::French) => &FRENCH,
            Some(Language::English) | None => &ENGLISH,
        }
    }
}
