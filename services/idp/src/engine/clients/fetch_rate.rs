//! How often an address that a client names is fetched.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// How often within [`WINDOW`]: a client may change what is there and use it at once.
const BURST: usize = 5;
/// The time within which fetches are counted.
pub(super) const WINDOW: Duration = Duration::from_mins(1);

/// The fetches of one address, as far as they count.
#[derive(Default)]
pub(super) struct FetchRate(VecDeque<SystemTime>);

impl FetchRate {
    /// What the times take at most, in bytes: room grows by doubling.
    pub(super) const MOST_BYTES: usize = BURST.next_power_of_two() * size_of::<SystemTime>();

    /// Notes a fetch that begins now, unless there were too many; whether it may.
    pub(super) fn begin(&mut self, now: SystemTime) -> bool {
        self.0.retain(|at| age(*at, now) < WINDOW);
        let may = self.0.len() < BURST;
        if may {
            self.0.push_back(now);
        }
        may
    }
}

/// How long ago that was. A clock that was set back makes nothing young again.
pub(super) fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or(Duration::MAX)
}
