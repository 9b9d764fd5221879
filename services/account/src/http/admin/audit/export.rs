//! The audit log as a file: CSV (RFC 4180) for spreadsheets, JSON Lines for programs. It is sent as it is read, in one call of idp, which
//! authorises the administrator when it begins and records that the log was read for a copy (`docs/security-requirements.md#n46`).

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use authn::BoxError;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use proto::doorward::idp::v1::{AccountEvent, ExportUserEventsRequest, ExportUserEventsResponse};
use serde::Serialize;
use tonic::Streaming;
use web::form::Parameters;

use super::super::super::tokens::time;
use super::super::account_administrator::AccountAdministrator;
use super::super::user_names::identifier;
use super::filter::Entered;

/// What begins a formula in a spreadsheet.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// The format of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
}

/// An event, in the order of the columns.
#[derive(Serialize)]
struct Record<'a> {
    id: &'a str,
    time: String,
    event: &'a str,
    outcome: &'a str,
    user_id: &'a str,
    administrator_id: &'a str,
    client_id: &'a str,
    object: &'a str,
    address: &'a str,
    user_agent: &'a str,
}

impl<'a> Record<'a> {
    fn new(event: &'a AccountEvent) -> Self {
        let moment = time(event.time).map(OffsetDateTime::from);
        Self {
            id: &event.id,
            time: moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default(),
            event: &event.event,
            outcome: &event.outcome,
            user_id: &event.user_id,
            administrator_id: &event.administrator_id,
            client_id: &event.client_id,
            object: &event.object,
            address: &event.address,
            user_agent: &event.user_agent,
        }
    }

    fn columns(&self) -> [(&'static str, &str); 10] {
        [
            ("id", self.id),
            ("time", &self.time),
            ("event", self.event),
            ("outcome", self.outcome),
            ("user_id", self.user_id),
            ("administrator_id", self.administrator_id),
            ("client_id", self.client_id),
            ("object", self.object),
            ("address", self.address),
            ("user_agent", self.user_agent),
        ]
    }
}

/// A cell of a spreadsheet. Callers choose some of the texts, which must not be formulas there
/// (`docs/security-requirements.md#n44`).
fn cell(text: &str) -> String {
    let first = text.trim_start_matches(' ').chars().next();
    if first.is_some_and(|first| FORMULA.contains(&first)) { format!("'{text}") } else { text.to_owned() }
}

impl Format {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl",
        }
    }

    const fn disposition(self) -> &'static str {
        match self {
            Self::Csv => "attachment; filename=\"audit-log.csv\"",
            Self::JsonLines => "attachment; filename=\"audit-log.jsonl\"",
        }
    }

    /// The line before the events, if there is one.
    fn header(self) -> Result<Vec<u8>, BoxError> {
        match self {
            Self::Csv => {
                let event = AccountEvent::default();
                csv_lines([Record::new(&event).columns().map(|(name, _)| name.to_owned())])
            }
            Self::JsonLines => Ok(Vec::new()),
        }
    }

    fn lines(self, events: &[AccountEvent]) -> Result<Vec<u8>, BoxError> {
        match self {
            Self::Csv => csv_lines(events.iter().map(|event| Record::new(event).columns().map(|(_, text)| cell(text)))),
            Self::JsonLines => {
                let mut lines = Vec::new();
                for event in events {
                    serde_json::to_writer(&mut lines, &Record::new(event))?;
                    lines.push(b'\n');
                }
                Ok(lines)
            }
        }
    }
}

fn csv_lines(records: impl IntoIterator<Item = [String; 10]>) -> Result<Vec<u8>, BoxError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for record in records {
        writer.write_record(&record)?;
    }
    writer.into_inner().map_err(|error| BoxError::from(error.into_error()))
}

/// The file: the header and the first events, and then what the export has, each message after the one before was taken.
fn file(format: Format, first: Option<ExportUserEventsResponse>, export: Streaming<ExportUserEventsResponse>) -> Body {
    let begin = || {
        let mut chunk = format.header()?;
        chunk.extend(format.lines(&first.unwrap_or_default().events)?);
        Ok::<_, BoxError>(chunk)
    };
    let rest = export.map(move |message| format.lines(&message?.events));
    Body::from_stream(stream::iter([begin()]).chain(rest))
}

/// `GET /admin/audit/export?format=`: the events that the filter finds, all of them.
pub(super) async fn send(accounts: AccountAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let administrator = &accounts.administrator;
    let query = Parameters::of_query(query.as_deref()).map_err(|_| administrator.not_found())?;
    let format = match query.text("format") {
        "csv" => Format::Csv,
        "jsonl" => Format::JsonLines,
        _ => return Err(administrator.not_found()),
    };
    let entered = Entered::read(&query).map_err(|_| administrator.not_found())?;
    let user_id = identifier(&administrator.signed_in.state, &entered.user).await;
    let user_id = user_id.map_err(|error| administrator.failure(&status::grpc(error.kind(), error.to_string())))?;
    let request = entered.request(user_id).map_err(|_| administrator.not_found())?;
    let call = administrator.signed_in.on_behalf().call(ExportUserEventsRequest { filter: Some(request) });
    let export = accounts.api.clone().export_user_events(call).await;
    let mut export = export.map_err(|status| administrator.failure(&status))?.into_inner();
    // a failure so far is a page, and one later ends the connection before the file is complete
    let first = export.message().await.map_err(|status| administrator.failure(&status))?;
    let mut response = Response::new(file(format, first, export));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(format.disposition()));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(user_agent: &str) -> AccountEvent {
        AccountEvent {
            time: 1_795_910_400,
            event: "sign_in".to_owned(),
            user_agent: user_agent.to_owned(),
            ..AccountEvent::default()
        }
    }

    fn text(lines: Result<Vec<u8>, BoxError>) -> String {
        String::from_utf8(lines.expect("is written")).expect("UTF-8")
    }

    /// Row [N44](../../../../../../docs/security-requirements.md#n44).
    #[test]
    fn no_cell_is_a_formula_and_no_text_ends_its_cell() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "＋1", "－1", "＠SUM(A1)"]
        {
            assert_eq!(cell(formula), format!("'{formula}"));
        }
        for plain in ["", "Firefox", "192.0.2.7", "a=b", "2026-11-29"] {
            assert_eq!(cell(plain), plain);
        }
        let lines = text(Format::Csv.lines(&[event("=cmd|' /C calc'!A0"), event("a\",\"b\r\nc")]));
        let expected = ",2026-11-29T00:00:00Z,sign_in,,,,,,,'=cmd|' /C calc'!A0\r\n\
                        ,2026-11-29T00:00:00Z,sign_in,,,,,,,\"a\"\",\"\"b\r\nc\"\r\n";
        assert_eq!(lines, expected);
        assert!(text(Format::Csv.header()).starts_with("id,time,event,outcome,user_id,administrator_id,"));
    }

    #[test]
    fn each_event_is_a_line_of_json() {
        let lines = text(Format::JsonLines.lines(&[event("=1"), event("a\nb")]));
        assert_eq!(lines.lines().count(), 2);
        assert!(lines.contains("\"user_agent\":\"=1\"") && lines.contains("\"user_agent\":\"a\\nb\""), "{lines}");
        assert_eq!(text(Format::JsonLines.header()), "");
    }
}
