//! Signing in with a passkey: alone, or after the password.

use authn::Caller;
use authn::audit::Event;
use serde_json::{Value, json};
use tracing::field::display;
use webauthn_rs::prelude::{DiscoverableAuthentication, PublicKeyCredential};

use super::{
    Answer, CeremonyOptions, PasskeyError, RelyingParty, UserPasskey, list, name_of, open_ceremony, read,
    seal_ceremony, unwritable,
};
use crate::engine::factors::{CONCURRENT_WAIT, Method, record, wait_after};
use crate::engine::provider::Provider;

/// What a ceremony is for in which any user may sign in.
const ALONE: &str = "sign in";

fn purpose(user: &str) -> String {
    format!("second factor {user}")
}

/// Begins a sign-in by a passkey alone. The options are the same for every user (`docs/security-requirements.md#f22`).
///
/// # Errors
/// When the options cannot be made.
pub(crate) fn begin_alone(
    provider: &Provider,
    relying_party: &RelyingParty,
    form: &str,
) -> Result<CeremonyOptions, PasskeyError> {
    begin(provider, relying_party, (ALONE, &[]), form)
}

/// Begins to prove that a user has one of these passkeys.
///
/// # Errors
/// When the options cannot be made.
pub(crate) fn begin_after_password(
    provider: &Provider,
    relying_party: &RelyingParty,
    (user, known): (&str, &[UserPasskey]),
    form: &str,
) -> Result<CeremonyOptions, PasskeyError> {
    begin(provider, relying_party, (&purpose(user), known), form)
}

fn begin(
    provider: &Provider,
    relying_party: &RelyingParty,
    (purpose, known): (&str, &[UserPasskey]),
    form: &str,
) -> Result<CeremonyOptions, PasskeyError> {
    // The other kind of state would hold copies of the credentials, and verify counters as they were when the page was shown.
    let (challenge, state) = relying_party.webauthn.start_discoverable_authentication()?;
    let mut options = serde_json::to_value(challenge.public_key).map_err(|_| unwritable())?;
    let allowed = known.iter().map(|passkey| json!({ "type": "public-key", "id": passkey.factor.name })).collect();
    options["allowCredentials"] = Value::Array(allowed);
    let ceremony = seal_ceremony(provider, purpose, form, &state);
    Ok(CeremonyOptions { options: options.to_string(), ceremony })
}

/// The user who has signed in with a passkey alone, and how.
///
/// # Errors
/// [`PasskeyError`].
pub(crate) async fn verify_alone(
    provider: &Provider,
    relying_party: &RelyingParty,
    answer: Answer<'_>,
    caller: &Caller,
) -> Result<(String, Method), PasskeyError> {
    let state = open_ceremony(provider, ALONE, answer).await?;
    let response: PublicKeyCredential = read(answer.credential)?;
    let Some(passkey) = find(provider, relying_party, &response).await? else {
        let source = caller.source.map(display);
        let event = Event::new("second_factor", "failure");
        Event { kind: &"passkey", reason: &"unknown", source: &source, ..event }.log();
        return Err(PasskeyError::Refused);
    };
    let user = passkey.factor.person.clone();
    let method = verify(provider, relying_party, (passkey, &response, state), caller).await?;
    Ok((user, method))
}

/// The passkey of an answer. Anyone may register a credential with an identifier that another user's has; the handle, which the
/// authenticator stores, tells them apart.
async fn find(
    provider: &Provider,
    relying_party: &RelyingParty,
    response: &PublicKeyCredential,
) -> Result<Option<UserPasskey>, PasskeyError> {
    let (handle, id) = relying_party.webauthn.identify_discoverable_authentication(response)?;
    for factor in provider.store.passkeys_of_credential(&name_of(id)).await? {
        let passkey = UserPasskey::open(provider, factor)?;
        if passkey.handle == handle {
            return Ok(Some(passkey));
        }
    }
    Ok(None)
}

/// Verifies that a user who has given the password has a passkey.
///
/// # Errors
/// [`PasskeyError`].
pub(crate) async fn verify_after_password(
    provider: &Provider,
    relying_party: &RelyingParty,
    (user, answer): (&str, Answer<'_>),
    caller: &Caller,
) -> Result<Method, PasskeyError> {
    let state = open_ceremony(provider, &purpose(user), answer).await?;
    let response: PublicKeyCredential = read(answer.credential)?;
    let name = name_of(response.get_credential_id());
    let passkey = list(provider, user).await?.into_iter().find(|passkey| passkey.factor.name == name);
    let passkey = passkey.ok_or(PasskeyError::Refused)?;
    verify(provider, relying_party, (passkey, &response, state), caller).await
}

type Assertion<'a> = (UserPasskey, &'a PublicKeyCredential, DiscoverableAuthentication);

async fn verify(
    provider: &Provider,
    relying_party: &RelyingParty,
    assertion: Assertion<'_>,
    caller: &Caller,
) -> Result<Method, PasskeyError> {
    let user = assertion.0.factor.person.clone();
    let outcome = check(provider, relying_party, assertion).await;
    let reason = match &outcome {
        Ok(_) => {
            let event = Event::new("second_factor", "success");
            record(provider, &user, caller, &Event { kind: &"passkey", ..event });
            return outcome;
        }
        Err(PasskeyError::Cloned) => "counter_went_back",
        Err(PasskeyError::TooMany(_)) => {
            // guesses must not fill the table
            let source = caller.source.map(display);
            let event = Event::new("second_factor", "failure");
            Event { kind: &"passkey", reason: &"too_many", subject: &user, source: &source, ..event }.log();
            return outcome;
        }
        Err(PasskeyError::Store(_)) => return outcome,
        Err(_) => "wrong",
    };
    let event = Event { kind: &"passkey", reason: &reason, ..Event::new("second_factor", "failure") };
    record(provider, &user, caller, &event);
    outcome
}

async fn check(
    provider: &Provider,
    RelyingParty { webauthn, id: relying_party }: &RelyingParty,
    (mut passkey, response, state): Assertion<'_>,
) -> Result<Method, PasskeyError> {
    let (factor, now) = (&passkey.factor, provider.clock.now());
    if let Ok(wait) = factor.blocked_until.duration_since(now)
        && !wait.is_zero()
    {
        return Err(PasskeyError::TooMany(wait));
    }
    // counted before it is checked, as codes are
    let blocked_until = now + wait_after(factor.failures.saturating_add(1));
    if !provider.store.count_guess(factor.id, factor.failures, blocked_until).await? {
        return Err(PasskeyError::TooMany(CONCURRENT_WAIT));
    }
    let result = webauthn.finish_discoverable_authentication_v2(response, state, &passkey.key)?;
    passkey.key.update_credential(&result);
    passkey.relying_party = Some(relying_party.clone());
    let sealed = passkey.seal(provider)?;
    let (id, former) = (passkey.factor.id, &passkey.factor.sealed);
    // not if another answer was accepted meanwhile, whose counter this one may not exceed
    if provider.store.accept_passkey(id, former, &sealed, now).await? {
        Ok(Method::Passkey { is_synced: result.backup_eligible() })
    } else {
        Err(PasskeyError::TooMany(CONCURRENT_WAIT))
    }
}
