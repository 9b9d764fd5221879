//! How often one source may do something.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::{Duration, UNIX_EPOCH};

use axum::http::StatusCode;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use oidc::error::ErrorCode;
use runtime::Clock;

use crate::engine::error::OAuthError;
use crate::http::error::ErrorResponse;

/// Sources after which those that have been silent are forgotten, and more than which are not counted at the same time.
const MOST_SOURCES: usize = 10_000;
/// After how many seconds one that is not counted may try again: by then all others have been silent or waited.
const MINUTE: u64 = 60;

/// The service's clock, as the limiter reads it.
#[derive(Clone, Debug)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// Counts by source.
pub(crate) struct Limiter {
    limiter: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, Ticks, NoOpMiddleware<Duration>>,
    ticks: Ticks,
}

impl Limiter {
    /// At most so many registrations a minute from one source.
    pub(super) fn new(clock: Clock, rate: NonZeroU32) -> Self {
        Self::with_quota(clock, Quota::per_minute(rate))
    }

    /// At most so much from one source.
    pub(crate) fn with_quota(clock: Clock, quota: Quota) -> Self {
        let ticks = Ticks(clock);
        let limiter = RateLimiter::new(quota, DashMapStateStore::default(), ticks.clone());
        Self { limiter, ticks }
    }

    /// Lets one registration through, or says how long to wait.
    pub(super) fn check(&self, source: Option<IpAddr>) -> Result<(), ErrorResponse> {
        self.take(source).map_err(too_many)
    }

    /// Takes one of what a source may do, or says how many seconds to wait.
    pub(crate) fn take(&self, source: Option<IpAddr>) -> Result<(), u64> {
        if self.limiter.len() > MOST_SOURCES {
            self.limiter.retain_recent();
            if self.limiter.len() > MOST_SOURCES {
                return Err(MINUTE);
            }
        }
        self.limiter.check_key(&network(source)).map_err(|until| {
            let wait = until.wait_time_from(self.ticks.now());
            wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
        })
    }
}

fn too_many(seconds: u64) -> ErrorResponse {
    let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, "too many registrations: try again later");
    let response = ErrorResponse::from(error).with_status(StatusCode::TOO_MANY_REQUESTS);
    ErrorResponse { retry_after: Some(seconds.max(1)), ..response }
}

/// A holder of one IPv6 address has 2^64 of them.
fn network(source: Option<IpAddr>) -> IpAddr {
    match source {
        Some(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        Some(address) => address,
        None => Ipv6Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_sources_than_are_counted_register_nothing() {
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let limiter = Limiter::new(clock.clone(), NonZeroU32::new(10).expect("is not zero"));
        let source = |number: u32| Some(IpAddr::from(number.to_be_bytes()));
        let most = u32::try_from(MOST_SOURCES).expect("is not many");
        for number in 0..=most {
            limiter.check(source(number)).expect("is let through");
        }
        let refusal = limiter.check(source(most + 1)).expect_err("there is no room to count it");
        assert_eq!((refusal.status, refusal.retry_after), (Some(StatusCode::TOO_MANY_REQUESTS), Some(60)));
        clock.advance(Duration::from_mins(1));
        limiter.check(source(most + 1)).expect("the others have been silent");
    }

    #[test]
    fn ten_a_minute_are_let_through_for_each_source() {
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let limiter = Limiter::new(clock.clone(), NonZeroU32::new(10).expect("is not zero"));
        let source = |text: &str| Some(text.parse().expect("an address"));
        for _ in 0..10 {
            limiter.check(source("2001:db8::1")).expect("is let through");
        }
        let refusal = limiter.check(source("2001:db8::2")).expect_err("is the same network");
        assert_eq!((refusal.status, refusal.retry_after), (Some(StatusCode::TOO_MANY_REQUESTS), Some(6)));
        limiter.check(source("2001:db8:0:1::1")).expect("is another network");
        limiter.check(source("192.0.2.1")).expect("is another source");
        clock.advance(Duration::from_secs(6));
        limiter.check(source("2001:db8::1")).expect("has waited");
        limiter.check(source("2001:db8::1")).expect_err("has not waited again");
    }
}
