//! How a page becomes a response.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::http::StatusCode;
use axum::response::Response;
use web::policy::Policy;
use web::response::{self, PageHeaders};

use super::i18n::{Phrase, Words};
use super::{PageContext, style};

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
    let (language, is_https) = (context.language.tag(), context.endpoints.is_https());
    response::page(status, page, &PageHeaders { language, is_https, policy })
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
