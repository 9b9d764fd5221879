//! Nonces for `DPoP` proofs (RFC 9449 8): they tell a server when a proof was made, so that none can be made in advance. A nonce is a
//! minute and a keyed digest of it, so that nothing is stored and every replica accepts those of the others.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::{Choice, ConstantTimeEq};

use crate::config::DpopNonces;
use crate::engine::clients::Client;
use crate::engine::provider::Provider;
use crate::model::seconds;
use crate::seal::Tag;

/// The bytes of the minute, and those of the digest that are kept.
const MINUTE: usize = 4;
const MAC: usize = 12;
/// Characters of a nonce.
const ENCODED: usize = ((MINUTE + MAC) * 4).div_ceil(3);
/// How many minutes a nonce is accepted after its own.
const AFTER: u32 = 2;
/// How many before it, as the clock of another replica may be ahead.
const BEFORE: u32 = 1;
/// How long a nonce is accepted at most: in its own minute, and in those before and after it.
pub(super) const LIFETIME: Duration = Duration::from_mins(4);

/// Whether proofs of this client need a nonce.
pub(super) fn is_needed(provider: &Provider, client: &Client) -> bool {
    match provider.config.dpop_nonces() {
        DpopNonces::Off => false,
        DpopNonces::Fapi2 => client.is_fapi2(),
        DpopNonces::All => true,
    }
}

/// A nonce of this minute.
pub(super) fn issue(provider: &Provider) -> String {
    let minute = minute_of(provider.clock.now()).to_be_bytes();
    let tag = provider.sealer.tag(Tag::DpopNonce, &minute);
    let mut bytes = [0; MINUTE + MAC];
    bytes[..MINUTE].copy_from_slice(&minute);
    bytes[MINUTE..].copy_from_slice(&tag[..MAC]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether this is a nonce of a few minutes ago, of any replica.
pub(super) fn is_fresh(provider: &Provider, text: &str) -> bool {
    let Some((minute, mac)) = parts(text) else { return false };
    let tags = provider.sealer.tags(Tag::DpopNonce, &minute);
    let is_ours: bool = tags.fold(Choice::from(0), |found, tag| found | tag[..MAC].ct_eq(&mac)).into();
    let (now, made) = (minute_of(provider.clock.now()), u32::from_be_bytes(minute));
    is_ours && made <= now.saturating_add(BEFORE) && now <= made.saturating_add(AFTER)
}

/// The minutes since 1970.
fn minute_of(time: SystemTime) -> u32 {
    u32::try_from(seconds(time) / 60).unwrap_or(u32::MAX)
}

fn parts(text: &str) -> Option<([u8; MINUTE], [u8; MAC])> {
    let encoded = Some(text).filter(|text| text.len() == ENCODED)?;
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let (minute, mac) = bytes.split_first_chunk::<MINUTE>()?;
    Some((*minute, mac.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_panics(text in ".{0,40}", encoded in "[A-Za-z0-9_-]{0,24}") {
            for text in [text, encoded] {
                prop_assert!(parts(&text).is_none() || text.len() == ENCODED);
            }
        }
    }
}
