//! Secrets of other systems: not of our form, and known only by what those systems kept of them.
//!
//! `sha256:` digests (Cells) are an index themselves. bcrypt and argon2 strings (oCIS, `OpenCloud`) have to be tried one
//! after the other; once a secret has fitted it gets a fingerprint of ours and is found like any other from then on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordVerifier};
use authn::UserId;
use bounded_cache::MIB;
use moka::sync;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::model::{Digest, Fingerprint};
use crate::store::Candidate;

/// The key id of fingerprints that are a plain SHA-256 of the secret.
pub const SHA256: &str = "sha256";
/// The key id of fingerprints that are no secret's: the token waits to be recognised.
pub const WAITING: &str = "waiting";

/// The longest secret of another system, in bytes: `OpenCloud`'s six words are the longest that are known.
const MAX_SECRET: usize = 128;
/// Limits of what a verifier may make us do. `OpenCloud`'s own takes 64 MiB.
const MOST_MEMORY_KIB: u32 = 131_072;
const MOST_ITERATIONS: u32 = 8;
const MOST_BCRYPT_COST: u32 = 14;
/// How many searches run at the same time: junk that looks like a secret must not take every core.
const SEARCHES: usize = 1;
/// How many more may wait.
const WAITING_SEARCHES: usize = 32;
/// How many of both may be for one owner's tokens from one source, so that others find a place.
const PLACES_OF_PAIR: usize = 2;
/// How many may be for one owner's tokens from anywhere, and how many from one source for tokens of any owner.
const PLACES: usize = 8;
/// How long it is remembered that a secret matches none of its owner's verifiers.
const FITS_NONE_FOR: Duration = Duration::from_mins(5);
/// The bound of the secrets of which that is remembered, in bytes.
const FITS_NONE_BOUND: u64 = MIB / 2;

/// Whether a text can be a secret of another system at all; what is not costs nothing more.
pub fn is_plausible(secret: &str) -> bool {
    let words = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    (8..=MAX_SECRET).contains(&secret.len()) && secret.chars().all(words)
}

/// What another system kept of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verifier<'a> {
    /// The SHA-256 of the secret.
    Sha256(Digest),
    /// A bcrypt or argon2 string.
    Slow(&'a str),
}

impl<'a> Verifier<'a> {
    /// Reads one; `None` if it is none, or one that would cost too much.
    pub fn parse(text: &'a str) -> Option<Self> {
        if let Some(digits) = text.strip_prefix("sha256:") {
            return from_hex(digits).map(Self::Sha256);
        }
        let is_affordable = if text.starts_with("$2") {
            text.parse::<bcrypt::HashParts>().is_ok_and(|parts| (4..=MOST_BCRYPT_COST).contains(&parts.get_cost()))
        } else {
            PasswordHash::new(text)
                .ok()
                .and_then(|hash| argon2::Params::try_from(&hash).ok())
                .is_some_and(|params| params.m_cost() <= MOST_MEMORY_KIB && params.t_cost() <= MOST_ITERATIONS)
        };
        is_affordable.then_some(Self::Slow(text))
    }

    /// By what a token with this verifier is found until its secret was seen.
    pub fn fingerprint(self) -> Fingerprint {
        match self {
            Self::Sha256(digest) => Fingerprint { key_id: SHA256.into(), digest },
            Self::Slow(text) => Fingerprint { key_id: WAITING.into(), digest: name(text) },
        }
    }
}

/// SHA-256 of a text: of a verifier, it names the token that was taken over by it.
pub fn name(text: &str) -> Digest {
    crypto::fingerprint(text.as_bytes())
}

/// The fingerprint of a secret whose plain digest was taken over.
pub fn fingerprint(secret: &str) -> Fingerprint {
    Fingerprint { key_id: SHA256.into(), digest: name(secret) }
}

fn from_hex(digits: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// Whether a secret matches a bcrypt or argon2 string.
fn fits(secret: &str, verifier: &str) -> bool {
    if verifier.starts_with("$2") {
        bcrypt::verify(secret, verifier).unwrap_or(false)
    } else {
        PasswordHash::new(verifier)
            .is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
    }
}

/// What came of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The secret is this token's.
    Token(Uuid),
    /// It is none of them.
    None,
    /// Too many searches are under way.
    Busy,
}

/// Whose tokens a secret is looked for among, and who looks.
#[derive(Debug, Clone, Copy)]
pub struct Claimant<'a> {
    /// Who is said to have the token.
    pub owner: &'a UserId,
    /// Where the secret came from.
    pub source: Option<IpAddr>,
}

/// What a search takes a place of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Lane {
    Pair(String, Option<IpAddr>),
    Owner(String),
    Source(IpAddr),
}

impl Claimant<'_> {
    /// The lanes that a search needs a place of, with the number of places.
    fn lanes(&self) -> Vec<(Lane, usize)> {
        // an IPv6 client has at least 2^64 addresses: they are one source
        let source = self.source.map(|source| match source.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            address @ IpAddr::V4(_) => address,
        });
        let owner = &self.owner.opaque_id;
        let pair = (Lane::Pair(owner.clone(), source), PLACES_OF_PAIR);
        [pair, (Lane::Owner(owner.clone()), PLACES)]
            .into_iter()
            .chain(source.map(|one| (Lane::Source(one), PLACES)))
            .collect()
    }
}

/// How many searches there are in each lane that has any.
#[derive(Debug, Default)]
struct Lanes(Mutex<HashMap<Lane, usize>>);

impl Lanes {
    fn enter(self: &Arc<Self>, claimant: Claimant<'_>) -> Option<Place> {
        let lanes = claimant.lanes();
        let mut taken = self.taken();
        if lanes.iter().any(|(lane, most)| taken.get(lane).is_some_and(|count| count >= most)) {
            return None;
        }
        let entered: Vec<Lane> = lanes.into_iter().map(|(lane, _)| lane).collect();
        for lane in &entered {
            *taken.entry(lane.clone()).or_default() += 1;
        }
        Some(Place { lanes: Arc::clone(self), entered })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Lane, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the lanes, given back when it is dropped.
#[derive(Debug)]
struct Place {
    lanes: Arc<Lanes>,
    entered: Vec<Lane>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.lanes.taken();
        for lane in &self.entered {
            if let Entry::Occupied(mut count) = taken.entry(lane.clone()) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }
}

/// Tries secrets against verifiers, away from the runtime's threads and not too many at a time: neither in all, nor for one
/// owner or from one source.
pub struct Search {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    lanes: Arc<Lanes>,
    under_way: Arc<UnderWay>,
    fits_none: sync::Cache<Digest, ()>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(SEARCHES)),
            waiting: Arc::new(Semaphore::new(SEARCHES + WAITING_SEARCHES)),
            lanes: Arc::default(),
            under_way: Arc::default(),
            fits_none: bounded_cache::sync(FITS_NONE_BOUND).time_to_live(FITS_NONE_FOR).build(),
        }
    }
}

/// The searches that are under way, by their attempts, with the signal that they have ended.
#[derive(Debug, Default)]
struct UnderWay(Mutex<HashMap<Digest, CancellationToken>>);

impl UnderWay {
    fn searches(&self) -> MutexGuard<'_, HashMap<Digest, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a search may begin.
pub enum Admission {
    /// It may begin.
    Begin(Admitted),
    /// The same one is under way; this is cancelled when it has ended and its outcome can be looked up.
    Join(CancellationToken),
    /// Too many are under way.
    Full,
}

/// A search that has its place, until this is dropped.
pub struct Admitted {
    attempt: Digest,
    under_way: Arc<UnderWay>,
    _place: Place,
    _waiting: OwnedSemaphorePermit,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(ended) = self.under_way.searches().remove(&self.attempt) {
            ended.cancel();
        }
    }
}

impl Search {
    /// Whether it was tried not long ago, and fitted none. `attempt` is a keyed digest of the owner and the secret.
    pub fn is_known_to_fit_none(&self, attempt: &Digest) -> bool {
        self.fits_none.contains_key(attempt)
    }

    /// There are new verifiers to try.
    pub fn forget(&self) {
        self.fits_none.invalidate_all();
    }

    /// Whether a search for this attempt may begin.
    pub fn admit(&self, attempt: Digest, claimant: Claimant<'_>) -> Admission {
        let mut searches = self.under_way.searches();
        if let Some(ended) = searches.get(&attempt) {
            return Admission::Join(ended.clone());
        }
        let waiting = Arc::clone(&self.waiting).try_acquire_owned();
        let (Some(place), Ok(waiting)) = (self.lanes.enter(claimant), waiting) else { return Admission::Full };
        searches.insert(attempt, CancellationToken::new());
        let under_way = Arc::clone(&self.under_way);
        Admission::Begin(Admitted { attempt, under_way, _place: place, _waiting: waiting })
    }

    /// Looks for the verifier that the secret matches.
    pub async fn search(&self, admitted: &Admitted, secret: SecretString, candidates: Vec<Candidate>) -> Found {
        let Ok(permit) = Arc::clone(&self.running).acquire_owned().await else { return Found::Busy };
        let search = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            candidates.iter().find(|one| fits(secret.expose_secret(), &one.verifier)).map(|one| one.token)
        });
        match search.await {
            Ok(Some(token)) => Found::Token(token),
            Ok(None) => {
                self.fits_none.insert(admitted.attempt, ());
                Found::None
            }
            Err(_) => Found::Busy,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn verifiers_are_read_or_refused() {
        let digits = "ab".repeat(32);
        assert_eq!(Verifier::parse(&format!("sha256:{digits}")), Some(Verifier::Sha256([0xab; 32])));
        let bcrypt = "$2a$11$YNTd2s/ktiERmKraAvzVeesUaPUKTs.SqisVLiihZ14/9BG3jA1Te";
        assert_eq!(Verifier::parse(bcrypt), Some(Verifier::Slow(bcrypt)));
        let argon2 =
            "$argon2id$v=19$m=65536,t=1,p=2$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
        assert_eq!(Verifier::parse(argon2), Some(Verifier::Slow(argon2)));
        let costly = argon2.replace("m=65536", "m=1048576");
        let wrong = ["", "sha256:", "sha256:zz", "$2a$11$short", "plain", &costly, &bcrypt.replace("$11$", "$31$")];
        for wrong in wrong {
            assert_eq!(Verifier::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_that_go_has_hashed_fits() {
        // recorded from the Go family
        let hash = "$2a$11$YNTd2s/ktiERmKraAvzVeesUaPUKTs.SqisVLiihZ14/9BG3jA1Te";
        assert!(fits("2w0nBg795K6aN3h8", hash));
        assert!(!fits("2w0nBg795K6aN3h9", hash));
    }

    #[test]
    fn only_what_can_be_a_secret_is_looked_for() {
        for good in ["3s2K7816M4vuSpd5", "correct horse battery staple two words", &"a-_.".repeat(20)] {
            assert!(is_plausible(good), "{good}");
        }
        for junk in ["", "short", "with\nnewline", "ünïcode-secret", "'; DROP TABLE", &"a".repeat(200)] {
            assert!(!is_plausible(junk), "{junk:?}");
        }
    }

    #[test]
    fn one_owner_or_source_leaves_places_to_others() {
        let search = Search::default();
        let owner = |name: &str| UserId { opaque_id: name.to_owned(), ..UserId::default() };
        let (victim, other) = (owner("victim"), owner("other"));
        let source = |number: u8| Some(IpAddr::from([192, 0, 2, number]));
        let attempts = Cell::new(0_u8);
        let admit = |owner, source| {
            attempts.set(attempts.get() + 1);
            match search.admit([attempts.get(); 32], Claimant { owner, source }) {
                Admission::Begin(admitted) => Some(admitted),
                Admission::Join(_) | Admission::Full => None,
            }
        };
        let mut held: Vec<_> = (0..45).filter_map(|_| admit(&victim, source(1))).collect();
        assert_eq!(held.len(), PLACES_OF_PAIR, "one source for one owner");
        held.extend((2..=45).filter_map(|number| admit(&victim, source(number))));
        assert_eq!(held.len(), PLACES, "all sources for one owner");
        held.push(admit(&other, source(1)).expect("another owner has places, at the same source too"));
        let owners: Vec<_> = (0..45).map(|number| owner(&format!("owner-{number}"))).collect();
        held.extend(owners.iter().filter_map(|owner| admit(owner, source(1))));
        assert_eq!(held.len(), 2 * PLACES - PLACES_OF_PAIR, "one source for all owners");
        drop(held);
        assert!(search.lanes.taken().is_empty(), "nothing is remembered of searches that have ended");
        assert!(search.under_way.searches().is_empty());
    }

    #[test]
    fn equal_attempt_joins_the_search_that_is_under_way() {
        let search = Search::default();
        let owner = UserId { opaque_id: "owner".to_owned(), ..UserId::default() };
        let claimant = Claimant { owner: &owner, source: None };
        let Admission::Begin(first) = search.admit([1; 32], claimant) else { panic!("there is a place") };
        let Admission::Join(ended) = search.admit([1; 32], claimant) else { panic!("the same is under way") };
        assert!(!ended.is_cancelled());
        drop(first);
        assert!(ended.is_cancelled());
        assert!(matches!(search.admit([1; 32], claimant), Admission::Begin(_)), "it may be tried again");
    }

    proptest! {
        #[test]
        fn any_verifier_is_read_without_panic(text in ".{0,100}", digits in "[0-9a-zA-Zé]{0,70}") {
            let _ = Verifier::parse(&text);
            let _ = Verifier::parse(&format!("sha256:{digits}"));
            let _ = Verifier::parse(&format!("$2a${digits}"));
            let _ = Verifier::parse(&format!("$argon2id${digits}"));
        }
    }
}
