//! The shell of pages (`templates/page.html`), which the templates of services extend, and the page with a message.

mod installation;
mod settings;
mod texts;

#[cfg(test)]
mod tests;

use askama::Template;

pub use installation::{Assets, Installation};
pub use settings::{PageSettings, is_link};

use texts::Texts;

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
    /// The parts of the shell that a page can do without.
    pub shell: Shell<'a>,
}

/// The optional parts of the shell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shell<'a> {
    /// The installation, of which the shell shows icon, logo and links.
    pub installation: Option<&'a Installation>,
    /// Whether the page loads the [script](Assets::script). Its policy must permit it
    /// ([`Policy::own_script`](crate::policy::Policy::own_script)).
    pub has_script: bool,
    /// The id of the request, by which operators find its lines in the logs. A [`Message`] shows it.
    pub request_id: Option<&'a str>,
    /// A link below the text of a [`Message`].
    pub onward: Option<Link<'a>>,
}

/// A link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link<'a> {
    /// The address.
    pub href: &'a str,
    /// The text.
    pub text: &'a str,
}

impl<'a, W: 'static> Page<'a, W> {
    /// The initial of the installation.
    pub fn initial(&self) -> String {
        initial(self.site_name)
    }

    /// The URL of the icon.
    pub fn icon(&self) -> Option<&'a str> {
        self.shell.installation.map(Installation::icon_url)
    }

    /// The URL of the logo.
    pub fn logo(&self) -> Option<&'a str> {
        self.shell.installation.and_then(|installation| installation.settings().logo())
    }

    /// The URL of the script.
    pub fn script(&self) -> Option<&'a str> {
        self.shell.installation.filter(|_| self.shell.has_script).map(Installation::script_url)
    }

    /// The links of the installation.
    pub fn links(&self) -> Vec<Link<'a>> {
        let Some(settings) = self.shell.installation.map(Installation::settings) else { return Vec::new() };
        let texts = Texts::of(self.language);
        let all = [
            (&settings.imprint_url, texts.imprint),
            (&settings.privacy_url, texts.privacy),
            (&settings.help_url, texts.help),
        ];
        all.into_iter().filter(|(href, _)| !href.is_empty()).map(|(href, text)| Link { href, text }).collect()
    }

    /// What is said of a link that opens a new window, to users of screen readers.
    pub fn new_window(&self) -> &'static str {
        Texts::of(self.language).new_window
    }

    /// What stands before the id of a request.
    pub fn request_id_label(&self) -> &'static str {
        Texts::of(self.language).request_id
    }
}

/// The first letter of a name, as a capital.
fn initial(name: &str) -> String {
    name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default()
}

/// The first letters of the first and the last word of a name, as capitals: a picture of users who have none.
pub fn initials(name: &str) -> String {
    let mut words = name.split_whitespace();
    let (first, last) = (words.next().unwrap_or_default(), words.next_back().unwrap_or_default());
    initial(first) + &initial(last)
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
