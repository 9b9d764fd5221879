//! Adding, naming and removing passkeys.

use std::borrow::Cow;

use authn::audit::Event;
use authn::{Caller, User};
use serde_json::{Value, json};
use store::StoreError;
use uuid::Uuid;
use webauthn_rs::prelude::{PasskeyRegistration, RegisterPublicKeyCredential};

use super::{
    Answer, CeremonyOptions, PasskeyError, RelyingParty, Sealed, UserPasskey, list, name_of, open_ceremony, read, seal,
    seal_ceremony, unwritable,
};
use crate::engine::factors::{record, unusable_if};
use crate::engine::provider::Provider;
use crate::store::{FactorKind, FactorToRemove, Removal, StoredFactor};

/// The most passkeys of a user.
pub(crate) const MAX_PASSKEYS: usize = 20;
/// The longest label, in characters.
pub(crate) const MAX_LABEL: usize = 64;

fn purpose(user: &str) -> String {
    format!("add {user}")
}

/// Begins to add a passkey for a user who has these.
///
/// # Errors
/// When the options cannot be made.
pub(crate) fn begin(
    provider: &Provider,
    relying_party: &RelyingParty,
    (user, known): (&User, &[UserPasskey]),
    form: &str,
) -> Result<CeremonyOptions, PasskeyError> {
    let handle = known.first().map_or_else(|| provider.random.uuid(), |passkey| passkey.handle);
    let display_name = if user.display_name.is_empty() { &user.username } else { &user.display_name };
    let known = known.iter().map(|passkey| passkey.key.cred_id().clone()).collect();
    let begun = relying_party.webauthn.start_passkey_registration(handle, &user.username, display_name, Some(known));
    let (challenge, state) = begun?;
    let mut options = serde_json::to_value(challenge.public_key).map_err(|_| unwritable())?;
    // the authenticator stores the user, so that the passkey signs in without a login name
    let selection = options.get_mut("authenticatorSelection").and_then(Value::as_object_mut).ok_or_else(unwritable)?;
    selection.insert("residentKey".to_owned(), json!("required"));
    selection.insert("requireResidentKey".to_owned(), json!(true));
    let ceremony = seal_ceremony(provider, &purpose(&user.id.opaque_id), form, &(handle, state));
    Ok(CeremonyOptions { options: options.to_string(), ceremony })
}

/// Adds the passkey that an authenticator has made.
///
/// # Errors
/// [`PasskeyError`].
pub(crate) async fn finish(
    provider: &Provider,
    relying_party: &RelyingParty,
    user: &User,
    (answer, label): (Answer<'_>, &str),
    caller: &Caller,
) -> Result<(), PasskeyError> {
    let id = &user.id.opaque_id;
    let (handle, state): (Uuid, PasskeyRegistration) = open_ceremony(provider, &purpose(id), answer).await?;
    let created: RegisterPublicKeyCredential = read(answer.credential)?;
    let key = relying_party.webauthn.finish_passkey_registration(&created, &state)?;
    if list(provider, id).await?.len() >= MAX_PASSKEYS {
        return Err(PasskeyError::LimitReached);
    }
    let label = label_of(label);
    let sealed = Sealed {
        user: Cow::Borrowed(id),
        label: Cow::Borrowed(&label),
        handle,
        key: Cow::Borrowed(&key),
        relying_party: Some(Cow::Borrowed(&relying_party.id)),
    };
    let factor = StoredFactor {
        id: provider.random.uuid(),
        person: id.clone(),
        kind: FactorKind::Passkey,
        name: name_of(key.cred_id()),
        sealed: seal(provider, &sealed)?,
        is_administrator: user.is_admin(),
        last_step: None,
        failures: 0,
        blocked_until: std::time::UNIX_EPOCH,
        created: provider.clock.now(),
        used: None,
    };
    if !provider.store.add_passkey(&factor, MAX_PASSKEYS as u64).await? {
        return Err(PasskeyError::Refused);
    }
    record(provider, id, caller, &Event { kind: &"passkey", ..Event::new("second_factor_enrol", "done") });
    Ok(())
}

/// The label that is stored for what a user has typed.
fn label_of(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(MAX_LABEL).collect()
}

/// Gives a passkey of a user another label. Returns whether there is such a passkey.
///
/// # Errors
/// [`PasskeyError::Store`].
pub(crate) async fn rename(provider: &Provider, user: &str, id: Uuid, label: &str) -> Result<bool, PasskeyError> {
    let Some(mut passkey) = list(provider, user).await?.into_iter().find(|known| known.factor.id == id) else {
        return Ok(false);
    };
    passkey.label = label_of(label);
    let sealed = passkey.seal(provider)?;
    provider.store.reseal_factor(id, &passkey.factor.sealed, &sealed).await?;
    Ok(true)
}

/// Removes a passkey of a user: trust in devices ends, and without another factor the recovery codes end too
/// (`docs/security-requirements.md#f25`). The last factor stays with `keep_last`.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn remove(
    provider: &Provider,
    (user, id): (&str, Uuid),
    keep_last: bool,
    caller: &Caller,
) -> Result<Removal, StoreError> {
    let unusable = unusable_if(provider, user, keep_last).await?;
    let removal = provider.store.remove_factor(user, FactorToRemove::Passkey(id), unusable.as_deref()).await?;
    if removal == Removal::Done {
        record(provider, user, caller, &Event { kind: &"passkey", ..Event::new("second_factor_remove", "done") });
    }
    Ok(removal)
}
