//! Who acts in a user's name (RFC 8693 4.1).

use std::fmt;
use std::iter::successors;

use bounded_cache::HeapSize;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// The most actors of one chain, the current one included.
pub const MAX_ACTORS: usize = 4;
/// The longest subject of an actor, in bytes: that of the longest SPIFFE ID, which a service is named by in its certificate.
const MAX_SUBJECT: usize = 2048;

/// The party that acts in a user's name, and those that acted before it: the claim `act` (RFC 8693 4.1). Only the current
/// actor counts for a decision; the former ones are for logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Actor {
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Box<Self>>,
}

/// A claim `act` that is not an actor: without a subject, with one that is too long, or with more than [`MAX_ACTORS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("act names at most {MAX_ACTORS} actors, each by a sub of 1 to {MAX_SUBJECT} bytes")]
pub struct InvalidActor;

impl Actor {
    /// The actor that a claim `act` names; `None` if the claim is left out or `null`.
    ///
    /// # Errors
    /// [`InvalidActor`]: a delegation that cannot be read must not count as none.
    pub fn read(claim: Option<&Value>) -> Result<Option<Self>, InvalidActor> {
        match claim {
            None | Some(Value::Null) => Ok(None),
            Some(claim) => Self::deserialize(claim).map(Some).map_err(|_| InvalidActor),
        }
    }

    /// The same actor, who took over from former ones.
    ///
    /// # Errors
    /// [`InvalidActor`] if there are too many.
    pub fn nested_in(self, former: Self) -> Result<Self, InvalidActor> {
        let chain = Self { sub: self.sub, act: Some(Box::new(former)) };
        if chain.subjects().count() > MAX_ACTORS { Err(InvalidActor) } else { Ok(chain) }
    }

    /// The identifier of the current actor.
    pub fn subject(&self) -> &str {
        &self.sub
    }

    /// The identifiers of all actors, the current one first.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        successors(Some(self), |actor| actor.act.as_deref()).map(Self::subject)
    }
}

impl TryFrom<Map<String, Value>> for Actor {
    type Error = InvalidActor;

    /// The actor of a claim; members other than `sub` and `act` are dropped.
    fn try_from(claim: Map<String, Value>) -> Result<Self, InvalidActor> {
        let subject = claim.get("sub").and_then(Value::as_str).filter(|sub| (1..=MAX_SUBJECT).contains(&sub.len()));
        let actor = Self::from(subject.ok_or(InvalidActor)?);
        match Self::read(claim.get("act"))? {
            Some(former) => actor.nested_in(former),
            None => Ok(actor),
        }
    }
}

impl From<String> for Actor {
    /// An actor without former ones.
    fn from(sub: String) -> Self {
        Self { sub, act: None }
    }
}

impl From<&str> for Actor {
    /// An actor without former ones.
    fn from(sub: &str) -> Self {
        Self::from(sub.to_owned())
    }
}

/// The identifiers, the current one first: `c < b < a`.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, subject) in self.subjects().enumerate() {
            f.write_str(if index == 0 { "" } else { " < " })?;
            f.write_str(subject)?;
        }
        Ok(())
    }
}

impl HeapSize for Actor {
    fn heap_size(&self) -> usize {
        let Self { sub, act } = self;
        sub.heap_size() + act.as_ref().map_or(0, |former| size_of::<Self>() + former.heap_size())
    }
}
