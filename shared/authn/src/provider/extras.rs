//! What an answer carries beside the CS3 message, as response metadata.

use std::time::{Duration, UNIX_EPOCH};

use tonic::metadata::{AsciiMetadataKey, MetadataMap, MetadataValue};

use crate::Authenticated;

const NOT_AFTER: &str = "x-doorward-not-after";
const AMR: &str = "x-doorward-amr";
const ACTOR: &str = "x-doorward-act";

/// Writes the extras of an answer. The end is rounded down to whole seconds: never later than the credential's own.
pub(super) fn write(answer: &Authenticated, metadata: &mut MetadataMap) {
    if let Some(end) = answer.not_after {
        let seconds = end.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        metadata.insert(NOT_AFTER, MetadataValue::from(seconds));
    }
    put(metadata, AMR, Some(&answer.amr));
    put(metadata, ACTOR, answer.actor.as_deref());
}

/// Reads the extras of an answer. An end that cannot be read counts as long past, so that it refuses.
pub(super) fn read(metadata: &MetadataMap, answer: &mut Authenticated) {
    let text = |key: &str| metadata.get(key).and_then(|value| value.to_str().ok());
    answer.not_after = metadata.get(NOT_AFTER).map(|value| {
        let seconds = value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
    });
    answer.amr = text(AMR).unwrap_or_default().to_owned().into();
    answer.actor = text(ACTOR).map(str::to_owned);
}

fn put(metadata: &mut MetadataMap, key: &'static str, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| MetadataValue::try_from(value).ok()) {
        metadata.insert(AsciiMetadataKey::from_static(key), value);
    }
}
