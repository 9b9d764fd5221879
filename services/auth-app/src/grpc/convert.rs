//! Between messages of `AppTokensAPI` and the domain.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authn::{GrantError, Grants};
use proto::doorward::apptokens::v1::{
    CreateTokenRequest, ImportedToken, Kind as Word, PersonRef as WirePerson, Token, create_token_request, person_ref,
};
use store::columns::time;

use crate::applications::{PersonRef, TokenRequest};
use crate::import::Record;
use crate::model::{AppToken, Kind, Life};
use crate::policy::LifetimeRequest;

pub(super) fn person(who: Option<WirePerson>) -> PersonRef {
    match who.and_then(|who| who.by) {
        Some(person_ref::By::Username(name)) => PersonRef { username: Some(name), id: None },
        Some(person_ref::By::Id(id)) => PersonRef { id: Some(id), username: None },
        None => PersonRef::default(),
    }
}

/// No scope at all is the whole of it here: that is what the documented command lines mean by saying nothing.
pub(super) fn token_request(request: CreateTokenRequest) -> Result<TokenRequest, GrantError> {
    let kind = kind(request.kind());
    let CreateTokenRequest { label, scopes, life, max_lifetime, .. } = request;
    let life = match life {
        None => LifetimeRequest::Usual,
        Some(create_token_request::Life::ExpiresIn(after)) => LifetimeRequest::For(seconds(after)),
        Some(create_token_request::Life::Window(window)) => {
            LifetimeRequest::Sliding { window: seconds(window), max_lifetime: max_lifetime.map(seconds) }
        }
    };
    Ok(TokenRequest { label, grants: grants(&scopes)?, life, kind })
}

fn grants(words: &[String]) -> Result<Grants, GrantError> {
    if words.is_empty() { Ok(Grants::user()) } else { Grants::parse(words.iter().map(String::as_str)) }
}

fn kind(word: Word) -> Kind {
    match word {
        Word::Unspecified | Word::App => Kind::App,
        Word::Personal => Kind::Personal,
        Word::Impersonated => Kind::Impersonated,
    }
}

pub(crate) fn word(kind: Kind) -> Word {
    match kind {
        Kind::App => Word::App,
        Kind::Personal => Word::Personal,
        Kind::Impersonated => Word::Impersonated,
    }
}

/// Negative ones are none: the policy refuses them.
fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

/// Seconds since the epoch, as messages have them, as a time.
pub(super) fn moment(seconds: i64) -> SystemTime {
    time(seconds.saturating_mul(1_000_000))
}

/// Seconds since the epoch, as messages have them.
pub(crate) fn epoch(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn token(token: &AppToken) -> Token {
    let (window, latest) = match token.life {
        Life::Fixed(_) => (None, None),
        Life::Sliding { window, latest } => (i64::try_from(window.as_secs()).ok(), Some(epoch(latest))),
    };
    let last = token.last_use.as_ref();
    Token {
        id: token.id.to_string(),
        owner_id: token.owner.opaque_id.clone(),
        kind: word(token.kind).into(),
        label: token.label.clone(),
        scopes: token.grants.words(),
        created: epoch(token.created),
        created_by: token.created_by.clone(),
        expires: token.end().map(epoch),
        window,
        latest,
        last_used: last.map(|last| epoch(last.at)),
        last_used_from: last.and_then(|last| last.source).map(|source| source.to_string()).unwrap_or_default(),
        last_used_by: last.map(|last| last.user_agent.clone()).unwrap_or_default(),
        revoked: token.revoked.map(epoch),
    }
}

pub(super) fn record(token: ImportedToken) -> Record {
    let kind = kind(token.kind());
    Record {
        id: token.id,
        owner_id: token.owner_id,
        owner_username: token.owner_username,
        verifier: token.verifier,
        label: token.label,
        kind,
        scopes: token.scopes,
        created: moment(token.created),
        expires: token.expires.map(moment),
        window: token.window.map(seconds),
        last_used: token.last_used.map(moment),
    }
}
