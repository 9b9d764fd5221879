//! The shell of pages (`templates/page.html`), which the templates of services extend, and the page with a message.

use askama::Template;

/// What the shell needs, and the texts of the service in one language.
pub struct Page<'a, W: 'static> {
    /// The title.
    pub title: &'a str,
    /// The name of the installation.
    pub site_name: &'a str,
    /// The language tag (RFC 5646).
    pub language: &'static str,
    /// The URL of the [stylesheet](crate::style).
    pub style: &'a str,
    /// The texts of the service.
    pub words: &'static W,
}

impl<W: 'static> Page<'_, W> {
    /// The initial of the installation.
    pub fn initial(&self) -> String {
        self.site_name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default()
    }
}

/// A page with a title and a text: a notice, or an error.
#[derive(Template)]
#[template(path = "message.html")]
pub struct Message<'a, W: 'static> {
    /// The shell.
    pub page: Page<'a, W>,
    /// The text.
    pub text: &'a str,
    /// Details for developers.
    pub detail: Option<Detail<'a>>,
}

/// Details of an error, for developers.
#[derive(Clone, Copy)]
pub struct Detail<'a> {
    /// The heading.
    pub title: &'a str,
    /// The error code.
    pub error: &'a str,
    /// The description, in English.
    pub description: &'a str,
}
