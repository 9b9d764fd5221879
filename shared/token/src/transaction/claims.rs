use std::time::{SystemTime, UNIX_EPOCH};

use authn::{Actor, UserType};
use oidc::claims;
use oidc::scope::Scopes;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::names::{ACTOR, CONTEXT, DETAILS, REQUESTERS, SCOPE, SUBJECT_TYPE, TRANSACTION};
use super::{MAX_LIFETIME, Requesters, TransactionDefect};
use crate::LEEWAY;

/// The longest `txn`, `iss` and `aud`, in bytes.
const MAX_TEXT: usize = 255;
/// The longest `req_wl`, in bytes: it has to fit into the token anyway.
const MAX_REQUESTER_TEXT: usize = super::MAX_TRANSACTION_TOKEN;

/// What the subject of a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectType {
    /// A user, by its identifier in the directory.
    User,
    /// A guest, or a user of another installation. The identifier may be a mail address, or one that another directory has given, so that
    /// it may equal that of a user.
    Guest,
    /// A client or service account that acts for itself.
    Workload,
}

/// What a transaction token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionClaims {
    /// Who has signed it (`iss`): the trust domain.
    pub issuer: String,
    /// The trust domain in which it is valid (`aud`).
    pub audience: String,
    /// The transaction (`txn`), the same in all tokens that replace one another.
    pub transaction: String,
    /// Whose transaction it is (`sub`).
    pub subject: String,
    /// What `subject` identifies.
    pub subject_type: SubjectType,
    /// What the token is for; never empty.
    pub scope: Scopes,
    /// The details of the transaction (`tctx`), without the type of the subject.
    pub details: Map<String, Value>,
    /// The environment of the request (`rctx`).
    pub context: Map<String, Value>,
    /// Who has requested the token, and those that it replaces (`req_wl`).
    pub requesters: Requesters,
    /// Who acts for the subject, if another party does (`act`).
    pub actor: Option<Actor>,
    /// When it was issued (`iat`), in whole seconds.
    pub issued_at: SystemTime,
    /// When it ends (`exp`), in whole seconds.
    pub expires_at: SystemTime,
}

impl SubjectType {
    const ALL: [Self; 3] = [Self::User, Self::Guest, Self::Workload];

    /// The type of the subject that has an identifier of this type.
    pub const fn of(kind: UserType) -> Self {
        match kind {
            UserType::Invalid | UserType::Primary | UserType::Secondary | UserType::SpaceOwner => Self::User,
            UserType::Guest | UserType::Federated | UserType::Lightweight => Self::Guest,
            UserType::Service | UserType::Application => Self::Workload,
        }
    }

    /// The type as it stands in the token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Guest => "guest",
            Self::Workload => "workload",
        }
    }
}

impl TransactionClaims {
    /// When the token ends, in seconds since 1970.
    pub fn expires_seconds(&self) -> u64 {
        seconds(self.expires_at)
    }

    /// The claims of a token whose signature is verified, if they are valid at `now` in this trust domain.
    pub(super) fn read(
        values: &Map<String, Value>,
        trust_domain: &str,
        now: SystemTime,
    ) -> Result<Self, TransactionDefect> {
        if values.get("iss").and_then(Value::as_str) != Some(trust_domain) {
            return Err(TransactionDefect::Issuer);
        }
        // a list would be a token for several domains, or the beginning of one
        if values.get("aud").and_then(Value::as_str) != Some(trust_domain) {
            return Err(TransactionDefect::Audience);
        }
        let (issued_at, expires_at) = times(values, now)?;
        let mut details = object(values, DETAILS)?;
        let subject_type = details.remove(SUBJECT_TYPE).ok_or(TransactionDefect::Claims)?;
        Ok(Self {
            issuer: trust_domain.to_owned(),
            audience: trust_domain.to_owned(),
            transaction: text(values, TRANSACTION, MAX_TEXT)?.to_owned(),
            subject: text(values, "sub", MAX_TEXT)?.to_owned(),
            subject_type: subject_type_of(&subject_type)?,
            scope: scope(values)?,
            details,
            context: if values.contains_key(CONTEXT) { object(values, CONTEXT)? } else { Map::new() },
            requesters: requesters(values)?,
            actor: Actor::read(values.get(ACTOR)).map_err(|_| TransactionDefect::Claims)?,
            issued_at,
            expires_at,
        })
    }
}

/// `iat` and `exp`, if the token is valid at this time.
fn times(values: &Map<String, Value>, now: SystemTime) -> Result<(SystemTime, SystemTime), TransactionDefect> {
    let time = |name| claims::time(values, name).ok().flatten().ok_or(TransactionDefect::Claims);
    let (issued_at, expires_at) = (time("iat")?, time("exp")?);
    if expires_at + LEEWAY <= now {
        return Err(TransactionDefect::Expired);
    }
    if issued_at > now + LEEWAY {
        return Err(TransactionDefect::NotYetValid);
    }
    let lifetime = expires_at.duration_since(issued_at).map_err(|_| TransactionDefect::Lifetime)?;
    if lifetime > MAX_LIFETIME { Err(TransactionDefect::Lifetime) } else { Ok((issued_at, expires_at)) }
}

fn text<'a>(values: &'a Map<String, Value>, name: &'static str, max: usize) -> Result<&'a str, TransactionDefect> {
    claims::text(values, name, max).ok().flatten().ok_or(TransactionDefect::Claims)
}

fn scope(values: &Map<String, Value>) -> Result<Scopes, TransactionDefect> {
    let scope: Scopes = text(values, SCOPE, oidc::scope::MAX_BYTES)?.parse().map_err(|_| TransactionDefect::Claims)?;
    if scope.is_empty() { Err(TransactionDefect::Claims) } else { Ok(scope) }
}

fn requesters(values: &Map<String, Value>) -> Result<Requesters, TransactionDefect> {
    text(values, REQUESTERS, MAX_REQUESTER_TEXT)?.parse().map_err(|_| TransactionDefect::Claims)
}

fn object(values: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, TransactionDefect> {
    values.get(name).and_then(Value::as_object).cloned().ok_or(TransactionDefect::Claims)
}

fn subject_type_of(value: &Value) -> Result<SubjectType, TransactionDefect> {
    let known = SubjectType::ALL.into_iter().find(|kind| value.as_str() == Some(kind.name()));
    known.ok_or(TransactionDefect::Claims)
}

/// Whole seconds since the epoch.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The claims of the token. They are written from borrowed data, without a tree of values: that would take as long as a part
/// of the signature.
impl Serialize for TransactionClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("iss", &self.issuer)?;
        map.serialize_entry("aud", &self.audience)?;
        map.serialize_entry(TRANSACTION, &self.transaction)?;
        map.serialize_entry("sub", &self.subject)?;
        map.serialize_entry(SCOPE, &Joined(&self.scope))?;
        map.serialize_entry(DETAILS, &Details(self.subject_type, &self.details))?;
        if !self.context.is_empty() {
            map.serialize_entry(CONTEXT, &self.context)?;
        }
        map.serialize_entry(REQUESTERS, &self.requesters)?;
        if let Some(actor) = &self.actor {
            map.serialize_entry(ACTOR, actor)?;
        }
        map.serialize_entry("iat", &seconds(self.issued_at))?;
        map.serialize_entry("exp", &seconds(self.expires_at))?;
        map.end()
    }
}

/// A scope as one text.
struct Joined<'a>(&'a Scopes);

impl Serialize for Joined<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

/// The details with the type of the subject.
struct Details<'a>(SubjectType, &'a Map<String, Value>);

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(subject_type, details) = self;
        let mut map = serializer.serialize_map(Some(details.len() + 1))?;
        map.serialize_entry(SUBJECT_TYPE, subject_type.name())?;
        for (name, value) in *details {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
