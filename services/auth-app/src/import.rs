//! Taking over tokens of other systems.

mod cells;
mod ocis;
mod opencloud;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use ::token::Claims;
use authn::audit::Event;
use authn::{Caller, Claim, DirectoryError, Grants, Groups, UserId};
use tracing::field::display;
use uuid::Uuid;

pub use cells::cells;
pub use ocis::ocis;
pub use opencloud::opencloud;

use crate::applications::{Applications, ApplicationsError};
use crate::legacy_hashes::{self, Verifier};
use crate::model::{AppToken, Kind, LastUse, Life, Stored};
use crate::policy::{LONGEST_WINDOW, MAX_LABEL, SHORTEST_WINDOW};
use crate::store::ImportedToken;

/// A token as another system kept it.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its identifier there; empty if it had none.
    pub id: String,
    /// The identifier of its owner.
    pub owner_id: String,
    /// The login name of its owner; empty if it was not kept.
    pub owner_username: String,
    /// What was kept of its secret.
    pub verifier: String,
    /// What its owner calls it.
    pub label: String,
    /// How it came to be.
    pub kind: Kind,
    /// The scopes, as text.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: SystemTime,
    /// When it ends; never if there is no such moment.
    pub expires: Option<SystemTime>,
    /// The window of a sliding one.
    pub window: Option<Duration>,
    /// When it was last used.
    pub last_used: Option<SystemTime>,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It is no JSON, or JSON of another shape.
    #[error("is not a file of this kind: {0}")]
    Json(#[from] serde_json::Error),
    /// An owner cannot be read from its name in the file.
    #[error("names an owner that cannot be read: {0:?}")]
    Owner(String),
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is taken over.
    Imported,
    /// It was before.
    Known,
    /// It is over.
    Expired,
    /// The directory has no user that matches the owner.
    UnknownOwner,
    /// Its verifier, scopes or life are not understood.
    Refused,
}

impl Applications {
    /// Takes over tokens by their verifiers; with `dry_run` it only reports what it would do.
    ///
    /// # Errors
    /// When the directory or the store is unavailable; then no token is taken over.
    pub async fn import(
        &self,
        claims: &Claims,
        caller: &Caller,
        records: Vec<Record>,
        dry_run: bool,
    ) -> Result<Vec<Outcome>, ApplicationsError> {
        let mut owners = HashMap::new();
        let (mut outcomes, mut accepted) = (Vec::with_capacity(records.len()), Vec::new());
        for record in records {
            let key = (record.owner_id.clone(), record.owner_username.clone());
            if !owners.contains_key(&key) {
                let owner = self.owner_of(&record).await?;
                owners.insert(key.clone(), owner);
            }
            match owners[&key].clone().map_or(Err(Outcome::UnknownOwner), |owner| self.accept(record, owner)) {
                Ok(token) => {
                    accepted.push((outcomes.len(), token));
                    outcomes.push(Outcome::Imported);
                }
                Err(outcome) => outcomes.push(outcome),
            }
        }
        let (places, tokens): (Vec<usize>, Vec<ImportedToken>) = accepted.into_iter().unzip();
        for (place, is_new) in places.iter().zip(self.take_over(&tokens, dry_run).await?) {
            if !is_new {
                outcomes[*place] = Outcome::Known;
            }
        }
        let imported = outcomes.iter().filter(|outcome| **outcome == Outcome::Imported).count();
        if !dry_run && imported > 0 {
            audit(claims, caller, imported);
        }
        Ok(outcomes)
    }

    /// For each whether it is, or would be, new.
    async fn take_over(&self, tokens: &[ImportedToken], dry_run: bool) -> Result<Vec<bool>, ApplicationsError> {
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        if !dry_run {
            let new = self.tokens.store.import(tokens).await?;
            self.tokens.expect_legacy_hashes();
            return Ok(new);
        }
        let mut new = Vec::with_capacity(tokens.len());
        for one in tokens {
            let is_known = self.tokens.store.imported(&one.imported).await?.is_some()
                || self.tokens.store.get(one.stored.token.id).await?.is_some();
            new.push(!is_known);
        }
        Ok(new)
    }

    /// The owner as the directory knows it, by the identifier, or else by the login name, and when tokens count as imported that are now: not
    /// before the last change of the password, also where a clock that was ahead has dated that in the future.
    async fn owner_of(&self, record: &Record) -> Result<Option<(UserId, SystemTime)>, ApplicationsError> {
        let id = UserId { opaque_id: record.owner_id.clone(), ..UserId::default() };
        let mut found = self.directory.user(&id, Groups::Skip).await;
        if matches!(found, Err(DirectoryError::NotFound)) && !record.owner_username.is_empty() {
            let claim = Claim::Username(record.owner_username.clone());
            found = self.directory.user_by_claim(&claim, Groups::Skip).await;
        }
        match found {
            Ok(user) => Ok(Some((user.id.clone(), user.credential_time(self.clock.now())))),
            Err(DirectoryError::NotFound) => Ok(None),
            Err(error) => Err(ApplicationsError::Directory(error)),
        }
    }

    fn accept(&self, record: Record, (owner, at): (UserId, SystemTime)) -> Result<ImportedToken, Outcome> {
        let verifier = Verifier::parse(&record.verifier).ok_or(Outcome::Refused)?;
        let grants = Grants::parse(record.scopes.iter().map(String::as_str)).map_err(|_| Outcome::Refused)?;
        let (life, slid) = self.life_of(&record)?;
        let imported = legacy_hashes::name(&record.verifier);
        let token = AppToken {
            id: Uuid::try_parse(&record.id).unwrap_or_else(|_| id_of(&imported)),
            owner,
            kind: record.kind,
            label: record.label.chars().filter(|c| !c.is_control()).take(MAX_LABEL).collect(),
            grants,
            created: record.created,
            imported: Some(at),
            created_by: "import".to_owned(),
            life,
            slid,
            last_use: record.last_used.map(|at| LastUse { at, source: None, user_agent: String::new() }),
            revoked: None,
        };
        let fingerprint = verifier.fingerprint();
        let verifier = matches!(verifier, Verifier::Slow(_)).then_some(record.verifier);
        Ok(ImportedToken { stored: Stored { token, fingerprint }, imported, verifier })
    }

    /// As it was there, within what is allowed here.
    fn life_of(&self, record: &Record) -> Result<(Life, Option<SystemTime>), Outcome> {
        let now = self.clock.now();
        if record.expires.is_some_and(|end| end <= now) {
            return Err(Outcome::Expired);
        }
        let latest = |longest| now.checked_add(longest).ok_or(Outcome::Refused);
        let Some(window) = record.window else {
            let longest = latest(self.policy.longest)?;
            let end = match record.expires {
                None if self.policy.never => None,
                end => Some(end.map_or(longest, |end| end.min(longest))),
            };
            return Ok((Life::Fixed(end), None));
        };
        let window = window.clamp(SHORTEST_WINDOW, LONGEST_WINDOW);
        let life = Life::Sliding { window, latest: latest(self.policy.longest_sliding)? };
        // it has so long as it had there, until it is used here
        Ok((
            life,
            record.expires.or_else(|| life.slid(now)).map(|end| life.latest().map_or(end, |latest| end.min(latest))),
        ))
    }
}

/// An identifier for what had none, the same each time the file is read.
fn id_of(imported: &[u8; 32]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&imported[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn audit(claims: &Claims, caller: &Caller, count: usize) {
    Event {
        reason: &"",
        caller: &claims.user.id.opaque_id,
        source: &caller.source.map(display),
        trace_id: &display(&caller.trace_id),
        count: &count,
        ..Event::new("app_token_import", "done")
    }
    .log();
}
