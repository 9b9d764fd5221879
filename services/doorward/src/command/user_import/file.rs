//! Reads files of users.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use authn::BoxError;
use config::Secret;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::cli::Format;

/// The role of a user for whom none is named.
const DEFAULT_ROLE: &str = "user";

/// What separates roles, and groups, in one cell.
const SEPARATOR: char = ';';

/// A user of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) user_name: String,
    #[serde(default)]
    pub(super) display_name: String,
    #[serde(default)]
    pub(super) mail: String,
    #[serde(default, deserialize_with = "list")]
    pub(super) roles: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    pub(super) groups: Vec<String>,
    #[serde(default, deserialize_with = "password")]
    pub(super) password: Option<Secret>,
}

/// The number of a line, and its user or what is wrong with it.
pub(super) type Line = (u64, Result<Row, String>);

/// The users of a file.
///
/// # Errors
/// When the file cannot be read, or has no valid header.
pub(super) fn read(file: &Path, format: Format) -> Result<Vec<Line>, BoxError> {
    let named = |error: BoxError| BoxError::from(format!("{}: {error}", file.display()));
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file).map_err(|error| named(error.into()))?)
    };
    match format {
        Format::Csv => read_csv(source),
        Format::Jsonl => read_json(source),
    }
    .map_err(named)
}

fn read_csv(source: impl Read) -> Result<Vec<Line>, BoxError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(source);
    let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    check_header(&header)?;
    let mut lines = Vec::new();
    for (number, record) in (2..).zip(reader.records()) {
        lines.push(match record {
            Ok(record) => {
                let line = record.position().map_or(number, csv::Position::line);
                let cells = header.iter().zip(&record).filter(|(_, cell)| !cell.is_empty());
                let members = cells.map(|(name, cell)| (name.clone(), Value::from(cell))).collect();
                (line, row(members))
            }
            Err(error) => {
                let line = error.position().map_or(number, csv::Position::line);
                (line, Err(csv_problem(&error)))
            }
        });
    }
    Ok(lines)
}

/// Never quotes a cell, which may be a password.
fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the row has {len} cells, and the header {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "the row is not UTF-8".to_owned(),
        _ => "the row cannot be read".to_owned(),
    }
}

fn check_header(header: &[String]) -> Result<(), BoxError> {
    const COLUMNS: [&str; 6] = ["user_name", "display_name", "mail", "roles", "groups", "password"];
    if let Some(unknown) = header.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        return Err(format!("the header has the column {unknown:?}; the columns are {}", COLUMNS.join(", ")).into());
    }
    if let Some(twice) = COLUMNS.iter().find(|name| header.iter().filter(|column| column == name).count() > 1) {
        return Err(format!("the header has the column {twice:?} twice").into());
    }
    if header.iter().any(|name| name == "user_name") {
        Ok(())
    } else {
        Err("the header has no column \"user_name\"".into())
    }
}

fn read_json(source: impl Read) -> Result<Vec<Line>, BoxError> {
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(BufReader::new(source).lines()) {
        let text = text?;
        if !text.trim().is_empty() {
            // the error of the parser has a position, and quotes nothing
            let members = serde_json::from_str::<Map<String, Value>>(&text);
            lines.push((number, members.map_err(|_| "is no JSON object".to_owned()).and_then(row)));
        }
    }
    Ok(lines)
}

fn row(members: Map<String, Value>) -> Result<Row, String> {
    let mut row: Row = serde_json::from_value(Value::Object(members)).map_err(|error| error.to_string())?;
    for text in [&mut row.user_name, &mut row.display_name, &mut row.mail] {
        *text = text.trim().to_owned();
    }
    if row.user_name.is_empty() {
        return Err("user_name is empty".to_owned());
    }
    if row.roles.is_empty() {
        row.roles.push(DEFAULT_ROLE.to_owned());
    }
    Ok(row)
}

/// A list: an array of texts, or one text with semicolons.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let expected = || serde::de::Error::custom("roles and groups are lists of texts, or one text with ; in between");
    let items = match Value::deserialize(deserializer)? {
        Value::Null => Vec::new(),
        Value::String(text) => text.split(SEPARATOR).map(|item| item.trim().to_owned()).collect(),
        Value::Array(items) => {
            let texts: Option<Vec<_>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            texts.ok_or_else(expected)?
        }
        _ => return Err(expected()),
    };
    Ok(items.into_iter().filter(|item| !item.is_empty()).collect())
}

/// A password. The error does not quote what stands in its place.
fn password<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(Secret::from(text))),
        _ => Err(serde::de::Error::custom("password is no text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(lines: &[Line]) -> Vec<String> {
        let user = |(line, row): &Line| {
            let Row { user_name, mail, roles, groups, .. } = row.as_ref().expect("a user");
            format!("{line} {user_name} {mail} {} {}", roles.join("+"), groups.join("+"))
        };
        lines.iter().map(user).collect()
    }

    #[test]
    fn columns_may_come_in_any_order_and_cells_may_be_quoted() {
        let text = "mail,user_name,groups,roles,display_name\n\
                    marie@example.org,marie,physicists; chemists,,\"Curie, Marie\"\n\
                    ,niels,,admin;user,\n";
        let lines = read_csv(text.as_bytes()).expect("is read");
        assert_eq!(users(&lines), ["2 marie marie@example.org user physicists+chemists", "3 niels  admin+user "]);
        assert_eq!(lines[0].1.as_ref().expect("a user").display_name, "Curie, Marie");
    }

    #[test]
    fn unknown_double_and_missing_columns_are_refused() {
        for (header, problem) in [
            ("user_name,e-mail", "\"e-mail\""),
            ("user_name,mail,mail", "twice"),
            ("mail,password", "no column \"user_name\""),
        ] {
            let error = read_csv(header.as_bytes()).expect_err(header).to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn invalid_row_does_not_hide_the_others() {
        let lines =
            read_csv("user_name,password\nmarie,hush-hush,more\n,hush-hush\nniels,\n".as_bytes()).expect("is read");
        let problems: Vec<_> = lines.iter().map(|(line, row)| (*line, row.as_ref().err().cloned())).collect();
        assert_eq!(problems[0], (2, Some("the row has 3 cells, and the header 2".to_owned())));
        assert!(problems[1].1.as_ref().is_some_and(|problem| problem.contains("user_name")), "{problems:?}");
        assert_eq!(problems[2], (4, None));
    }

    #[test]
    fn json_lines_have_lists_or_texts() {
        let text = "{\"user_name\": \"marie\", \"groups\": [\"physicists\"], \"mail\": \"marie@example.org\"}\n\n\
                    {\"user_name\": \"niels\", \"roles\": \"admin;user\", \"password\": \"hush-hush\"}\n";
        let lines = read_json(text.as_bytes()).expect("is read");
        assert_eq!(users(&lines), ["1 marie marie@example.org user physicists", "3 niels  admin+user "]);
        let password = lines[1].1.as_ref().expect("a user").password.as_ref();
        assert_eq!(password.map(Secret::expose), Some("hush-hush"));
    }

    #[test]
    fn blanks_of_a_password_are_kept() {
        let lines = read_csv("user_name , password\n marie , hush hush \n".as_bytes()).expect("is read");
        let row = lines[0].1.as_ref().expect("a user");
        assert_eq!((row.user_name.as_str(), row.password.as_ref().map(Secret::expose)), ("marie", Some(" hush hush ")));
    }

    #[test]
    fn errors_quote_no_password() {
        for text in [
            r#"{"user_name": "marie", "password": 12345678}"#,
            r#"{"user_name": "marie", "password": ["hush-hush"]}"#,
            r#"{"user_name": "marie", "pasword": "hush-hush"}"#,
            r#"{"user_name": "marie", "password": "hush-hush"#,
        ] {
            let problem = read_json(text.as_bytes()).expect("is read").remove(0).1.expect_err(text);
            assert!(!problem.contains("hush-hush") && !problem.contains("12345678"), "{problem}");
        }
    }
}
