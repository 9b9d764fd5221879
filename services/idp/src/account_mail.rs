//! Mail to users about their accounts.

mod backlog;
mod letter;
mod text;

use std::sync::Arc;

use authn::{Attribute, Directory, User};
use axum::http::HeaderMap;
use mail::{MailError, Mailer};
use tokio_util::sync::CancellationToken;
use web::i18n::Language;

use crate::password_service::PasswordService;

use backlog::Backlog;
pub(crate) use letter::{Letter, Sender};

/// What sends mail, and sets passwords by links in mail. Clones share it.
#[derive(Clone)]
pub struct AccountMail {
    mailer: Option<Mailer>,
    /// The service with the passwords.
    pub passwords: PasswordService,
    backlogs: Arc<Backlogs>,
}

/// Work that ends in a mail: what anybody may ask for does not use up the places of what a sign-in brings.
#[derive(Default)]
struct Backlogs {
    requests: Backlog,
    notices: Backlog,
}

impl AccountMail {
    /// Sends by this mailer; nothing without one.
    pub fn new(mailer: Option<Mailer>, passwords: PasswordService) -> Self {
        Self { mailer, passwords, backlogs: Arc::default() }
    }

    /// Whether mail is sent.
    pub fn is_on(&self) -> bool {
        self.mailer.is_some()
    }

    /// Whether users may set passwords by links in mail.
    pub fn can_reset_passwords(&self) -> bool {
        self.is_on() && self.passwords.is_writable()
    }

    /// Works on a request for a mail without the browser's waiting for it, so that the time of the answer says nothing of the
    /// user (`docs/security-requirements.md#l3`).
    pub(crate) fn request(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.backlogs.requests.add(work);
    }

    /// Works on a notice to a user without the browser's waiting for it.
    pub(crate) fn notify(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.backlogs.notices.add(work);
    }

    /// Waits for the shutdown, and then a few seconds for mails that are being made or sent.
    pub(crate) async fn drain(self, shutdown: CancellationToken) {
        shutdown.cancelled().await;
        let Backlogs { requests, notices } = &*self.backlogs;
        tokio::join!(requests.drain(), notices.drain());
        if let Some(mailer) = self.mailer {
            mailer.drain().await;
        }
    }

    /// Sends a letter to a user. A user without an address gets none.
    ///
    /// # Errors
    /// If the address is invalid, or too many mails wait.
    pub(crate) fn send(
        &self,
        sender: &Sender<'_>,
        (user, language): (&User, Language),
        letter: &Letter<'_>,
    ) -> Result<(), MailError> {
        let Some(mailer) = self.mailer.as_ref().filter(|_| !user.mail.is_empty()) else { return Ok(()) };
        mailer.send(letter::compose(sender, user, language, letter))
    }
}

/// The language of a user's mail: that of the profile, or the given one.
pub(crate) async fn language_of(directory: &dyn Directory, user: &User, fallback: Language) -> Language {
    let profile = match directory.profile(&user.id).await {
        Ok(profile) => profile,
        Err(error) => {
            tracing::warn!(%error, "a mail is written without the language of the user's profile");
            return fallback;
        }
    };
    let locale = profile.get(Attribute::Locale).unwrap_or_default().to_owned();
    Language::choose(&[locale, fallback.tag().to_owned()], &HeaderMap::new())
}
