//! Searching the tokens of all users, the newest first.

use std::time::SystemTime;

use authn::UserId;
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use store::StoreError;
use store::columns::{containing, micros, time};
use store::page::{Position, behind};
use uuid::Uuid;

use super::entity::{token, usage};
use super::{TokenStore, owned_by, rows};
use crate::model::AppToken;

/// How many tokens one search looks through at most, so that one that finds none among a million costs no more than others.
const LOOKED_THROUGH: u64 = 20_000;

/// Which tokens are searched for.
#[derive(Debug, Clone, Default)]
pub struct TokenFilter {
    /// Only those of this user.
    pub owner: Option<UserId>,
    /// Only those whose label contains this text, in upper or lower case.
    pub label: Option<String>,
    /// Only those that were neither used nor made since this time.
    pub unused_since: Option<SystemTime>,
    /// Only those that end before this time.
    pub expires_before: Option<SystemTime>,
}

/// What a search has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The tokens. They may be fewer than asked for, and yet not the last.
    pub tokens: Vec<AppToken>,
    /// Where the search goes on; `None` if it has looked at all tokens.
    pub next: Option<Position>,
}

impl TokenStore {
    /// The live tokens that fit the filter, the newest first: those behind a position, `limit` at most.
    pub async fn search(
        &self,
        filter: &TokenFilter,
        after: Option<Position>,
        limit: u64,
        now: SystemTime,
    ) -> Result<Found, StoreError> {
        // those of one user are few, and have an index of their own
        let horizon = if filter.owner.is_some() { None } else { self.horizon(after).await? };
        let which = Condition::all()
            .add(live(now))
            .add(self.fits(filter))
            .add_option(after.map(older))
            .add_option(horizon.map(up_to));
        let query = token::Entity::find()
            .find_also_related(usage::Entity)
            .filter(which)
            .order_by_desc(token::Column::Created)
            .order_by_desc(token::Column::Id)
            .limit(limit.saturating_add(1));
        let read = || async { Ok(query.clone().all(self.0.reader()).await?) };
        let found = self.0.run(read).await?.into_iter().map(|row| Ok(rows::stored(row)?.token));
        let mut tokens = found.collect::<Result<Vec<AppToken>, StoreError>>()?;
        let has_more = u64::try_from(tokens.len()).is_ok_and(|count| count > limit);
        if has_more {
            tokens.pop();
        }
        let last = tokens.last().map(|last| Position { at: last.created, id: last.id });
        Ok(Found { next: if has_more { last } else { horizon }, tokens })
    }

    /// The last token that a search from this position looks at; `None` if there are fewer behind it.
    async fn horizon(&self, after: Option<Position>) -> Result<Option<Position>, StoreError> {
        let query = token::Entity::find()
            .select_only()
            .column(token::Column::Created)
            .column(token::Column::Id)
            .filter(token::Column::Revoked.is_null())
            .filter(Condition::all().add_option(after.map(older)))
            .order_by_desc(token::Column::Created)
            .order_by_desc(token::Column::Id)
            .offset(LOOKED_THROUGH - 1)
            .limit(1);
        let read = || async { Ok(query.clone().into_tuple().all(self.0.reader()).await?) };
        let found: Vec<(i64, Uuid)> = self.0.run(read).await?;
        Ok(found.first().map(|&(created, id)| Position { at: time(created), id }))
    }

    fn fits(&self, filter: &TokenFilter) -> Condition {
        let TokenFilter { owner, label, unused_since, expires_before } = filter;
        Condition::all()
            .add_option(owner.as_ref().map(owned_by))
            .add_option(label.as_ref().map(|label| self.label_contains(label)))
            .add_option(unused_since.map(unused))
            .add_option(expires_before.map(ending))
    }

    /// The text is somewhere in the label.
    fn label_contains(&self, text: &str) -> Condition {
        let label = Expr::expr(Func::lower(Expr::col((token::Entity, token::Column::Label))));
        Condition::all().add(label.like(containing(&self.0.lower(text))))
    }
}

/// The tokens that are neither revoked nor over.
fn live(now: SystemTime) -> Condition {
    let now = micros(now);
    let unslid = Condition::any().add(token::Column::Slide.is_null()).add(usage::Column::Slid.gt(now));
    // as an expression, or SQLite would read all live tokens by their end and then sort them
    let end = Expr::col((token::Entity, token::Column::Expires)).add(0_i64);
    Condition::all().add(token::Column::Revoked.is_null()).add(end.gt(now)).add(unslid)
}

fn unused(since: SystemTime) -> Condition {
    let since = micros(since);
    let unused = Condition::any().add(usage::Column::Used.is_null()).add(usage::Column::Used.lt(since));
    Condition::all().add(token::Column::Created.lt(since)).add(unused)
}

fn ending(before: SystemTime) -> Condition {
    let before = micros(before);
    let end = Expr::col((token::Entity, token::Column::Expires)).add(0_i64);
    let slides = Condition::all().add(token::Column::Slide.is_not_null()).add(usage::Column::Slid.lt(before));
    Condition::any().add(end.lt(before)).add(slides)
}

/// The tokens that are looked at after one.
fn older(position: Position) -> Condition {
    behind(token::Column::Created, token::Column::Id, position)
}

/// The tokens that are looked at before one, and that one.
fn up_to(Position { at, id }: Position) -> Condition {
    let created = micros(at);
    let before = Condition::any().add(token::Column::Created.gt(created)).add(token::Column::Id.gte(id));
    Condition::all().add(token::Column::Created.gte(created)).add(before)
}
