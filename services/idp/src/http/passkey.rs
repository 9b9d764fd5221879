//! Passkeys as a part of a flow: what a page offers, and what an answer is worth.

use std::sync::LazyLock;

use authn::Caller;
use axum::Router;
use store::StoreError;
use web::asset::Asset;
use web::form::Parameters;

use super::interaction::resumed;
use super::issuer::Issuer;
use super::pages::{CodeField, FactorError, PasskeyPrompt};
use crate::endpoints::page;
use crate::engine::authorize::flow::{Destination, Flow};
use crate::engine::authorize::level;
use crate::engine::factors::Method;
use crate::engine::factors::passkey::{
    self, Answer, CeremonyOptions, PasskeyError, RelyingParty, UserPasskey, assertion,
};
use crate::engine::levels::Level;
use crate::engine::provider::Provider;
use crate::store::FactorKind;

/// The script, and its URL.
static SCRIPT: LazyLock<(Asset, String)> = LazyLock::new(|| {
    let content = include_str!("../../static/passkey.js");
    let asset = Asset::new(page::PASSKEY_SCRIPT.to_owned(), "text/javascript; charset=utf-8", content);
    let url = asset.url();
    (asset, url)
});

/// Serves the script.
pub(crate) fn script_router() -> Router {
    SCRIPT.0.router()
}

/// The URL of the script.
pub(crate) fn script_url() -> &'static str {
    &SCRIPT.1
}

/// What a page shows of a ceremony.
pub(crate) fn prompt(options: &CeremonyOptions) -> PasskeyPrompt<'_> {
    PasskeyPrompt { options, script: script_url() }
}

/// The relying party of an issuer, if there are passkeys.
pub(crate) fn relying_party(issuer: &Issuer) -> Option<RelyingParty> {
    RelyingParty::of(&issuer.provider, &issuer.endpoints)
}

/// The answer of a browser in a form.
pub(crate) fn answer(form: &Parameters) -> Answer<'_> {
    Answer { form: form.text("csrf"), ceremony: form.text("ceremony"), credential: form.text("credential") }
}

/// The challenge of a page that signs in by a passkey alone; `None` without passkeys.
pub(crate) fn challenge_alone(issuer: &Issuer, csrf: &str) -> Option<CeremonyOptions> {
    let begun = assertion::begin_alone(&issuer.provider, &relying_party(issuer)?, csrf);
    begun.inspect_err(|error| tracing::error!(%error, "a sign-in by a passkey cannot begin")).ok()
}

/// By what a user can prove to have the second factor.
pub(crate) struct Choices {
    pub(crate) code: CodeField,
    passkeys: Vec<UserPasskey>,
}

impl Choices {
    /// The choices of a user for a level of authentication. Without a session there has to be some second factor, whatever the
    /// level: the user is asked for a passkey when there is one.
    pub(crate) async fn of(
        provider: &Provider,
        (user, has_session): (&str, bool),
        level: Level,
    ) -> Result<Self, StoreError> {
        let mut passkeys = passkey::list(provider, user).await?;
        passkeys.retain(|passkey| passkey.is_usable(provider));
        let takes_codes = level < Level::PhishingResistant || (passkeys.is_empty() && !has_session);
        let code = if !takes_codes {
            CodeField::Nothing
        } else if provider.store.factors(user).await?.iter().any(|factor| factor.kind == FactorKind::Totp) {
            CodeField::App
        } else if provider.store.recovery_codes_left(user).await? > 0 {
            CodeField::RecoveryCode
        } else {
            CodeField::Nothing
        };
        Ok(Self { code, passkeys })
    }

    /// The challenge to the passkeys, if there are any.
    pub(crate) fn challenge(&self, issuer: &Issuer, user: &str, csrf: &str) -> Option<CeremonyOptions> {
        if self.passkeys.is_empty() {
            return None;
        }
        let relying_party = relying_party(issuer)?;
        let begun = assertion::begin_after_password(&issuer.provider, &relying_party, (user, &self.passkeys), csrf);
        begun.inspect_err(|error| tracing::error!(%error, "a passkey cannot be asked for")).ok()
    }
}

/// The level of authentication that a flow needs.
pub(crate) async fn required_level(issuer: &Issuer, flow: &Flow) -> Level {
    match &flow.destination {
        Destination::Path(_) => flow.level,
        Destination::Client(_) => match resumed(issuer, flow).await {
            Some(request) => level::required(&request, &issuer.provider.config.mfa).unwrap_or_default(),
            None => Level::default(),
        },
    }
}

/// Verifies the passkey of a user who has given the password.
///
/// # Errors
/// Why the form is shown again, or that the database is unavailable.
pub(crate) async fn verify(
    issuer: &Issuer,
    user: &str,
    form: &Parameters,
    caller: &Caller,
) -> Result<Method, Result<FactorError, StoreError>> {
    let Some(relying_party) = relying_party(issuer) else { return Err(Ok(FactorError::Passkey)) };
    let verified = assertion::verify_after_password(&issuer.provider, &relying_party, (user, answer(form)), caller);
    verified.await.map_err(|error| match error {
        PasskeyError::Expired => Ok(FactorError::Expired),
        PasskeyError::TooMany(wait) => Ok(FactorError::TooMany { retry_after: wait.as_secs().max(1) }),
        PasskeyError::Refused | PasskeyError::Cloned | PasskeyError::LimitReached | PasskeyError::Needed => {
            Ok(FactorError::Passkey)
        }
        PasskeyError::Store(error) => Err(error),
    })
}
