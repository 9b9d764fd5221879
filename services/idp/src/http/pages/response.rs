//! How a page becomes a response.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::i18n::{Phrase, Words};
use super::policy::Policy;
use super::{PageContext, style};

/// Two years, as browsers ask of those who mean it.
const HSTS: &str = "max-age=63072000";

/// What every template needs.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    pub(super) site_name: &'a str,
    pub(super) language: &'static str,
    pub(super) style: &'static str,
    pub(super) words: &'static Words,
}

impl<'a> Page<'a> {
    pub(super) fn new(context: &PageContext<'a>, title: &'a str) -> Self {
        let PageContext { site_name, language, .. } = *context;
        Self { title, site_name, language: language.tag(), style: style::address(), words: language.words() }
    }

    /// The initial of the installation.
    pub(super) fn initial(&self) -> String {
        self.site_name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default()
    }
}

/// A sentence in which a name stands out.
#[derive(Template)]
#[template(ext = "html", source = "{{ before }}<strong><bdi>{{ what }}</bdi></strong>{{ after }}")]
struct Said<'a> {
    before: &'static str,
    what: &'a str,
    after: &'static str,
}

impl HtmlSafe for Said<'_> {}

impl Phrase {
    /// The sentence as HTML.
    pub(super) fn about(self, what: &str) -> impl Template + HtmlSafe {
        Said { before: self.before(), what, after: self.after() }
    }
}

/// Renders a page.
pub(super) fn answer(
    context: &PageContext<'_>,
    status: StatusCode,
    policy: &Policy<'_>,
    page: &impl Template,
) -> Response {
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_LANGUAGE, context.language.tag()),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !policy.framed {
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    if context.endpoints.is_https() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    // no source expression holds what a header may not; if one did, nothing would be allowed
    let strictest = || HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy.text()).unwrap_or_else(|_| strictest()));
    response
}

/// The same response, with the time to wait.
pub(super) fn retried_after(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Seconds as people read them, in signs that all languages share.
pub(super) fn waiting(seconds: u64) -> String {
    match seconds {
        0..=90 => format!("{} s", seconds.max(1)),
        91..=5400 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_never_told_shorter_than_it_is() {
        assert_eq!([0, 1, 90].map(waiting), ["1 s", "1 s", "90 s"]);
        assert_eq!([91, 120, 5400].map(waiting), ["2 min", "2 min", "90 min"]);
        assert_eq!([5401, 7200].map(waiting), ["2 h", "2 h"]);
    }
}
