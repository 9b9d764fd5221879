//! Prints what came of each row of an import.

use authn::BoxError;
use config::Secret;
use proto::doorward::passwords::v1::{JudgePasswordResponse, PasswordWeakness};
use serde_json::{Value, json};

use super::new_password;
use crate::command::say;

/// What came of a row.
pub(super) enum Outcome {
    /// The user is added; with the password, if one was made.
    Added { id: String, password: Option<Secret> },
    /// The user would be added.
    WouldBeAdded,
    /// Nothing was changed, for this reason.
    Failed(String),
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Added { .. } => "added",
            Self::WouldBeAdded => "would be added",
            Self::Failed(_) => "failed",
        }
    }
}

/// Prints rows as they are done, and the sum at the end.
pub(super) struct Report {
    json: bool,
    dry_run: bool,
    added: u64,
    failed: u64,
}

impl Report {
    pub(super) fn new(json: bool, dry_run: bool) -> Self {
        Self { json, dry_run, added: 0, failed: 0 }
    }

    /// Prints a row.
    ///
    /// # Errors
    /// When a new password could not be shown, or standard output cannot be written.
    pub(super) fn print(&mut self, line: u64, user_name: &str, outcome: &Outcome) -> Result<(), BoxError> {
        match outcome {
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Added { .. } | Outcome::WouldBeAdded => self.added += 1,
        }
        let text = if self.json { value(line, user_name, outcome).to_string() } else { text(line, user_name, outcome) };
        match new_password(outcome) {
            Some(_) => runtime::print_once(
                format_args!("{text}\n"),
                format_args!("{user_name} is not added, and neither are the rows below line {line}"),
            ),
            None => say(text),
        }
    }

    /// Prints the sum.
    ///
    /// # Errors
    /// When a row has failed.
    pub(super) fn finish(&self) -> Result<(), BoxError> {
        let Self { json, dry_run, added, failed } = self;
        let done = if *dry_run { "would be added" } else { "added" };
        if *json {
            say(json!({ "dry_run": dry_run, "added": added, "failed": failed }))?;
        } else {
            say(format_args!("{added} {done}, {failed} failed"))?;
        }
        if *failed == 0 { Ok(()) } else { Err(format!("{failed} of {} users failed", added + failed).into()) }
    }
}

fn text(line: u64, user_name: &str, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Added { id, password: None } => format!("line {line}: added {user_name} ({id})"),
        Outcome::Added { id, password: Some(password) } => {
            format!("line {line}: added {user_name} ({id}), password: {}", password.expose())
        }
        Outcome::WouldBeAdded => format!("line {line}: {user_name} would be added"),
        Outcome::Failed(problem) if user_name.is_empty() => format!("line {line}: failed: {problem}"),
        Outcome::Failed(problem) => format!("line {line}: {user_name} failed: {problem}"),
    }
}

fn value(line: u64, user_name: &str, outcome: &Outcome) -> Value {
    let mut value = json!({ "line": line, "user_name": user_name, "outcome": outcome.name() });
    match outcome {
        Outcome::Added { id, password } => {
            value["id"] = json!(id);
            if let Some(password) = password {
                value["password"] = json!(password.expose());
            }
        }
        Outcome::WouldBeAdded => {}
        Outcome::Failed(problem) => value["problem"] = json!(problem),
    }
    value
}

/// Why the policy refuses a password.
pub(super) fn weakness(weakness: PasswordWeakness, judged: &JudgePasswordResponse) -> String {
    let text = match weakness {
        PasswordWeakness::Short => return format!("the password has fewer than {} characters", judged.min_characters),
        PasswordWeakness::Long => "the password is too long",
        PasswordWeakness::ControlCharacters => "the password has control characters",
        PasswordWeakness::AppToken => "the password is an app token",
        PasswordWeakness::Common => "the password is commonly used",
        PasswordWeakness::Pattern => "the password is a mere repetition or sequence",
        PasswordWeakness::Context => "the password is made of the user's names, or of this system's name",
        PasswordWeakness::Guessable => "the password is too easy to guess",
        PasswordWeakness::Unspecified => "the password is refused",
    };
    text.to_owned()
}
