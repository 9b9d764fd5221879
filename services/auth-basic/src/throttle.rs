//! Delays for whoever guesses passwords, without locking anyone else out.
//!
//! An account has no budget of its own, for then anyone could lock its owner out. What is counted:
//! - failures of one *login from one source*, before it is known whose login it is, and of one *account from one source* after
//!   that, whatever the account is called: some are free, then each costs a delay, twice as long each time;
//! - failures of one *account at one device* in place of both, where idp vouches that the account has signed in there;
//! - failures of one *source* over all accounts, a generous number a minute, against trying one password on everybody.
//!   An account that has signed in from there before is spared, and so is a known device.
//!
//! All of it is decided before any password is hashed, and forgotten in time.

mod counts;
mod record;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{AuthError, Caller, Login};
use store::StoreError;

pub(crate) use counts::{Change, Counts, Memory};
pub(crate) use record::Record;

use crate::digest::{Digest, Digester};

/// How failures are counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How many failures of an account from one source cost nothing.
    pub free: u32,
    /// The delay after the last free one; it doubles with each further failure.
    pub first_delay: Duration,
    /// The longest delay.
    pub longest_delay: Duration,
    /// After so long without a failure they are forgotten.
    pub forget_after: Duration,
    /// How long it is remembered that an account has signed in from a source.
    pub known_for: Duration,
    /// How many failures a minute one source may have over all accounts; 0 is any number.
    pub per_source: u32,
    /// How many records are kept; those without a delay are removed first.
    pub capacity: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            free: 5,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_mins(15),
            forget_after: Duration::from_hours(1),
            known_for: Duration::from_hours(30 * 24),
            per_source: 100,
            capacity: 1_000_000,
        }
    }
}

/// Why an attempt may not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ThrottleError {
    /// There were too many failures.
    #[error("too many failures")]
    Wait(Duration),
    /// The counts cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ThrottleError> for AuthError {
    fn from(error: ThrottleError) -> Self {
        match error {
            ThrottleError::Wait(retry_after) => Self::Busy { retry_after },
            ThrottleError::Store(error) => Self::Unavailable { service: "passwords", source: Box::new(error) },
        }
    }
}

/// The counts. What they are about is identified by digests only.
#[derive(Clone)]
pub(crate) struct Throttle {
    rules: Rules,
    digester: Digester,
    counts: Arc<dyn Counts>,
}

/// What an attempt is counted under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// The login, and the account once it is known, each from the attempt's source; or the account at a known device.
    accounts: Vec<Digest>,
    source: Option<Digest>,
}

impl Keys {
    fn all(&self) -> Vec<Digest> {
        self.accounts.iter().copied().chain(self.source).collect()
    }
}

impl Throttle {
    pub(crate) fn new(rules: Rules, digester: Digester, counts: Arc<dyn Counts>) -> Self {
        Self { rules, digester, counts }
    }

    /// What an attempt with this login is counted under, before it is known whose login it is.
    pub(crate) fn keys(&self, login: &Login, caller: &Caller) -> Keys {
        let place = place(caller.source);
        let login = self.digester.digest(&[b"login", login.throttle_key().as_bytes(), place.as_bytes()]);
        // sources that are not known share no budget: it would be everybody's
        let source = caller.source.filter(|_| self.rules.per_source > 0);
        let source = source.map(|_| self.digester.digest(&[b"source", place.as_bytes()]));
        Keys { accounts: vec![login], source }
    }

    /// The same for the account that the login belongs to.
    pub(crate) fn keys_of_account(&self, login: &Login, user_id: &str, caller: &Caller) -> Keys {
        if let Some(device) = caller.device.as_ref().filter(|device| device.user_id == user_id) {
            let key = self.digester.digest(&[b"device", user_id.as_bytes(), device.id.as_bytes()]);
            return Keys { accounts: vec![key], source: None };
        }
        let mut keys = self.keys(login, caller);
        let place = place(caller.source);
        keys.accounts.push(self.digester.digest(&[b"account", user_id.as_bytes(), place.as_bytes()]));
        keys
    }

    /// Whether an attempt may be made at all.
    pub(crate) async fn check(&self, now: SystemTime, keys: &Keys) -> Result<(), ThrottleError> {
        let records = self.counts.read(&keys.all()).await?;
        check(now, &records, keys.accounts.len()).map_err(ThrottleError::Wait)
    }

    /// Begins an attempt: it counts as a failure until it is known to be none, so that many at the same time count as many.
    pub(crate) async fn begin(&self, now: SystemTime, keys: Keys) -> Result<Attempt, ThrottleError> {
        let (all, accounts) = (keys.all(), keys.accounts.len());
        let change = |records: &mut [Record]| {
            check(now, records, accounts)?;
            let (accounts, sources) = records.split_at_mut(accounts);
            if !accounts.iter().any(|account| account.is_known) {
                for source in sources {
                    source.fail_source(now, &self.rules);
                }
            }
            for account in accounts {
                account.fail(now, &self.rules);
            }
            Ok(())
        };
        self.counts.change(&all, &change).await?.map_err(ThrottleError::Wait)?;
        Ok(Attempt { throttle: self.clone(), keys })
    }

    /// Removes what is over and what is too much.
    pub(crate) async fn prune(&self, now: SystemTime) -> Result<(), StoreError> {
        self.counts.prune(now, &self.rules, self.rules.capacity).await
    }
}

/// The records of accounts, and after them that of the source, if there is one.
fn check(now: SystemTime, records: &[Record], accounts: usize) -> Result<(), Duration> {
    let (accounts, sources) = records.split_at(accounts);
    let spared = accounts.iter().any(|account| account.is_known);
    let concerned = accounts.iter().chain(sources.iter().filter(|_| !spared));
    concerned.filter_map(|record| record.check(now).err()).max().map_or(Ok(()), Err)
}

/// An attempt under way. Dropped as it is, it stays a failure.
pub(crate) struct Attempt {
    throttle: Throttle,
    keys: Keys,
}

impl Attempt {
    /// The password was right: earlier failures of this account from this source are forgiven. That this cannot be written
    /// changes nothing for the user.
    pub(crate) async fn succeeded(self, now: SystemTime) {
        self.end(|accounts| accounts.iter_mut().for_each(|account| account.forgive(now))).await;
    }

    /// There was no verdict: nothing happened.
    pub(crate) async fn cancelled(self) {
        let free = self.throttle.rules.free;
        self.end(|accounts| accounts.iter_mut().for_each(|account| account.take_back(free))).await;
    }

    async fn end(&self, accounts_end: impl Fn(&mut [Record]) + Send + Sync) {
        let Self { throttle, keys } = self;
        let accounts = keys.accounts.len();
        let change = |records: &mut [Record]| {
            let (accounts, sources) = records.split_at_mut(accounts);
            // where the account was known the source was not charged
            if !accounts.iter().any(|account| account.is_known) {
                for source in sources {
                    source.take_back(throttle.rules.per_source);
                }
            }
            accounts_end(accounts);
            Ok(())
        };
        if let Err(error) = throttle.counts.change(&keys.all(), &change).await {
            tracing::warn!(%error, "a failure that was none stays counted");
        }
    }
}

/// Where an attempt comes from. An IPv6 client has at least 2^64 addresses: they are one source.
fn place(source: Option<IpAddr>) -> String {
    match source.map(|source| source.to_canonical()) {
        None => "unknown".to_owned(),
        Some(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).to_string(),
        Some(address @ IpAddr::V4(_)) => address.to_string(),
    }
}

#[cfg(test)]
mod tests;
