//! Delays password guessing without locking out other users.
//!
//! No failures of others lock the owner of an account out where the owner has signed in before. What is counted:
//! - failures of one *login from one source*, before it is known whose login it is, and of one *account from one source* after
//!   that, whatever the account is called: some are free, then each costs a delay, twice as long each time;
//! - failures of one *account at one device* in place of both, where idp states that the account has signed in there;
//! - failures of one *source* over all accounts, a generous number a minute, against trying one password on all accounts.
//!   An account that has signed in from there before is spared, and so is a known device;
//! - failures of one *account from all places* where it has not signed in before, a hundred a day (NIST SP 800-63B-4 3.2.2), against guessing
//!   from many addresses; and of these a quarter from one *network*, so that no single one can use them up. After that the
//!   account cannot sign in from another place until time has passed or a new password is set; its known devices and
//!   places are not affected.
//!
//! All of it is decided before any password is hashed, and forgotten in time.

mod counts;
mod record;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{AuthError, Caller, Login};
use crypto::HmacKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::StoreError;

pub(crate) use counts::{Change, Counts, Memory};
pub(crate) use record::{Record, SKEW};

use crate::digest::Digest;

/// How failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Rules {
    /// How many wrong passwords for one login from one address cost nothing.
    #[serde(rename = "free_failures")]
    #[schemars(extend("x-env" = ["<P>_THROTTLE_FREE_FAILURES"], "minimum" = 1))]
    pub free: u32,
    /// How long that address has to wait after the last free one. It doubles with each further failure.
    #[schemars(extend("x-env" = ["<P>_THROTTLE_FIRST_DELAY"]))]
    pub first_delay: Duration,
    /// The longest that address has to wait.
    #[schemars(extend("x-env" = ["<P>_THROTTLE_LONGEST_DELAY"]))]
    pub longest_delay: Duration,
    /// After so long without a failure they are forgotten.
    #[serde(skip)]
    pub forget_after: Duration,
    /// How long it is remembered that an account has signed in from a source.
    #[serde(skip)]
    pub known_for: Duration,
    /// How many wrong passwords a minute one address may have over all logins it never signed in with. Any number if 0.
    #[serde(rename = "source_failures")]
    #[schemars(extend("x-env" = ["<P>_THROTTLE_SOURCE_FAILURES"]))]
    pub per_source: u32,
    /// How many wrong passwords a day one account may have from all addresses and browsers that it never signed in with, a
    /// quarter of them from one network (/24, /48). After that it signs in with those it knows only, until time has passed
    /// or its password is set anew. Any number if 0.
    #[serde(rename = "account_failures")]
    #[schemars(extend("x-env" = ["<P>_THROTTLE_ACCOUNT_FAILURES"]))]
    pub per_account: u32,
    /// How many records are kept; those without a delay are removed first.
    #[serde(skip)]
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
            per_account: 100,
            capacity: 1_000_000,
        }
    }
}

const DAY: Duration = Duration::from_hours(24);

impl Rules {
    /// How long a record without a success is kept: as long as any of its failures counts.
    pub(crate) fn kept_for(&self) -> Duration {
        self.forget_after.max(DAY)
    }

    /// The failures that one source may have over all accounts; none counts if any number may be.
    fn of_source(&self) -> Option<Limit> {
        (self.per_source > 0).then_some(Limit { most: self.per_source, period: Duration::from_mins(1) })
    }

    /// Those that an account may have from all places where it has not signed in before.
    fn of_account(&self) -> Option<Limit> {
        (self.per_account > 0).then_some(Limit { most: self.per_account, period: DAY })
    }

    /// Those of them that may come from one network.
    fn of_network(&self) -> Option<Limit> {
        self.of_account().map(|limit| Limit { most: (limit.most / 4).max(1), ..limit })
    }
}

/// How many failures may be in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) most: u32,
    pub(crate) period: Duration,
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
    digester: HmacKey,
    counts: Arc<dyn Counts>,
}

/// What an attempt is counted under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// The login, and the account once it is known, each from the attempt's source; or the account at a known device.
    accounts: Vec<Digest>,
    /// What is shared with others, and does not count where the account has signed in before.
    shared: Vec<(Digest, Limit)>,
}

impl Keys {
    fn all(&self) -> Vec<Digest> {
        self.accounts.iter().copied().chain(self.shared.iter().map(|(key, _)| *key)).collect()
    }
}

impl Throttle {
    pub(crate) fn new(rules: Rules, digester: HmacKey, counts: Arc<dyn Counts>) -> Self {
        Self { rules, digester, counts }
    }

    /// What an attempt with this login is counted under, before it is known whose login it is.
    pub(crate) fn keys(&self, login: &Login, caller: &Caller) -> Keys {
        let name = login.throttle_key();
        // like an account's, or the answers would tell which logins there are
        let shared = self.shared(&[b"login", name.as_bytes()], caller);
        let place = place(caller.source);
        let login = self.digester.digest_of_parts(&[b"login", name.as_bytes(), place.as_bytes()]);
        Keys { accounts: vec![login], shared }
    }

    fn shared(&self, account: &[&[u8]; 2], caller: &Caller) -> Vec<(Digest, Limit)> {
        let digest = |what: &[u8], parts: &[&[u8]]| self.digester.digest_of_parts(&[&[what][..], parts].concat());
        let [kind, name] = *account;
        let everywhere = self.rules.of_account().map(|limit| (digest(b"everywhere", &[kind, name]), limit));
        // unknown sources get no budget: all callers would share it
        let of_source = caller.source.into_iter().flat_map(|source| {
            let (place, network) = (place(Some(source)), network(source));
            let network =
                self.rules.of_network().map(|limit| (digest(b"network", &[kind, name, network.as_bytes()]), limit));
            network
                .into_iter()
                .chain(self.rules.of_source().map(|limit| (digest(b"source", &[place.as_bytes()]), limit)))
        });
        everywhere.into_iter().chain(of_source).collect()
    }

    /// The same for the account that the login belongs to; `stamp` is another one where the password is.
    pub(crate) fn keys_of_account(&self, login: &Login, user_id: &str, stamp: &[u8], caller: &Caller) -> Keys {
        if let Some(device) = caller.device.as_ref().filter(|device| device.user_id == user_id) {
            let key = self.digester.digest_of_parts(&[b"device", user_id.as_bytes(), device.id.as_bytes()]);
            return Keys { accounts: vec![key], shared: Vec::new() };
        }
        let mut keys = self.keys(login, caller);
        let place = place(caller.source);
        keys.accounts.push(self.digester.digest_of_parts(&[b"account", user_id.as_bytes(), place.as_bytes()]));
        let account = self.digester.digest_of_parts(&[user_id.as_bytes(), stamp]);
        keys.shared = self.shared(&[b"account", &account], caller);
        keys
    }

    /// Whether an attempt may be made at all.
    pub(crate) async fn check(&self, now: SystemTime, keys: &Keys) -> Result<(), ThrottleError> {
        let mut records = self.counts.read(&keys.all()).await?;
        verdict(now, &mut records, keys.accounts.len()).map_err(ThrottleError::Wait)
    }

    /// Begins an attempt: it counts as a failure until it is known to be none, so that many at the same time count as many.
    pub(crate) async fn begin(&self, now: SystemTime, keys: Keys) -> Result<Attempt, ThrottleError> {
        let (all, accounts) = (keys.all(), keys.accounts.len());
        let change = |records: &mut [Record]| {
            verdict(now, records, accounts)?;
            let (accounts, shared) = records.split_at_mut(accounts);
            if !accounts.iter().any(|account| account.is_known) {
                for (record, (_, limit)) in shared.iter_mut().zip(&keys.shared) {
                    record.fail_within(now, *limit);
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

/// Whether an attempt may be made: the records of accounts, and after them those that are shared.
fn verdict(now: SystemTime, records: &mut [Record], accounts: usize) -> Result<(), Duration> {
    for record in records.iter_mut() {
        record.correct(now);
    }
    let (accounts, shared) = records.split_at(accounts);
    let is_spared = accounts.iter().any(|account| account.is_known);
    let concerned = accounts.iter().chain(shared.iter().filter(|_| !is_spared));
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
            let (accounts, shared) = records.split_at_mut(accounts);
            // where the account was known the others were not charged
            if !accounts.iter().any(|account| account.is_known) {
                for (record, (_, limit)) in shared.iter_mut().zip(&keys.shared) {
                    record.take_back(limit.most);
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

/// The network that an attempt comes from: whoever has one address of it may well have all.
fn network(source: IpAddr) -> String {
    match source.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & !0xff).to_string(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !(u128::MAX >> 48)).to_string(),
    }
}

#[cfg(test)]
mod tests;
