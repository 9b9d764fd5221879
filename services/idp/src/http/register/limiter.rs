//! How often one source may do something. All replicas count together.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::StatusCode;
use oidc::error::ErrorCode;
use store::StoreError;

use crate::engine::error::OAuthError;
use crate::engine::network::network;
use crate::engine::provider::Provider;
use crate::http::error::ErrorResponse;
use crate::store::Rate;

/// More sources than this are not counted at the same time: new ones are refused meanwhile.
const MOST_SOURCES: u64 = 10_000;

/// What is limited. The numbers are in the database, where wrong credentials of service accounts have 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    /// Registrations of clients.
    Registrations = 1,
    /// Requests for links to set a password.
    LinkRequests = 2,
    /// The same of all sources together.
    AllLinkRequests = 3,
    /// Uses of links to set a password.
    PasswordLinks = 4,
    /// Uses of links to verify a mail address.
    MailLinks = 5,
}

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LimitError {
    /// It was done too often; for how many seconds to wait, at least one.
    #[error("too often: try again in {0} s")]
    TooOften(u64),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LimitError> for ErrorResponse {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::TooOften(seconds) => {
                let error =
                    OAuthError::new(ErrorCode::TemporarilyUnavailable, "too many registrations: try again later");
                let response = Self::from(error).with_status(StatusCode::TOO_MANY_REQUESTS);
                Self { retry_after: Some(seconds), ..response }
            }
            LimitError::Store(error) => error.into(),
        }
    }
}

/// Counts by source.
#[derive(Clone)]
pub(crate) struct Limiter {
    provider: Provider,
    rate: Rate,
}

impl Limiter {
    /// At most so much a minute from one source.
    pub(crate) fn per_minute(provider: &Provider, limited: Limited, most: NonZeroU32) -> Self {
        Self::new(provider, limited, most, Duration::from_mins(1))
    }

    /// At most so much an hour from one source.
    pub(crate) fn per_hour(provider: &Provider, limited: Limited, most: NonZeroU32) -> Self {
        Self::new(provider, limited, most, Duration::from_hours(1))
    }

    fn new(provider: &Provider, limited: Limited, most: NonZeroU32, period: Duration) -> Self {
        let rate = Rate { kind: limited as i32, most, period, most_keys: MOST_SOURCES };
        Self { provider: provider.clone(), rate }
    }

    /// Takes one of what a source may do. All that have no address are one source.
    ///
    /// # Errors
    /// [`LimitError`].
    pub(crate) async fn take(&self, source: Option<IpAddr>) -> Result<(), LimitError> {
        let now = self.provider.clock.now();
        let network = network(source.unwrap_or(Ipv6Addr::UNSPECIFIED.into()));
        let key = format!("{} {network}", self.rate.kind);
        let outcome = self.provider.store.take(&self.rate, crypto::fingerprint(key.as_bytes()), now).await?;
        outcome.map_err(|wait| LimitError::TooOften(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)))
    }
}
