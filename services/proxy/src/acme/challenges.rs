//! The answers to the challenges of the running order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime::ChallengeRequest;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::store::acme::Row;

/// How long what was read from the database is used: anonymous requests cause no more than one query in this time.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// The time from storing answers until every replica uses them.
pub(crate) const KNOWN_AFTER: Duration = Duration::from_millis(1500);

/// The answer to one challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The name that is validated.
    pub(crate) host: String,
    /// The token of the challenge.
    pub(crate) token: String,
    /// The key authorization (RFC 8555 8.1).
    pub(crate) authorization: String,
}

/// The answers of this process, and those that another replica has stored. Clones share them.
#[derive(Clone)]
pub(crate) struct Answers {
    own: Arc<Mutex<Vec<Answer>>>,
    shared: Option<Arc<Shared>>,
}

struct Shared {
    row: Row,
    read: tokio::sync::Mutex<Option<(Instant, Vec<Answer>)>>,
}

impl Answers {
    /// None yet. With a row, those of other replicas are read there.
    pub(crate) fn new(row: Option<Row>) -> Self {
        let shared = row.map(|row| Arc::new(Shared { row, read: tokio::sync::Mutex::default() }));
        Self { own: Arc::default(), shared }
    }

    /// Replaces those of this process.
    pub(crate) fn replace(&self, answers: Vec<Answer>) {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner) = answers;
    }

    /// The key authorization for a request; `None` unless it belongs to the running order.
    pub(crate) async fn find(&self, request: ChallengeRequest) -> Option<String> {
        let own = find(&self.own.lock().unwrap_or_else(PoisonError::into_inner), &request);
        match (own, &self.shared) {
            (None, Some(shared)) => shared.find(&request).await,
            (own, _) => own,
        }
    }
}

impl Shared {
    async fn find(&self, request: &ChallengeRequest) -> Option<String> {
        let mut read = self.read.lock().await;
        if let Some((_, answers)) = read.as_ref().filter(|(at, _)| at.elapsed() < FRESH_FOR) {
            return find(answers, request);
        }
        // what another replica stores while the query runs may be missing in its answer
        let asked = Instant::now();
        let (at, text) = match self.row.challenges().await {
            Ok(text) => (asked, text),
            Err(error) => {
                tracing::warn!(%error, "the challenges of ACME cannot be read");
                (Instant::now(), None)
            }
        };
        let answers: Vec<_> = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let found = find(&answers, request);
        *read = Some((at, answers));
        found
    }
}

fn find(answers: &[Answer], request: &ChallengeRequest) -> Option<String> {
    let is_for = |answer: &&Answer| match request {
        ChallengeRequest::Http { token } => answer.token == *token,
        ChallengeRequest::TlsAlpn { host } => answer.host == *host,
    };
    answers.iter().find(is_for).map(|answer| answer.authorization.clone())
}
