//! Between rows and tokens.

use std::time::Duration;

use authn::{Grants, UserId, UserType};
use sea_orm::ActiveValue::Set;
use store::StoreError;
use store::columns::{micros, span, time};

use super::entity::{token, usage};
use super::{ImportedToken, Use};
use crate::model::{AppToken, Digest, Fingerprint, Kind, LastUse, Life, Stored};

/// The `expires` of a token that never ends.
const NEVER: i64 = i64::MAX;

pub(super) fn of(Stored { token, fingerprint }: &Stored) -> token::ActiveModel {
    let slide = match token.life {
        Life::Fixed(_) => None,
        Life::Sliding { window, .. } => Some(span(window)),
    };
    token::ActiveModel {
        id: Set(token.id),
        owner_id: Set(token.owner.opaque_id.clone()),
        owner_idp: Set(token.owner.idp.clone()),
        owner_type: Set(token.owner.kind as i32),
        kind: Set(token.kind.name().to_owned()),
        label: Set(token.label.clone()),
        grants: Set(serde_json::Value::from(token.grants.words()).to_string()),
        key_id: Set(fingerprint.key_id.to_string()),
        digest: Set(fingerprint.digest.to_vec()),
        created: Set(micros(token.created)),
        imported_at: Set(token.imported.map(micros)),
        created_by: Set(token.created_by.clone()),
        expires: Set(token.life.latest().map_or(NEVER, micros)),
        slide: Set(slide),
        revoked: Set(token.revoked.map(micros)),
        imported: Set(None),
        verifier: Set(None),
    }
}

pub(super) fn of_imported(one: &ImportedToken) -> token::ActiveModel {
    token::ActiveModel {
        imported: Set(Some(one.imported.to_vec())),
        verifier: Set(one.verifier.clone()),
        ..of(&one.stored)
    }
}

/// The usage row of a new token; `None` for a fixed one that was never used. A sliding token needs the row for its end.
pub(super) fn usage_of(token: &AppToken) -> Option<usage::ActiveModel> {
    let end = match token.life {
        Life::Fixed(_) if token.last_use.is_none() => return None,
        Life::Fixed(_) => None,
        Life::Sliding { .. } => token.end(),
    };
    let last = token.last_use.as_ref();
    Some(usage::ActiveModel {
        id: Set(token.id),
        used: Set(last.map_or(0, |last| micros(last.at))),
        source: Set(last.and_then(|last| last.source).map(|source| source.to_string()).unwrap_or_default()),
        agent: Set(last.map(|last| last.user_agent.clone()).unwrap_or_default()),
        slid: Set(end.map_or(0, micros)),
    })
}

pub(super) fn of_use(one: &Use) -> usage::ActiveModel {
    usage::ActiveModel {
        id: Set(one.token),
        used: Set(micros(one.last_use.at)),
        source: Set(one.last_use.source.map(|source| source.to_string()).unwrap_or_default()),
        agent: Set(one.last_use.user_agent.clone()),
        slid: Set(one.slid.map_or(0, micros)),
    }
}

/// A row that cannot be understood is a fault, never a token that may something else.
pub(super) fn stored((row, usage): (token::Model, Option<usage::Model>)) -> Result<Stored, StoreError> {
    let damaged = |what: &str| StoreError::internal(format!("app token {}: {what} cannot be understood", row.id));
    let words: Vec<String> = serde_json::from_str(&row.grants).map_err(|_| damaged("grants"))?;
    let grants = Grants::parse(words.iter().map(String::as_str)).map_err(|_| damaged("grants"))?;
    let kind = Kind::parse(&row.kind).ok_or_else(|| damaged("kind"))?;
    let digest: Digest = row.digest.as_slice().try_into().map_err(|_| damaged("digest"))?;
    let life = match row.slide {
        None => Life::Fixed((row.expires != NEVER).then(|| time(row.expires))),
        Some(window) => Life::Sliding {
            window: Duration::from_micros(u64::try_from(window).map_err(|_| damaged("slide"))?),
            latest: time(row.expires),
        },
    };
    let owner = UserId {
        idp: row.owner_idp,
        opaque_id: row.owner_id,
        kind: UserType::from_number(row.owner_type),
        ..UserId::default()
    };
    let slid = usage.as_ref().filter(|usage| usage.slid > 0).map(|usage| time(usage.slid));
    let last_use = usage.filter(|usage| usage.used > 0).map(|usage| LastUse {
        at: time(usage.used),
        source: usage.source.parse().ok(),
        user_agent: usage.agent,
    });
    let token = AppToken {
        id: row.id,
        owner,
        kind,
        label: row.label,
        grants,
        created: time(row.created),
        imported: row.imported_at.map(time),
        created_by: row.created_by,
        life,
        slid,
        last_use,
        revoked: row.revoked.map(time),
    };
    Ok(Stored { token, fingerprint: Fingerprint { key_id: row.key_id.into(), digest } })
}
