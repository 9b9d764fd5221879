//! Parameters that wish rather than demand.

use std::time::Duration;

use super::refusal::Defect;

/// What kind of page the client would like (`display`, OpenID Connect Core 3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Display {
    /// A whole page; what is meant where nothing is said.
    Page,
    /// A small window.
    Popup,
    /// A page for fingers.
    Touch,
    /// A page for a telephone with keys.
    Wap,
}

impl Display {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Page, Self::Popup, Self::Touch, Self::Wap];

    /// The word in the parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Popup => "popup",
            Self::Touch => "touch",
            Self::Wap => "wap",
        }
    }

    /// The wish that a word says; none if it is not known, since no page depends on it.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|display| display.as_str() == text)
    }
}

/// The language tags in a list (`ui_locales`, `claims_locales`), in its order. What does not have the form of one (RFC
/// 5646 2.1) is left out: a locale that is not supported is no error (OpenID Connect Core 3.1.2.1 and 5.2).
pub(super) fn locales(text: &str) -> Vec<String> {
    text.split(' ').filter(|tag| is_language_tag(tag)).map(str::to_owned).collect()
}

fn is_language_tag(text: &str) -> bool {
    let subtag = |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric());
    text.split('-').all(subtag) && text.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// The words of a list with spaces between them, in its order.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Reads `max_age`: seconds, a number from 0. More than fits into 32 bits, 136 years, means no less.
pub(super) fn max_age(text: &str) -> Result<Duration, Defect> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Defect::invalid("max_age is a number of seconds, 0 or more"));
    }
    // only digits, and at least one: all that can fail is that they are too many
    Ok(Duration::from_secs(text.parse().unwrap_or(u32::MAX).into()))
}
