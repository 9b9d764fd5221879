//! `audit`: shows the stored events of the audit log.

use ::time::format_description::well_known::{Iso8601, Rfc3339};
use ::time::{Date, OffsetDateTime, Time};
use authn::BoxError;
use clap::{Args, Subcommand};
use proto::doorward::idp::v1::{AccountEvent, ListUserEventsRequest};
use runtime::{Context, print};
use serde_json::{Value, json};

use super::operator::Operator;
use super::session::{named, printable};
use super::show::date;
use crate::Config;

/// The subcommands for the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Lists the stored events, the newest first
    List(List),
}

/// `audit list`
#[derive(Debug, Args)]
pub struct List {
    /// Only those of the user with this login name
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    user: Option<String>,
    /// Only those with this name, as in `sign_in`
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// Only those with this outcome, as in failure
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Only those from this address
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Only those of this time or later: a day, or a time as in 2026-11-29T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    from: Option<i64>,
    /// Only those before this time
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    until: Option<i64>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    limit: usize,
    /// Prints each event as a line of JSON
    #[arg(long)]
    json: bool,
}

impl AuditCommand {
    /// Runs the command with the service's configuration over these defaults.
    ///
    /// # Errors
    /// When the service does not answer, or refuses.
    pub async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let mut operator = Operator::connect(defaults, context)?;
        match self {
            Self::List(list) => list.run(&mut operator).await,
        }
    }
}

impl List {
    async fn run(self, operator: &mut Operator) -> Result<(), BoxError> {
        let Self { user, event, outcome, address, from, until, limit, json } = self;
        let mut request = ListUserEventsRequest {
            user: user.map(named),
            event: event.unwrap_or_default(),
            outcome: outcome.unwrap_or_default(),
            address: address.unwrap_or_default(),
            since: from,
            until,
            is_export: json,
            ..ListUserEventsRequest::default()
        };
        if !json {
            row("TIME", "EVENT", "OUTCOME", "USER", "ADMINISTRATOR", "ADDRESS", "CLIENT OR OBJECT")?;
        }
        let mut left = limit;
        while left > 0 {
            let page = operator.events(request.clone()).await?;
            for event in page.events.iter().take(left) {
                if json { print(format_args!("{}\n", value(event)))? } else { line(event)? }
            }
            left = left.saturating_sub(page.events.len());
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        Ok(())
    }
}

/// Seconds since the epoch, of a day or a time (RFC 3339).
fn seconds(text: &str) -> Result<i64, String> {
    let day = || Date::parse(text, &Iso8601::DATE).map(|day| day.with_time(Time::MIDNIGHT).assume_utc());
    let time = OffsetDateTime::parse(text, &Rfc3339).or_else(|_| day());
    let time = time.map_err(|_| "is no day as 2026-11-29 and no time as 2026-11-29T08:00:00Z".to_owned())?;
    Ok(time.unix_timestamp())
}

fn value(event: &AccountEvent) -> Value {
    json!({
        "id": event.id,
        "time": date(event.time),
        "event": event.event,
        "outcome": event.outcome,
        "user_id": event.user_id,
        "administrator_id": event.administrator_id,
        "client_id": event.client_id,
        "object": event.object,
        "address": event.address,
        "user_agent": event.user_agent,
    })
}

fn line(event: &AccountEvent) -> Result<(), BoxError> {
    let AccountEvent { event: name, outcome, user_id, administrator_id, address, client_id, object, .. } = event;
    let last = if client_id.is_empty() { object } else { client_id };
    row(&date(event.time), name, outcome, user_id, administrator_id, address, &printable(last))
}

fn row(
    time: &str,
    event: &str,
    outcome: &str,
    user: &str,
    by: &str,
    address: &str,
    last: &str,
) -> Result<(), BoxError> {
    print(format_args!("{time:20}  {event:32}  {outcome:12}  {user:36}  {by:36}  {address:15}  {last}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_or_time_is_understood_and_nothing_else() {
        assert_eq!(seconds("2026-11-29"), Ok(1_795_910_400));
        assert_eq!(seconds("2026-11-29T01:00:00+01:00"), Ok(1_795_910_400));
        for text in ["", "yesterday", "2026-13-01", "1795910400"] {
            seconds(text).expect_err(text);
        }
    }
}
