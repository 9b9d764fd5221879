//! Which events of the audit log are wanted, as it was entered.

use std::net::IpAddr;

use ::time::format_description::well_known::Iso8601;
use ::time::{Date, Duration, Time};
use proto::doorward::idp::v1::{AccountUser, ListUserEventsRequest, account_user::Name};
use web::form::{BadParameters, Parameters};

use super::super::link::with_query;

/// The longest field that is read, in bytes.
const MAX_TEXT: usize = 256;

/// What was entered. Empty fields do not narrow the list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entered {
    /// A login name or an identifier.
    pub(crate) user: String,
    pub(crate) event: String,
    pub(crate) outcome: String,
    pub(crate) address: String,
    /// The first day, as browsers send it (`2026-11-29`).
    pub(crate) from: String,
    /// The last day.
    pub(crate) until: String,
}

/// A field that cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadField {
    Address,
    From,
    Until,
}

impl Entered {
    /// Reads the parameters of a request.
    ///
    /// # Errors
    /// If one is repeated, too long or has control characters.
    pub(crate) fn read(query: &Parameters) -> Result<Self, BadParameters> {
        let one = |name| Ok(query.one(name, MAX_TEXT)?.unwrap_or_default().trim().to_owned());
        Ok(Self {
            user: one("user")?,
            event: one("event")?,
            outcome: one("outcome")?,
            address: one("address")?,
            from: one("from")?,
            until: one("until")?,
        })
    }

    /// The request for the events of the user with this identifier, or of all.
    ///
    /// # Errors
    /// The first field that cannot be understood.
    pub(crate) fn request(&self, user_id: Option<String>) -> Result<ListUserEventsRequest, BadField> {
        let Self { event, outcome, address, from, until, .. } = self;
        if !address.is_empty() && address.parse::<IpAddr>().is_err() {
            return Err(BadField::Address);
        }
        let (first, last) = (day(from).ok_or(BadField::From)?, day(until).ok_or(BadField::Until)?);
        let seconds = |day: Date| day.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp();
        // to the end of the last day
        let end = last.map(|day| day.checked_add(Duration::DAY).map(seconds).ok_or(BadField::Until)).transpose()?;
        Ok(ListUserEventsRequest {
            user: user_id.map(|id| AccountUser { name: Some(Name::Id(id)) }),
            event: event.clone(),
            outcome: outcome.clone(),
            address: address.clone(),
            since: first.map(seconds),
            until: end,
            ..ListUserEventsRequest::default()
        })
    }

    /// A path with what was entered, and further parameters.
    pub(crate) fn link(&self, path: &str, further: &[(&str, &str)]) -> String {
        let Self { user, event, outcome, address, from, until } = self;
        let own = [("user", user), ("event", event), ("outcome", outcome), ("address", address), ("from", from)];
        let mut parameters: Vec<(&str, &str)> = own.map(|(name, value)| (name, value.as_str())).into();
        parameters.push(("until", until));
        parameters.extend(further);
        with_query(path, &parameters)
    }
}

/// A day, or `Some(None)` for none.
#[expect(clippy::option_option, reason = "no day is another answer than one that cannot be read")]
fn day(text: &str) -> Option<Option<Date>> {
    if text.is_empty() {
        return Some(None);
    }
    Date::parse(text, &Iso8601::DATE).ok().filter(|day| day.to_string() == text).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(query: &str) -> Entered {
        Entered::read(&Parameters::of_query(Some(query)).expect("a query")).expect("fields")
    }

    #[test]
    fn days_are_counted_to_their_end() {
        let request = entered("from=2026-11-29&until=2026-11-29").request(None).expect("is understood");
        assert_eq!((request.since, request.until), (Some(1_795_910_400), Some(1_795_910_400 + 86_400)));
        let request = entered("from=&until=").request(Some("id".to_owned())).expect("is understood");
        assert_eq!((request.since, request.until, request.user.is_some()), (None, None, true));
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (query, field) in [
            ("address=localhost", BadField::Address),
            ("from=yesterday", BadField::From),
            ("until=2026-13-01", BadField::Until),
            ("until=9999-12-31", BadField::Until),
        ] {
            assert_eq!(entered(query).request(None).err(), Some(field), "{query}");
        }
    }

    #[test]
    fn link_keeps_what_was_entered() {
        let link = entered("user=a%26b&event=sign_in").link("/admin/audit", &[("after", "1.7")]);
        assert_eq!(link, "/admin/audit?user=a%26b&event=sign_in&after=1.7");
    }
}
