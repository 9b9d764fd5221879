//! Positions in lists that are read a page at a time, the newest rows first.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, Condition};

use crate::columns::{micros, time};

/// The last row of a page: its time, and its identifier among rows of the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The time.
    pub at: SystemTime,
    /// The identifier.
    pub id: Uuid,
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("page_token is not one that was returned")]
pub struct PositionError;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", micros(self.at), self.id.simple())
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (at, id) = text.split_once('.').ok_or(PositionError)?;
        let at = at.parse().map_err(|_| PositionError)?;
        Ok(Self { at: time(at), id: id.parse().map_err(|_| PositionError)? })
    }
}

/// The rows that follow a position.
pub fn behind<C: ColumnTrait>(at: C, id: C, Position { at: last, id: last_id }: Position) -> Condition {
    let last = micros(last);
    let behind = Condition::any().add(at.lt(last)).add(id.lt(last_id));
    // the plain range first, which both databases read off an index
    Condition::all().add(at.lte(last)).add(behind)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn position_is_read_back_and_nothing_else_is_one() {
        let position =
            Position { at: UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001), id: Uuid::from_u128(7) };
        assert_eq!(position.to_string().parse(), Ok(position));
        for text in ["", ".", "1", "1.", "x.00000000000000000000000000000007", "1.7"] {
            assert_eq!(text.parse::<Position>(), Err(PositionError), "{text}");
        }
    }
}
