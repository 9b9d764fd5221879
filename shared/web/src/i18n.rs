//! The languages of pages, the choice of one, and sentences. What the pages say is each service's own.

use askama::Template;
use askama::filters::HtmlSafe;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// The language for all other users too.
    English,
    /// With "Sie".
    German,
    /// With "vous".
    French,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 3] = [Self::English, Self::German, Self::French];

    /// The language tag (RFC 5646).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
        }
    }

    /// The first language that the client requests (`ui_locales`), else the one that the browser prefers.
    pub fn choose(ui_locales: &[String], headers: &HeaderMap) -> Self {
        let requested = ui_locales.iter().find_map(|tag| Self::of_tag(tag));
        requested.or_else(|| Self::accepted(headers)).unwrap_or(Self::English)
    }

    /// The best of `Accept-Language` (RFC 9110 12.5.4); the first of several with the same weight.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let ranges = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let mut best: Option<(u16, Self)> = None;
        for range in ranges.flat_map(|list| list.split(',')) {
            let (tag, quality) = range.split_once(';').map_or((range, 1000), |(tag, rest)| (tag, thousandths(rest)));
            let Some(language) = Self::of_tag(tag.trim()) else { continue };
            if quality > best.map_or(0, |(quality, _)| quality) {
                best = Some((quality, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// The language of a tag, whatever its script or region.
    fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }
}

/// The weight in `q=0.8`, in thousandths; nothing if it is malformed.
fn thousandths(parameter: &str) -> u16 {
    let weight = parameter.trim().strip_prefix("q=").unwrap_or_default();
    match weight.split_once('.').unwrap_or((weight, "")) {
        ("1", _) => 1000,
        ("0", digits) if digits.len() <= 3 => format!("{digits:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

/// A sentence with a gap, written `{}`, for a text that differs from page to page.
#[derive(Debug, Clone, Copy)]
pub struct Phrase(pub &'static str);

impl Phrase {
    pub(crate) fn before(self) -> &'static str {
        self.0.split_once("{}").map_or(self.0, |(before, _)| before)
    }

    pub(crate) fn after(self) -> &'static str {
        self.0.split_once("{}").map_or("", |(_, after)| after)
    }

    /// The sentence as plain text.
    pub fn with(self, what: &str) -> String {
        format!("{}{what}{}", self.before(), self.after())
    }

    /// The sentence as HTML, in which the text in the gap is emphasised.
    pub fn about(self, what: &str) -> impl Template + HtmlSafe {
        Emphasis { before: self.before(), what, after: self.after() }
    }
}

#[derive(Template)]
#[template(ext = "html", source = "{{ before }}<strong><bdi>{{ what }}</bdi></strong>{{ after }}")]
struct Emphasis<'a> {
    before: &'static str,
    what: &'a str,
    after: &'static str,
}

impl HtmlSafe for Emphasis<'_> {}

/// A time in seconds, in units that are the same in all languages.
pub fn waiting(seconds: u64) -> String {
    match seconds {
        0..=90 => format!("{} s", seconds.max(1)),
        91..=5400 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn preferred(accepted: &str, ui_locales: &[&str]) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(accepted).unwrap());
        let ui_locales: Vec<String> = ui_locales.iter().map(|&tag| tag.to_owned()).collect();
        Language::choose(&ui_locales, &headers)
    }

    #[test]
    fn language_of_the_client_comes_before_the_browsers() {
        assert_eq!(preferred("fr", &["de-AT", "fr"]), Language::German);
        assert_eq!(preferred("fr", &["tlh", "DE"]), Language::German);
        assert_eq!(preferred("fr", &["tlh"]), Language::French);
    }

    #[test]
    fn browser_gets_the_language_that_it_prefers() {
        assert_eq!(preferred("de-CH,de;q=0.9,en;q=0.8", &[]), Language::German);
        assert_eq!(preferred("en;q=0.3, fr;q=0.75, de;q=0.7", &[]), Language::French);
        assert_eq!(preferred("nl, fr;q=0.5", &[]), Language::French);
        assert_eq!(preferred("de;q=0, fr;q=0.001", &[]), Language::French);
        assert_eq!(preferred("nl, *", &[]), Language::English);
        assert_eq!(preferred(";q=1,,de;q=x", &[]), Language::English);
        assert_eq!(Language::choose(&[], &HeaderMap::new()), Language::English);
    }

    #[test]
    fn wait_is_never_shown_shorter_than_it_is() {
        assert_eq!([0, 1, 90].map(waiting), ["1 s", "1 s", "90 s"]);
        assert_eq!([91, 120, 5400].map(waiting), ["2 min", "2 min", "90 min"]);
        assert_eq!([5401, 7200].map(waiting), ["2 h", "2 h"]);
    }
}
