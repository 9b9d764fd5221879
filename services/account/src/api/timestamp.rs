//! Times in JSON.

use std::time::UNIX_EPOCH;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::http::tokens::time;

/// A time (RFC 3339), in UTC and to the second.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-29T09:30:00Z")]
pub(super) struct Timestamp(String);

impl Timestamp {
    /// The time with this number of seconds since the epoch; the epoch itself where no date can be written.
    pub(super) fn at(seconds: i64) -> Self {
        let time = OffsetDateTime::from(time(seconds).unwrap_or(UNIX_EPOCH));
        Self(time.format(&Rfc3339).unwrap_or_default())
    }

    /// The same, and `None` for 0, which stands for no time.
    pub(super) fn of(seconds: i64) -> Option<Self> {
        (seconds > 0).then(|| Self::at(seconds))
    }
}

/// The seconds since the epoch of a time in a parameter.
pub(super) fn seconds(name: &str, text: Option<&str>) -> Result<Option<i64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(time) => Ok(Some(time.unix_timestamp())),
        Err(_) => Err(Problem::parameter(name, "it is not a time of RFC 3339, like 2026-11-29T09:30:00Z")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_as_rfc_3339() {
        assert_eq!(Timestamp::of(1_795_910_400), Some(Timestamp("2026-11-29T00:00:00Z".to_owned())));
        assert_eq!((Timestamp::of(0), Timestamp::of(-1)), (None, None));
        assert_eq!(Timestamp::at(i64::MAX), Timestamp("1970-01-01T00:00:00Z".to_owned()));
        let read = |text| seconds("since", Some(text)).ok().flatten();
        assert_eq!(read("2026-11-29T00:00:00Z"), Some(1_795_910_400));
        assert_eq!(read("2026-11-29T01:00:00+01:00"), Some(1_795_910_400));
        assert_eq!((read("2026-11-29"), read("")), (None, None));
        assert!(seconds("since", None).is_ok_and(|time| time.is_none()));
    }
}
