//! Passkeys (Web Authentication Level 3): the relying party, the stored credentials, and the sealed state of ceremonies.
//!
//! A ceremony is one call of the browser's API. Its challenge is in a sealed text that the form sends back with the answer. It
//! counts for this form in this browser, for five minutes and once (`docs/security-requirements.md#f20`).

pub(crate) mod assertion;
pub(crate) mod registration;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::StoreError;
use uuid::Uuid;
use webauthn_rs::prelude::{Passkey, Url, WebauthnError};
use webauthn_rs::{Webauthn, WebauthnBuilder};
use zeroize::Zeroizing;

use super::unusable;
use crate::config::MultiFactorPolicy;
use crate::endpoints::IssuerEndpoints;
use crate::engine::provider::Provider;
use crate::engine::replay_guard::{self, Kind};
use crate::model::{Seconds, seconds, time_of};
use crate::seal::Purpose;
use crate::store::{FactorKind, StoredFactor};

/// How long a user may take for a ceremony.
const PATIENCE: Duration = Duration::from_mins(5);
/// The longest answer of an authenticator that is read, in bytes.
const MAX_ANSWER: usize = 32 * 1024;

/// The installation as authenticators know it.
pub(crate) struct RelyingParty {
    webauthn: Webauthn,
    id: String,
}

/// The identifier of the relying party: the host of an issuer. `None` if that is an IP address, for which no browser makes a passkey.
fn relying_party_id(endpoints: &IssuerEndpoints) -> Option<String> {
    let origin: Url = endpoints.origin().parse().ok()?;
    origin.domain().map(str::to_owned)
}

impl RelyingParty {
    /// The relying party of an issuer. `None` where there are no passkeys: second factors are off, or the issuer's host is an
    /// IP address, for which no browser makes one.
    pub(crate) fn of(provider: &Provider, endpoints: &IssuerEndpoints) -> Option<Self> {
        let config = &provider.config;
        if config.mfa.policy() == MultiFactorPolicy::Off {
            return None;
        }
        let (origin, id): (Url, _) = (endpoints.origin().parse().ok()?, relying_party_id(endpoints)?);
        let builder = WebauthnBuilder::new(&id, &origin).ok()?;
        let webauthn = builder.rp_name(&config.pages.name).timeout(PATIENCE).build().ok()?;
        Some(Self { webauthn, id })
    }
}

/// What a page needs to begin a ceremony.
#[derive(Debug)]
pub struct CeremonyOptions {
    /// What the browser's API is called with, as JSON.
    pub options: String,
    /// The state of the ceremony, sealed.
    pub ceremony: String,
}

/// The answer of a browser, as a form sends it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    /// The token of the form, which has to be the one that the ceremony was begun for.
    pub(crate) form: &'a str,
    /// The state of the ceremony.
    pub(crate) ceremony: &'a str,
    /// What the browser's API has returned, as JSON.
    pub(crate) credential: &'a str,
}

/// Why a passkey is not added, or does not count.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasskeyError {
    /// The ceremony is too old, was answered before, or is another form's.
    #[error("the page was open for too long, or was sent twice")]
    Expired,
    /// The answer does not fit the ceremony, or the passkey is not known.
    #[error("the passkey is not accepted")]
    Refused,
    /// The counter went back: there is a copy of the key.
    #[error("the counter of the passkey went back, so there may be a copy of its key; remove it and add another one")]
    Cloned,
    /// There were too many failures.
    #[error("there were too many failures; try again in {} seconds", .0.as_secs())]
    TooMany(Duration),
    /// The user has as many as are allowed.
    #[error("the user has {} passkeys already; remove one first", registration::MAX_PASSKEYS)]
    LimitReached,
    /// It is the last second factor of a user who needs one.
    #[error("the user needs a second factor, and this is the last one; add another one first")]
    Needed,
    /// The database fails, or the credential was sealed by another `IDP_ENCRYPTION_SECRET`.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<WebauthnError> for PasskeyError {
    fn from(error: WebauthnError) -> Self {
        match error {
            WebauthnError::CredentialPossibleCompromise => Self::Cloned,
            error => {
                tracing::info!(%error, "a passkey is not accepted");
                Self::Refused
            }
        }
    }
}

/// A passkey of a user.
#[derive(Debug)]
pub(crate) struct UserPasskey {
    pub(crate) factor: StoredFactor,
    /// How the user calls it.
    pub(crate) label: String,
    /// How authenticators call the user: random, the same for all passkeys of a user.
    handle: Uuid,
    key: Passkey,
    /// The relying party that it was made for, or last used at; `None` if that was before this was stored.
    relying_party: Option<String>,
}

/// What is sealed of a passkey. The user is sealed with it, so that no row serves for another user.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    #[serde(rename = "u")]
    user: Cow<'a, str>,
    #[serde(rename = "n")]
    label: Cow<'a, str>,
    #[serde(rename = "h")]
    handle: Uuid,
    #[serde(rename = "k")]
    key: Cow<'a, Passkey>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    relying_party: Option<Cow<'a, str>>,
}

impl UserPasskey {
    fn open(provider: &Provider, factor: StoredFactor) -> Result<Self, StoreError> {
        let plain = provider.sealer.open_bytes(Purpose::Factor, &factor.sealed).map_err(|_| unusable())?;
        let plain = Zeroizing::new(plain);
        let Sealed { user, label, handle, key, relying_party } =
            serde_json::from_slice(&plain).map_err(|_| unusable())?;
        if user != factor.person {
            return Err(unusable());
        }
        let (label, key, relying_party) = (label.into_owned(), key.into_owned(), relying_party.map(Cow::into_owned));
        Ok(Self { factor, label, handle, key, relying_party })
    }

    /// Whether a browser can use it at the present host of the issuers; `true` for one whose relying party is not known.
    pub(crate) fn is_usable(&self, provider: &Provider) -> bool {
        let current = provider.issuers.first().and_then(relying_party_id);
        current.is_some_and(|current| self.relying_party.as_ref().is_none_or(|own| *own == current))
    }

    /// The same, sealed as it is now.
    fn seal(&self, provider: &Provider) -> Result<Vec<u8>, StoreError> {
        let sealed = Sealed {
            user: Cow::Borrowed(&self.factor.person),
            label: Cow::Borrowed(&self.label),
            handle: self.handle,
            key: Cow::Borrowed(&self.key),
            relying_party: self.relying_party.as_deref().map(Cow::Borrowed),
        };
        seal(provider, &sealed)
    }
}

fn seal(provider: &Provider, sealed: &Sealed<'_>) -> Result<Vec<u8>, StoreError> {
    let plain = Zeroizing::new(serde_json::to_vec(sealed).map_err(|_| unwritable())?);
    Ok(provider.sealer.seal_bytes(Purpose::Factor, &plain))
}

fn unwritable() -> StoreError {
    StoreError::internal("a passkey cannot be written as JSON")
}

/// The passkeys of a user, the oldest first.
///
/// # Errors
/// When the database is unavailable, or the credentials cannot be opened.
pub(crate) async fn list(provider: &Provider, user: &str) -> Result<Vec<UserPasskey>, StoreError> {
    let factors = provider.store.factors(user).await?;
    let passkeys = factors.into_iter().filter(|factor| factor.kind == FactorKind::Passkey);
    passkeys.map(|factor| UserPasskey::open(provider, factor)).collect()
}

/// Those of the factors that no browser can use, as they are passkeys for another host. One that cannot be opened is not among them:
/// nothing shows that it may be passed over.
pub(super) fn of_another_host<'a>(
    provider: &Provider,
    factors: impl IntoIterator<Item = &'a StoredFactor>,
) -> Vec<Uuid> {
    let passkeys = factors.into_iter().filter(|factor| factor.kind == FactorKind::Passkey);
    let is_unusable = |factor: &&StoredFactor| {
        UserPasskey::open(provider, StoredFactor::clone(factor)).is_ok_and(|passkey| !passkey.is_usable(provider))
    };
    passkeys.filter(is_unusable).map(|factor| factor.id).collect()
}

/// Makes the passkeys of a user ones for another host, as if that of the issuers had changed since.
#[cfg(test)]
pub(crate) async fn move_to_another_host(provider: &Provider, user: &str) {
    for mut passkey in list(provider, user).await.expect("are read") {
        passkey.relying_party = Some("former.example".to_owned());
        let (sealed, former) = (passkey.seal(provider).expect("is sealed"), &passkey.factor.sealed);
        provider.store.reseal_factor(passkey.factor.id, former, &sealed).await.expect("is written");
    }
}

/// The name of the factor with this credential.
fn name_of(credential_id: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(credential_id)
}

/// The state of a ceremony, as it is sealed.
#[derive(Serialize, Deserialize)]
struct Ceremony<T> {
    #[serde(rename = "i")]
    id: Uuid,
    /// What it is for, and for whom.
    #[serde(rename = "p")]
    purpose: String,
    #[serde(rename = "f")]
    form: String,
    #[serde(rename = "b")]
    began: Seconds,
    #[serde(rename = "s")]
    state: T,
}

fn seal_ceremony(provider: &Provider, purpose: &str, form: &str, state: &impl Serialize) -> String {
    let (id, began) = (provider.random.uuid(), seconds(provider.clock.now()));
    let ceremony = Ceremony { id, purpose: purpose.to_owned(), form: form.to_owned(), began, state };
    provider.sealer.seal(Purpose::Ceremony, &ceremony)
}

/// The state of a ceremony, which is used up by this.
async fn open_ceremony<T: DeserializeOwned>(
    provider: &Provider,
    purpose: &str,
    Answer { form, ceremony, .. }: Answer<'_>,
) -> Result<T, PasskeyError> {
    let ceremony: Ceremony<T> = provider.sealer.open(Purpose::Ceremony, ceremony).map_err(|_| PasskeyError::Expired)?;
    let age = seconds(provider.clock.now()).saturating_sub(ceremony.began);
    if ceremony.purpose != purpose || ceremony.form != form || age >= PATIENCE.as_secs() {
        return Err(PasskeyError::Expired);
    }
    let forget_at = time_of(ceremony.began) + PATIENCE;
    let id = ceremony.id.to_string();
    if replay_guard::first_time(provider, Kind::Ceremony, purpose, &id, forget_at).await? {
        Ok(ceremony.state)
    } else {
        Err(PasskeyError::Expired)
    }
}

/// What the browser's API has returned.
fn read<T: DeserializeOwned>(credential: &str) -> Result<T, PasskeyError> {
    if credential.len() > MAX_ANSWER {
        return Err(PasskeyError::Refused);
    }
    serde_json::from_str(credential).map_err(|_| PasskeyError::Refused)
}
