//! What the form for the second factor proves: a code, or the answer of a passkey.

use authn::Caller;
use store::StoreError;
use web::form::Parameters;

use crate::engine::factors::{self, CodeError, Method};
use crate::http::issuer::Issuer;
use crate::http::pages::FactorError;
use crate::http::passkey;

/// Why the second factor is not proved.
pub(super) enum Refusal {
    /// The form is shown again.
    Again(FactorError),
    /// The user has no second factor any more.
    NotEnrolled,
    /// The database is unavailable.
    Fault(StoreError),
}

/// Verifies what a user has sent.
///
/// # Errors
/// [`Refusal`].
pub(super) async fn verify(issuer: &Issuer, user: &str, form: &Parameters, caller: &Caller) -> Result<Method, Refusal> {
    if !form.text("credential").is_empty() {
        let verified = passkey::verify(issuer, user, form, caller).await;
        return verified.map_err(|refusal| refusal.map_or_else(Refusal::Fault, Refusal::Again));
    }
    let verified = factors::verify(&issuer.provider, user, form.text("code"), caller).await;
    verified.map_err(|error| match error {
        CodeError::Wrong => Refusal::Again(FactorError::Wrong),
        CodeError::TooMany(wait) => Refusal::Again(FactorError::TooMany { retry_after: wait.as_secs().max(1) }),
        CodeError::NotEnrolled => Refusal::NotEnrolled,
        CodeError::Store(error) => Refusal::Fault(error),
    })
}
