//! Refresh tokens: families whose tokens are computed, so that one row tells which of them is the current one.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::{Choice, ConstantTimeEq};
use uuid::Uuid;

use crate::endpoints::IssuerEndpoints;
use crate::engine::clients::{Client, GrantType};
use crate::engine::provider::Provider;
use crate::model::{Binding, Family, Grant, time_of};
use crate::seal::{Sealer, Tag};

/// What refresh tokens begin with, so that they are found where they should not be.
const PREFIX: &str = "dwr_";
/// Bytes of the family's identifier and of the generation.
const NAMED: usize = 16 + 4;
/// Bytes of the keyed digest that are kept.
const MAC: usize = 16;
/// Characters behind the prefix.
const ENCODED: usize = (NAMED + MAC) / 3 * 4;

/// Which token of which family a refresh token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) grant: Uuid,
    pub(crate) generation: u32,
}

impl RefreshToken {
    /// The token as the client has it. Each time it is the same text, which is what lets a lost answer be repeated.
    pub(crate) fn write(self, sealer: &Sealer) -> String {
        let named = self.named();
        let mut bytes = [0; NAMED + MAC];
        bytes[..NAMED].copy_from_slice(&named);
        bytes[NAMED..].copy_from_slice(&sealer.tag(Tag::RefreshToken, &named)[..MAC]);
        let mut text = String::with_capacity(PREFIX.len() + ENCODED);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        text
    }

    /// Reads a token. What was not made here costs no query.
    pub(crate) fn read(sealer: &Sealer, text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX).filter(|encoded| encoded.len() == ENCODED)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (named, mac) = bytes.split_first_chunk::<NAMED>()?;
        let tags = sealer.tags(Tag::RefreshToken, named);
        let good: bool = tags.fold(Choice::from(0), |found, tag| found | tag[..MAC].ct_eq(mac)).into();
        let (grant, generation) = named.split_first_chunk::<16>()?;
        let generation = u32::from_be_bytes(generation.try_into().ok()?);
        good.then_some(Self { grant: Uuid::from_bytes(*grant), generation })
    }

    fn named(self) -> [u8; NAMED] {
        let mut named = [0; NAMED];
        named[..16].copy_from_slice(self.grant.as_bytes());
        named[16..].copy_from_slice(&self.generation.to_be_bytes());
        named
    }
}

/// The family that begins with a grant; none if the scope does not ask for one, or the client may not refresh.
pub(crate) fn family(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    client: &Client,
    grant: &Grant,
    binding: Option<&Binding>,
    now: SystemTime,
) -> Option<Family> {
    if !grant.scope.asks_offline() || !client.may(GrantType::RefreshToken) {
        return None;
    }
    let lifetimes = provider.config.lifetimes.of(endpoints.layout, &client.lifetimes);
    let end = now + lifetimes.refresh_token_absolute;
    Some(Family {
        grant: grant.clone(),
        binding: binding.cloned(),
        generation: 0,
        rotated: now,
        // never before the sign-in, which lies in the future where the clock has been corrected
        created: grant.sign_in.as_ref().map_or(now, |sign_in| now.max(time_of(sign_in.at))),
        idle_end: end.min(now + lifetimes.refresh_token),
        end,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use runtime::Random;

    use super::*;

    const OLD: &str = "an-adequate-secret-of-32-bytes-ok";
    const NEW: &str = "another-adequate-secret-of-32-byte";

    fn sealer(current: &str, previous: &str) -> Sealer {
        Sealer::new(&current.into(), &previous.into(), Random::seeded(7))
    }

    fn token() -> RefreshToken {
        RefreshToken { grant: Uuid::from_u128(7), generation: 3 }
    }

    #[test]
    fn a_token_is_the_same_each_time_and_survives_a_new_secret() {
        let text = token().write(&sealer(OLD, ""));
        assert_eq!((text.len(), text.starts_with(PREFIX)), (52, true));
        assert_eq!(token().write(&sealer(OLD, "")), text);
        assert_eq!(RefreshToken::read(&sealer(NEW, OLD), &text), Some(token()));
        assert_eq!(RefreshToken::read(&sealer(NEW, ""), &text), None);
    }

    #[test]
    fn a_changed_token_is_refused() {
        let sealer = sealer(NEW, "");
        let text = token().write(&sealer);
        for index in PREFIX.len()..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("a text");
            assert_eq!(RefreshToken::read(&sealer, &changed), None, "character {index}");
        }
        assert_eq!(RefreshToken::read(&sealer, &format!("{text}A")), None);
    }

    proptest! {
        #[test]
        fn every_token_comes_back(grant in any::<u128>(), generation in any::<u32>()) {
            let (sealer, token) = (sealer(NEW, ""), RefreshToken { grant: Uuid::from_u128(grant), generation });
            prop_assert_eq!(RefreshToken::read(&sealer, &token.write(&sealer)), Some(token));
        }

        #[test]
        fn junk_is_refused(text in "(dwr_)?[A-Za-z0-9_-]{0,60}") {
            prop_assert_eq!(RefreshToken::read(&sealer(NEW, OLD), &text), None);
        }
    }
}
