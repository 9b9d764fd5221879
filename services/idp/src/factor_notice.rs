//! The mail to a user who has passkeys for another host, and has enrolled an authenticator app with the password alone: if it was someone
//! else, the user learns of it (`docs/security-requirements.md#f5`).

use std::sync::Arc;

use authn::User;
use web::i18n::Language;

use crate::account_links::sender;
use crate::account_mail::{Letter, language_of};
use crate::engine::provider::Provider;

/// Sends the mail, in the language of the profile, or else in this one.
pub(crate) async fn send(provider: Provider, user: Arc<User>, language: Language) {
    let language = language_of(&*provider.directory, &user, language).await;
    if let Err(error) = provider.mail.send(&sender(&provider), (&user, language), &Letter::FactorEnrolled) {
        tracing::warn!(%error, person = user.id.opaque_id, "a user is not notified of a new second factor");
    }
}
