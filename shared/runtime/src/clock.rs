//! Time as an argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wall clock. Tests move it; nothing else needs to know that they can.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Nanoseconds since the epoch.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`advance`](Self::advance) moves it. Clones show the same time.
    pub fn manual(now: SystemTime) -> Self {
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(Source::Manual(Arc::new(AtomicU64::new(nanos(since_epoch)))))
    }

    /// What time it is.
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Source::System => system_time(),
            Source::Manual(nanos) => UNIX_EPOCH + Duration::from_nanos(nanos.load(Ordering::Acquire)),
        }
    }

    /// Sets a manual clock, also back, as when a clock is corrected; the system's clock is left alone.
    pub fn set(&self, to: SystemTime) {
        if let Source::Manual(now) = &self.0 {
            now.store(nanos(to.duration_since(UNIX_EPOCH).unwrap_or_default()), Ordering::Release);
        }
    }

    /// Moves a manual clock forward; the system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(nanos(by), Ordering::AcqRel);
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "the one place where the system's time is read")]
fn system_time() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_show_the_same_time() {
        let start = UNIX_EPOCH + Duration::from_secs(1_000);
        let clock = Clock::manual(start);
        let other = clock.clone();
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(other.now(), start + Duration::from_millis(1_500));
        clock.set(start);
        assert_eq!(other.now(), start);
    }
}
