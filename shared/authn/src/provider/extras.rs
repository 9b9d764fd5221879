//! Response metadata that accompanies the CS3 message.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tonic::metadata::{AsciiMetadataKey, MetadataMap, MetadataValue};

use crate::wire::{read_time, write_time};
use crate::{Actor, Authenticated, InvalidActor};

const NOT_AFTER: &str = "x-doorward-not-after";
const AMR: &str = "x-doorward-amr";
/// The identifier of the current actor, which former releases read.
const ACTOR: &str = "x-doorward-act";
/// The actor with the former ones, as JSON. It is binary, as identifiers need not be ASCII.
const ACTORS: &str = "x-doorward-act-chain-bin";
const SID: &str = "x-doorward-sid";
/// When the user's password was last changed, as the directory writes it.
const PASSWORD_CHANGED: &str = "x-doorward-password-changed";

/// Writes the extras of an answer. The end is rounded down to whole seconds: never later than the credential's own.
pub(super) fn write(answer: &Authenticated, metadata: &mut MetadataMap) {
    if let Some(end) = answer.not_after {
        let seconds = end.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        metadata.insert(NOT_AFTER, MetadataValue::from(seconds));
    }
    put(metadata, AMR, Some(&answer.amr));
    if let Some(actor) = &answer.actor {
        write_actor(actor, metadata);
    }
    put(metadata, SID, answer.sid.as_deref());
    write_password_change(answer.user.password_changed, metadata);
}

/// Writes when a user's password was changed, if that is known. Services of other systems ignore it, and no token contains it.
pub fn write_password_change(changed: Option<SystemTime>, metadata: &mut MetadataMap) {
    if let Some(value) = changed.and_then(|changed| MetadataValue::try_from(write_time(changed)).ok()) {
        metadata.insert(PASSWORD_CHANGED, value);
    }
}

/// Reads what [`write_password_change`] wrote. A time that cannot be read counts as far in the future, so that it refuses.
pub(crate) fn read_password_change(metadata: &MetadataMap) -> Option<SystemTime> {
    metadata.get(PASSWORD_CHANGED).map(|value| read_time(value.as_bytes()))
}

fn write_actor(actor: &Actor, metadata: &mut MetadataMap) {
    put(metadata, ACTOR, Some(actor.subject()));
    // texts can always be written; an empty value would be one that cannot be read, and refuses
    let chain = serde_json::to_vec(actor).unwrap_or_default();
    metadata.insert_bin(ACTORS, MetadataValue::from_bytes(&chain));
}

/// Reads what [`write_actor`] wrote, or the current actor that a former release wrote.
fn read_actor(metadata: &MetadataMap) -> Result<Option<Actor>, InvalidActor> {
    if let Some(chain) = metadata.get_bin(ACTORS) {
        let chain = chain.to_bytes().map_err(|_| InvalidActor)?;
        return serde_json::from_slice(&chain).map(Some).map_err(|_| InvalidActor);
    }
    let Some(subject) = metadata.get(ACTOR) else { return Ok(None) };
    let subject = subject.to_str().ok().filter(|subject| !subject.is_empty()).ok_or(InvalidActor)?;
    Ok(Some(subject.into()))
}

/// Reads the extras of an answer. An end that cannot be read counts as long past, and so does the end of an answer whose actor cannot
/// be read, so that they refuse (`docs/security-requirements.md#x11`).
pub(super) fn read(metadata: &MetadataMap, answer: &mut Authenticated) {
    let text = |key: &str| metadata.get(key).and_then(|value| value.to_str().ok());
    answer.not_after = metadata.get(NOT_AFTER).map(|value| {
        let seconds = value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
    });
    answer.amr = text(AMR).unwrap_or_default().to_owned().into();
    answer.actor = read_actor(metadata).unwrap_or_else(|InvalidActor| {
        answer.not_after = Some(UNIX_EPOCH);
        None
    });
    answer.sid = text(SID).map(str::to_owned);
    Arc::make_mut(&mut answer.user).password_changed = read_password_change(metadata);
}

fn put(metadata: &mut MetadataMap, key: &'static str, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| MetadataValue::try_from(value).ok()) {
        metadata.insert(AsciiMetadataKey::from_static(key), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(metadata: &MetadataMap) -> Option<SystemTime> {
        let mut answer = Authenticated::full(Arc::default(), "machine");
        read(metadata, &mut answer);
        answer.user.password_changed
    }

    #[test]
    fn session_survives_a_hop() {
        for sid in [None, Some("0b1d8a3e".to_owned())] {
            let mut metadata = MetadataMap::new();
            write(&Authenticated { sid: sid.clone(), ..Authenticated::full(Arc::default(), "oidc") }, &mut metadata);
            let mut answer = Authenticated::full(Arc::default(), "oidc");
            read(&metadata, &mut answer);
            assert_eq!(answer.sid, sid);
        }
    }

    fn chain() -> Actor {
        Actor::from("zürich").nested_in("spiffe://doorward/portal".into()).expect("two actors")
    }

    /// `docs/security-requirements.md#x11`
    #[test]
    fn chain_of_actors_survives_a_hop() {
        for actor in [None, Some(Actor::from("portal")), Some(chain())] {
            let mut metadata = MetadataMap::new();
            write(
                &Authenticated { actor: actor.clone(), ..Authenticated::full(Arc::default(), "oidc") },
                &mut metadata,
            );
            let mut answer = Authenticated::full(Arc::default(), "oidc");
            read(&metadata, &mut answer);
            assert_eq!((answer.actor, answer.not_after), (actor, None));
        }
    }

    #[test]
    fn actor_of_a_former_release_is_read_and_former_releases_read_ours() {
        let mut metadata = MetadataMap::new();
        metadata.insert(ACTOR, MetadataValue::from_static("portal"));
        let mut answer = Authenticated::full(Arc::default(), "machine");
        read(&metadata, &mut answer);
        assert_eq!((answer.actor, answer.not_after), (Some("portal".into()), None));
        let mut metadata = MetadataMap::new();
        write(
            &Authenticated { actor: Some("portal".into()), ..Authenticated::full(Arc::default(), "machine") },
            &mut metadata,
        );
        assert_eq!(metadata.get(ACTOR).and_then(|value| value.to_str().ok()), Some("portal"));
    }

    /// `docs/security-requirements.md#x11`
    #[test]
    fn actor_that_cannot_be_read_refuses() {
        let broken = |chain: &[u8]| {
            let mut metadata = MetadataMap::new();
            metadata.insert(ACTOR, MetadataValue::from_static("portal"));
            metadata.insert_bin(ACTORS, MetadataValue::from_bytes(chain));
            metadata
        };
        let mut empty = MetadataMap::new();
        empty.insert(ACTOR, MetadataValue::from_static(""));
        for metadata in [broken(b""), broken(b"portal"), broken(b"null"), broken(br#"{"sub":""}"#), empty] {
            let mut answer = Authenticated::full(Arc::default(), "machine");
            read(&metadata, &mut answer);
            assert_eq!((answer.actor, answer.not_after), (None, Some(UNIX_EPOCH)), "{metadata:?}");
        }
    }

    #[test]
    fn password_change_survives_a_hop_and_what_is_no_time_refuses() {
        for changed in [None, Some(UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001))] {
            let user = crate::User { password_changed: changed, ..crate::User::default() };
            let mut metadata = MetadataMap::new();
            write(&Authenticated::full(Arc::new(user), "machine"), &mut metadata);
            assert_eq!(read_back(&metadata), changed);
        }
        let mut metadata = MetadataMap::new();
        metadata.insert(PASSWORD_CHANGED, MetadataValue::from_static("soon"));
        assert!(read_back(&metadata).is_some_and(|time| time > UNIX_EPOCH + Duration::from_hours(200 * 365 * 24)));
    }
}
