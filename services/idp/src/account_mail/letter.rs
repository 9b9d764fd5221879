//! A mail as text and as HTML.

use askama::Template;
use authn::User;
use mail::Mail;
use web::date::LocalizedTime;
use web::i18n::Language;

use super::text::{LetterText, text};

/// What a mail is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Letter<'a> {
    /// The link by which a user who has lost the password sets another one.
    PasswordReset {
        /// The link.
        link: &'a str,
    },
    /// The link by which a new user sets the first password.
    Invitation {
        /// The link.
        link: &'a str,
        /// When it ends.
        expires: LocalizedTime,
    },
    /// The password was set by a link.
    PasswordChanged,
    /// The link by which a user verifies another mail address. It is sent to that address.
    MailChange {
        /// The link.
        link: &'a str,
        /// The new address.
        address: &'a str,
    },
    /// The mail address was changed by a link. It is sent to the address until then.
    MailChanged {
        /// The new address.
        address: &'a str,
    },
    /// Somebody has signed in with a browser that the user has not used before.
    NewSignIn {
        /// When.
        time: LocalizedTime,
        /// What the browser calls itself.
        user_agent: &'a str,
        /// From which address.
        address: &'a str,
        /// The page with the user's sessions, if there is one.
        link: Option<&'a str>,
    },
}

/// The installation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its address.
    pub(crate) url: &'a str,
}

/// A link of a mail.
struct Button<'a> {
    href: &'a str,
    text: &'static str,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct TextForm<'a>(&'a Content<'a>);

#[derive(Template)]
#[template(path = "mail.html")]
struct HtmlForm<'a>(&'a Content<'a>);

/// What both forms say.
struct Content<'a> {
    language: Language,
    subject: String,
    greeting: String,
    paragraphs: Vec<String>,
    button: Option<Button<'a>>,
    /// Below the link.
    closing: Vec<String>,
    site: &'a Sender<'a>,
}

/// The mail to a user.
pub(super) fn compose(sender: &Sender<'_>, user: &User, language: Language, letter: &Letter<'_>) -> Mail {
    let text = text(language);
    let content = content(text, sender, user, language, letter);
    Mail {
        to: user.mail.clone(),
        // the templates have no step that can fail
        text: TextForm(&content).render().unwrap_or_default(),
        html: HtmlForm(&content).render().unwrap_or_default(),
        subject: content.subject,
    }
}

fn content<'a>(
    text: &'static LetterText,
    site: &'a Sender<'a>,
    user: &User,
    language: Language,
    letter: &Letter<'a>,
) -> Content<'a> {
    // users choose the name to show, and send this letter to any address: it must not be a text of theirs
    let is_for_any_address = matches!(letter, Letter::MailChange { .. });
    let name = if user.display_name.is_empty() || is_for_any_address { &user.username } else { &user.display_name };
    let (subject, paragraphs, button, closing) = match letter {
        Letter::PasswordReset { link } => (
            text.reset_subject.with(site.name),
            vec![text.reset.with(&user.username)],
            Some(Button { href: link, text: text.reset_button }),
            vec![text.reset_lifetime.to_owned(), text.reset_ignore.to_owned()],
        ),
        Letter::Invitation { link, expires } => (
            text.invitation_subject.with(site.name),
            vec![text.invitation.with(&user.username)],
            Some(Button { href: link, text: text.invitation_button }),
            vec![text.invitation_lifetime.with(expires.text())],
        ),
        Letter::PasswordChanged => (
            text.changed_subject.with(site.name),
            vec![text.changed.with(&user.username), text.changed_warning.to_owned()],
            None,
            Vec::new(),
        ),
        Letter::MailChange { link, address } => (
            text.mail_subject.with(site.name),
            vec![text.mail.with(&user.username), text.mail_address.with(address)],
            Some(Button { href: link, text: text.mail_button }),
            vec![text.reset_lifetime.to_owned(), text.mail_ignore.to_owned()],
        ),
        Letter::MailChanged { address } => (
            text.mail_changed_subject.with(site.name),
            vec![
                text.mail_changed.with(&user.username),
                text.mail_address.with(address),
                text.mail_changed_warning.to_owned(),
            ],
            None,
            Vec::new(),
        ),
        Letter::NewSignIn { time, user_agent, address, link } => (
            text.sign_in_subject.with(site.name),
            vec![
                text.sign_in.with(&user.username),
                text.sign_in_time.with(time.text()),
                text.sign_in_device.with(user_agent),
                text.sign_in_address.with(address),
                text.sign_in_warning.to_owned(),
            ],
            link.map(|href| Button { href, text: text.sign_in_button }),
            Vec::new(),
        ),
    };
    Content { language, subject, greeting: text.greeting.with(name), paragraphs, button, closing, site }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const SENDER: Sender<'_> = Sender { name: "Example Cloud", url: "https://cloud.example" };
    const LINK: &str = "https://cloud.example/signin/v1/link?link=secret";

    fn user(display_name: &str) -> User {
        User {
            username: "einstein".to_owned(),
            display_name: display_name.to_owned(),
            mail: "einstein@cloud.example".to_owned(),
            ..User::default()
        }
    }

    #[test]
    fn every_letter_has_both_forms_in_every_language() {
        for language in Language::ALL {
            let time = LocalizedTime::minute(UNIX_EPOCH, language);
            for letter in [
                Letter::PasswordReset { link: LINK },
                Letter::Invitation { link: LINK, expires: LocalizedTime::minute(UNIX_EPOCH, language) },
                Letter::PasswordChanged,
                Letter::MailChange { link: LINK, address: "albert@cloud.example" },
                Letter::MailChanged { address: "albert@cloud.example" },
                Letter::NewSignIn { time: time.clone(), user_agent: "Browser", address: "192.0.2.1", link: Some(LINK) },
                Letter::NewSignIn { time, user_agent: "Browser", address: "192.0.2.1", link: None },
            ] {
                let mail = compose(&SENDER, &user("Albert Einstein"), language, &letter);
                assert!(mail.subject.contains("Example Cloud"), "{}", mail.subject);
                let has_no_link = matches!(
                    letter,
                    Letter::PasswordChanged | Letter::MailChanged { .. } | Letter::NewSignIn { link: None, .. }
                );
                let is_for_any_address = matches!(letter, Letter::MailChange { .. });
                for form in [&mail.text, &mail.html] {
                    assert!(form.contains("https://cloud.example") && !form.contains("{}"), "{form}");
                    assert_eq!(form.contains("Albert Einstein"), !is_for_any_address, "{form}");
                    assert_eq!(form.contains(LINK), !has_no_link, "{form}");
                }
            }
        }
    }

    /// [Row L12](../../../../docs/security-requirements.md#l12).
    #[test]
    fn letter_to_an_unverified_address_has_no_text_that_users_choose() {
        let letter = Letter::MailChange { link: LINK, address: "albert@cloud.example" };
        let mail = compose(&SENDER, &user("Win a prize at https://evil.example"), Language::English, &letter);
        for form in [&mail.text, &mail.html, &mail.subject] {
            assert!(!form.contains("evil.example"), "{form}");
        }
        assert!(mail.text.contains("einstein") && mail.text.contains("albert@cloud.example"), "{}", mail.text);
    }

    /// [Row L5](../../../../docs/security-requirements.md#l5).
    #[test]
    fn names_of_users_and_browsers_add_no_markup() {
        let time = LocalizedTime::minute(UNIX_EPOCH, Language::English);
        let letter = Letter::NewSignIn { time, user_agent: "<img src=x>", address: "192.0.2.1", link: Some(LINK) };
        let mail = compose(&SENDER, &user("<b>Einstein</b>"), Language::English, &letter);
        assert!(!mail.html.contains("<b>") && !mail.html.contains("<img"), "{}", mail.html);
        assert!(mail.text.contains("<b>Einstein</b>"), "the text is not escaped: {}", mail.text);
    }
}
