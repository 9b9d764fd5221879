//! A mail, and its form on the wire.

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

use crate::MailError;

/// Says that no person wrote it (RFC 3834).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// A mail to one user.
#[derive(Clone)]
pub struct Mail {
    /// The address, without a name.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

impl Mail {
    /// The message. Nothing in the mail can add a header (`docs/security-requirements.md#l5`).
    pub(crate) fn message(&self, sender: &Mailbox) -> Result<Message, MailError> {
        let to: Address = self.to.parse()?;
        let subject: String = self.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let body = MultiPart::alternative_plain_html(self.text.clone(), self.html.clone());
        let message = Message::builder().from(sender.clone()).to(to.into()).subject(subject).message_id(None);
        let mut message = message.multipart(body)?;
        message.headers_mut().insert_raw(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()));
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender() -> Mailbox {
        "Cloud <noreply@cloud.example>".parse().expect("a mailbox")
    }

    fn mail() -> Mail {
        Mail {
            to: "einstein@cloud.example".to_owned(),
            subject: "Neues Passwort für Sie".to_owned(),
            text: "Hello".to_owned(),
            html: "<p>Hello</p>".to_owned(),
        }
    }

    #[test]
    fn message_has_both_forms_and_says_that_it_is_generated() {
        let message = String::from_utf8(mail().message(&sender()).expect("a message").formatted()).expect("ASCII");
        for part in
            ["multipart/alternative", "text/plain", "text/html", "Auto-Submitted: auto-generated", "Message-ID: <"]
        {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    /// [Row L5](../../../docs/security-requirements.md#l5).
    #[test]
    fn line_breaks_add_no_header() {
        let subject = "Hello\r\nBcc: all@cloud.example\r\n\r\nbody".to_owned();
        let message = Mail { subject, ..mail() }.message(&sender()).expect("a message").formatted();
        let message = String::from_utf8(message).expect("ASCII");
        assert!(!message.contains("\nBcc:"), "{message}");
        let envelope = Mail { subject: "a\nb".to_owned(), ..mail() }.message(&sender()).expect("a message");
        assert_eq!(envelope.envelope().to().len(), 1);
        for to in [
            "einstein@cloud.example\r\nBcc: all@cloud.example",
            "einstein@cloud.example, all@cloud.example",
            "einstein@cloud.example>\nRCPT TO:<all@cloud.example",
            "",
        ] {
            assert!(Mail { to: to.to_owned(), ..mail() }.message(&sender()).is_err(), "{to:?}");
        }
    }
}
