//! What a check has found.

use std::fmt::Display;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use crate::cli::Check;

/// How long one check may take.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(5);

/// How a check has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// As it should be.
    Ok,
    /// It works, and something should be changed.
    Warning,
    /// It does not work.
    Failed,
    /// There is nothing to check, or it cannot be checked.
    NotChecked,
}

impl Outcome {
    /// The word for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::NotChecked => "not checked",
        }
    }
}

/// What a check has found about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) outcome: Outcome,
    pub(super) check: Check,
    /// The service, file, address or setting.
    pub(super) subject: String,
    /// What was found; for what was not checked, why not.
    pub(super) found: String,
    /// What to do about it: the variable, file or command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

/// What one check says about one thing.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    check: Check,
    name: String,
}

impl Subject {
    pub(super) fn new(check: Check, name: impl Display) -> Self {
        Self { check, name: name.to_string() }
    }

    fn finding(&self, outcome: Outcome, found: &dyn Display, remedy: Option<String>) -> Finding {
        let (check, subject) = (self.check, self.name.clone());
        Finding { outcome, check, subject, found: one_line(found), remedy }
    }

    pub(super) fn ok(&self, found: impl Display) -> Finding {
        self.finding(Outcome::Ok, &found, None)
    }

    pub(super) fn warning(&self, found: impl Display, remedy: impl Display) -> Finding {
        self.finding(Outcome::Warning, &found, Some(remedy.to_string()))
    }

    pub(super) fn failed(&self, found: impl Display, remedy: impl Display) -> Finding {
        self.finding(Outcome::Failed, &found, Some(remedy.to_string()))
    }

    pub(super) fn not_checked(&self, reason: impl Display) -> Finding {
        self.finding(Outcome::NotChecked, &reason, None)
    }

    /// What the work finds, if it ends within the time limit.
    pub(super) async fn within_limit(&self, work: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
        timeout(TIME_LIMIT, work).await.unwrap_or_else(|_| {
            let found = format!("no answer within {} s", TIME_LIMIT.as_secs());
            vec![self.failed(found, "see whether it is overloaded, or packets to it are dropped")]
        })
    }
}

fn one_line(text: &dyn Display) -> String {
    text.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn check_without_an_answer_fails_after_the_time_limit() {
        let subject = Subject::new(Check::Peers, "users");
        let found = subject.within_limit(std::future::pending()).await;
        assert_eq!(found[0].outcome, Outcome::Failed);
        assert_eq!(found[0].found, "no answer within 5 s");
        assert_eq!(subject.ok("a\nb").found, "a b");
    }
}
