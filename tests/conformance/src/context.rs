//! What a check works with.

use std::sync::{Mutex, PoisonError};

use crate::{
    browser::Browser,
    outcome::{Outcome, Verdict},
    plan::Plan,
    provider::Discovery,
    random::random,
    receiver::Receiver,
    target::Target,
};

/// One run of one check.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) target: &'a Target,
    pub(crate) plan: Plan,
    pub(crate) discovery: &'a Discovery,
    pub(crate) http: reqwest::Client,
    pub(crate) receiver: &'a Receiver,
    warnings: Mutex<Vec<String>>,
    folder: String,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        target: &'a Target,
        plan: Plan,
        discovery: &'a Discovery,
        http: &reqwest::Client,
        receiver: &'a Receiver,
    ) -> Self {
        Self { target, plan, discovery, http: http.clone(), receiver, warnings: Mutex::default(), folder: random(9) }
    }

    /// A new browser without a session.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.http.clone())
    }

    /// A place at the receiver that belongs to this run alone.
    pub(crate) fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Something that certification accepts, but asks about.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(text.into());
    }

    /// What the check came to.
    pub(crate) fn outcome(&self, verdict: Verdict) -> Outcome {
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner).join("; ");
        match verdict {
            Err(outcome) => outcome,
            Ok(()) if warnings.is_empty() => Outcome::Passed,
            Ok(()) => Outcome::Warned(warnings),
        }
    }
}
