//! The browser that shows a response.

use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use web::header::single;
use web::i18n::Language;

const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A browser that shows the response to its user.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    /// The language that it prefers.
    pub(crate) language: Language,
    request_id: Option<HeaderValue>,
}

impl Viewer {
    /// The browser that has sent this request to show a page; `None` for programs and for scripts in a page, which expect the responses
    /// that they have always got.
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        let is_method = [Method::GET, Method::HEAD, Method::POST].contains(method);
        let is_navigation = || match single(headers, &FETCH_MODE) {
            Some(mode) => mode == "navigate",
            None => !headers.contains_key(REQUESTED_WITH),
        };
        let accepts_pages = single(headers, &ACCEPT).is_some_and(names_html);
        (accepts_pages && is_method && is_navigation()).then(|| Self::reading(headers))
    }

    /// The reader of a page that has no other form.
    pub(crate) fn reading(headers: &HeaderMap) -> Self {
        Self { language: Language::choose(&[], headers), request_id: headers.get(&REQUEST_ID).cloned() }
    }

    /// The id of its request, which the runtime puts in the headers.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().and_then(|id| id.to_str().ok())
    }
}

/// Whether a list of media ranges names HTML. Programs that take anything say `*/*`.
fn names_html(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("text/html"));
        is_html && !parts.any(|parameter| ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains(&parameter))
    })
}
