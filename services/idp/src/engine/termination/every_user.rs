//! Signs out all users, some of them at a time: each end is a few statements, and there may be many thousands.

use std::fmt;
use std::str::FromStr;

use store::StoreError;

use super::end_everywhere;
use crate::engine::provider::Provider;
use crate::store::Begun;

/// How many users are signed out at a time: few enough for the timeout of a call.
const AT_ONCE: u64 = 50;

/// How far it has come. Users are signed out in the order of their identifiers, those with sessions before those with refresh tokens
/// alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// All users with sessions up to this one are signed out.
    Sessions(String),
    /// All users with sessions, and those with refresh tokens up to this one.
    Grants(String),
}

/// A text that is no stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("page_token is not one that was returned")]
pub(crate) struct StageError;

impl Default for Stage {
    fn default() -> Self {
        Self::Sessions(String::new())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sessions(after) => write!(f, "sessions.{after}"),
            Self::Grants(after) => write!(f, "grants.{after}"),
        }
    }
}

impl FromStr for Stage {
    type Err = StageError;

    fn from_str(text: &str) -> Result<Self, StageError> {
        match text.split_once('.') {
            Some(("sessions", after)) => Ok(Self::Sessions(after.to_owned())),
            Some(("grants", after)) => Ok(Self::Grants(after.to_owned())),
            _ => Err(StageError),
        }
    }
}

/// Signs out the next users, but never the one with the identifier `but`. Returns them and the stage after them; `None` after the
/// last ones.
///
/// # Errors
/// When the database does not take it; trying again from the same stage is safe.
pub(crate) async fn end_some(
    provider: &Provider,
    from: &Stage,
    but: &str,
) -> Result<(Vec<String>, Option<Stage>), StoreError> {
    let now = provider.clock.now();
    let found = match from {
        Stage::Sessions(after) => provider.store.people_with_sessions(after, AT_ONCE, now).await?,
        Stage::Grants(after) => provider.store.people_with_grants(after, AT_ONCE, now).await?,
    };
    let last = found.last().map(|begun| begun.person.clone());
    let next = match (from, last) {
        (Stage::Sessions(_), Some(last)) => Some(Stage::Sessions(last)),
        (Stage::Sessions(_), None) => Some(Stage::Grants(String::new())),
        (Stage::Grants(_), Some(last)) => Some(Stage::Grants(last)),
        (Stage::Grants(_), None) => None,
    };
    let mut users = Vec::with_capacity(found.len());
    for Begun { person, .. } in found.into_iter().filter(|begun| begun.person != but) {
        end_everywhere(provider, &person).await?;
        users.push(person);
    }
    Ok((users, next))
}
