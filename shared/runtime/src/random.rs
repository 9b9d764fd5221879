//! Randomness as an argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

/// A source of random bytes.
#[derive(Clone, Debug)]
pub struct Random(Source);

#[derive(Clone, Debug)]
enum Source {
    System(SystemRandom),
    Seeded { seed: u64, block: Arc<AtomicU64> },
}

impl Random {
    /// Fit for keys and tokens.
    pub fn system() -> Self {
        Self(Source::System(SystemRandom::new()))
    }

    /// The same bytes in every run: for tests only. Clones continue one sequence.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded { seed, block: Arc::default() })
    }

    /// Fills the buffer.
    ///
    /// # Panics
    /// When the system has no randomness, for nothing could be safe then.
    pub fn fill(&self, buffer: &mut [u8]) {
        match &self.0 {
            Source::System(system) => system.fill(buffer).expect("the system gives random bytes"),
            Source::Seeded { seed, block } => {
                for chunk in buffer.chunks_mut(digest::SHA256_OUTPUT_LEN) {
                    let mut input = [0; 16];
                    input[..8].copy_from_slice(&seed.to_be_bytes());
                    input[8..].copy_from_slice(&block.fetch_add(1, Ordering::AcqRel).to_be_bytes());
                    let output = digest::digest(&digest::SHA256, &input);
                    chunk.copy_from_slice(&output.as_ref()[..chunk.len()]);
                }
            }
        }
    }

    /// So many random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut buffer = [0; N];
        self.fill(&mut buffer);
        buffer
    }

    /// A random UUID (version 4, RFC 9562).
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// A number below `bound`; nearly even for bounds far below 2^64. 0 when the bound is 0.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        u64::from_be_bytes(self.bytes()).checked_rem(bound).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence() {
        let (one, two) = (Random::seeded(7), Random::seeded(7));
        assert_eq!(one.bytes::<45>(), two.bytes::<45>());
        assert_eq!(one.clone().uuid(), two.uuid());
        assert_ne!(one.uuid(), one.uuid());
        assert_ne!(Random::seeded(8).bytes::<16>(), Random::seeded(7).bytes::<16>());
    }

    #[test]
    fn the_system_gives_version_4_uuids() {
        let random = Random::system();
        assert_eq!(random.uuid().get_version_num(), 4);
        assert_ne!(random.uuid(), random.uuid());
    }
}
