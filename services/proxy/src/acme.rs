//! The certificate of the edge from an authority that speaks ACME (RFC 8555), and its renewal (RFC 9773).

mod challenges;
mod client;
mod metrics;
mod order;
pub(crate) mod report;
mod schedule;
mod state;
mod storage;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ::store::Database;
use authn::BoxError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use runtime::{Clock, Context, IssuedCertificate, Random, Task, TlsError};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config::{Config, Plan, Session};
use crate::session::digest_of;
use crate::session::seal::Sealer;
use crate::store::acme::Row;
use challenges::Answers;
use client::AuthorityClient;
use metrics::AcmeMetrics;
use order::{OrderError, Ordering, PACE, Pace, suggested_window};
use schedule::Next;
use state::{State, StoredCertificate};
use storage::{Lock, Storage, StorageError};

/// The setting that errors of the certificate name.
const SETTING: &str = "PROXY_ACME_ENABLED";
/// The longest time until the stored state is read again: another replica may have obtained a certificate.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The shortest time, for a clock that stands still.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Obtains the certificate and renews it.
pub(crate) struct Acme {
    plan: Plan,
    email: String,
    authorities: Option<PathBuf>,
    storage: Storage,
    answers: Answers,
    issued: IssuedCertificate,
    /// What is in use of what is stored.
    in_use: Mutex<Option<StoredCertificate>>,
    metrics: AcmeMetrics,
    clock: Clock,
    random: Random,
    pace: Pace,
}

impl Acme {
    /// With the certificate that is stored already, if there is one; `None` if ACME is off. Replicas that share a `PostgreSQL` database
    /// share the certificate there.
    ///
    /// # Errors
    /// If what is stored cannot be read.
    pub(crate) async fn open(
        config: &Config,
        database: Option<&Database>,
        context: &Context,
    ) -> Result<Option<Self>, BoxError> {
        let Some(plan) = config.acme_plan()? else { return Ok(None) };
        check_files(config)?;
        let row = database.filter(|_| config.shares_certificate()).map(|database| row(database, &plan));
        let storage = match &row {
            Some(row) => shared(row, config, &context.random),
            None => Storage::in_folder(&::config::base_data_path(&context.environment))?,
        };
        let acme = Self::over(plan, storage, row, config, context);
        let state = match acme.storage.read().await {
            // the edge starts: each step logs the error, and orders nothing
            Err(StorageError::Sealed) => State::default(),
            outcome => outcome?,
        };
        acme.adopt(&state);
        if acme.shown_until().is_none() {
            tracing::warn!(
                hosts = acme.plan.hosts.join(","),
                directory = %acme.plan.directory,
                "the edge shows a certificate that browsers do not trust until one is issued by ACME"
            );
        }
        Ok(Some(acme))
    }

    fn over(plan: Plan, storage: Storage, row: Option<Row>, config: &Config, context: &Context) -> Self {
        let answers = Answers::new(row);
        let of_challenges = answers.clone();
        let issued = IssuedCertificate::new(SETTING, move |request| {
            let answers = of_challenges.clone();
            async move { answers.find(request).await }
        });
        Self {
            plan,
            email: config.acme.email.clone(),
            authorities: config.acme.authorities.clone(),
            storage,
            answers,
            issued,
            in_use: Mutex::default(),
            metrics: AcmeMetrics::new(&context.metrics, &context.clock),
            clock: context.clock.clone(),
            random: context.random.clone(),
            pace: PACE,
        }
    }

    /// The certificate, to be shown by the listener.
    pub(crate) fn certificate(&self) -> IssuedCertificate {
        self.issued.clone()
    }

    /// The background task.
    pub(crate) fn task(self, context: &Context) -> Task {
        let shutdown = context.shutdown.clone();
        Task::new("acme", async move {
            let forever = async {
                loop {
                    tokio::time::sleep(self.step().await).await;
                }
            };
            let ended: Option<()> = shutdown.run_until_cancelled(forever).await;
            if ended.is_none() {
                // an order that was interrupted must not keep other replicas from theirs
                self.storage.release().await;
            }
        })
    }

    /// Does what is due, and returns the time until the next step.
    async fn step(&self) -> Duration {
        let now = self.clock.now();
        match self.advance(now).await {
            Ok(next) => next.duration_since(now).unwrap_or_default().clamp(SHORTEST_WAIT, LONGEST_WAIT),
            Err(error) => {
                tracing::error!(%error, "the state of ACME cannot be read or written: {error}");
                LONGEST_WAIT
            }
        }
    }

    /// Does what is due now. Returns when something is due next.
    async fn advance(&self, now: SystemTime) -> Result<SystemTime, StorageError> {
        let state = self.storage.read().await?;
        self.adopt(&state);
        if let Next::Wait(until) = schedule::next(&state, &self.plan, now) {
            return Ok(until);
        }
        let Some(lock) = self.storage.lock(now).await? else { return Ok(now + LONGEST_WAIT) };
        let outcome = Box::pin(self.advance_alone(&lock, now)).await;
        self.storage.release().await;
        outcome
    }

    /// The same while no other process orders. What was due may have been done by another one.
    async fn advance_alone(&self, lock: &Lock, now: SystemTime) -> Result<SystemTime, StorageError> {
        let mut state = self.storage.read().await?;
        self.adopt(&state);
        match schedule::next(&state, &self.plan, now) {
            Next::Wait(until) => return Ok(until),
            Next::Order => self.order(lock, &mut state, now).await?,
            Next::Check => self.check(lock, &mut state, now).await?,
        }
        self.adopt(&state);
        Ok(now)
    }

    /// Orders a certificate. The attempt is stored before it begins, so that a process that ends in the middle does not repeat it at once.
    async fn order(&self, lock: &Lock, state: &mut State, now: SystemTime) -> Result<(), StorageError> {
        let attempt = schedule::begin(state, &self.plan, &self.random, now);
        state.attempt = Some(attempt.clone());
        self.storage.write(lock, state).await?;
        let hosts = self.plan.hosts.join(",");
        let (outcome, retry_after) = match self.ordering() {
            Ok(ordering) => (caught(Box::pin(ordering.run(lock, state))).await, ordering.client.retry_after(now)),
            Err(error) => (Err(error), None),
        };
        self.metrics.ended(outcome.is_ok());
        match outcome {
            Ok(certificate) => {
                tracing::info!(hosts, until = written(certificate.until), "obtained a certificate by ACME");
                state.attempt = Some(schedule::succeeded(attempt, now));
                state.renewal = None;
                *self.in_use.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate.clone());
                state.certificate = Some(certificate);
            }
            Err(error) => {
                let attempt = schedule::failed(attempt, error.to_string(), retry_after, now);
                let (failures, next) = (attempt.failures, written(attempt.next));
                let until = self.shown_until();
                tracing::error!(hosts, failures, next, until, %error, "no certificate was issued by ACME: {error}");
                state.attempt = Some(attempt);
            }
        }
        self.storage.write(lock, state).await
    }

    /// Asks when the authority wants the certificate renewed.
    async fn check(&self, lock: &Lock, state: &mut State, now: SystemTime) -> Result<(), StorageError> {
        let former = state.renewal.clone();
        let renewal = match caught(Box::pin(self.window(lock, state))).await {
            Ok(Some((window, retry_after))) => {
                schedule::suggested(former.as_ref(), window, retry_after, &self.random, now)
            }
            Ok(None) => schedule::unanswered(former.as_ref(), now),
            Err(error) => {
                tracing::info!(%error, "the authority gives no renewal information");
                schedule::unanswered(former.as_ref(), now)
            }
        };
        state.renewal = Some(renewal);
        self.storage.write(lock, state).await
    }

    async fn window(
        &self,
        lock: &Lock,
        state: &mut State,
    ) -> Result<Option<((SystemTime, SystemTime), Duration)>, OrderError> {
        let Some(certificate) = state.certificate_for(&self.plan).cloned() else { return Ok(None) };
        let account = self.ordering()?.account(lock, state).await?;
        suggested_window(&account, &certificate).await
    }

    fn ordering(&self) -> Result<Ordering<'_>, OrderError> {
        Ok(Ordering {
            plan: &self.plan,
            email: &self.email,
            storage: &self.storage,
            answers: &self.answers,
            issued: &self.issued,
            client: AuthorityClient::new(self.authorities.as_deref())?,
            pace: self.pace,
        })
    }

    /// Puts the stored certificate to use, unless it is in use.
    fn adopt(&self, state: &State) {
        let wanted = state.certificate_for(&self.plan);
        let failures = state.attempt.as_ref().map_or(0, |attempt| attempt.failures);
        self.metrics.found(failures, wanted.map(|held| schedule::due(held, state.renewal.as_ref())));
        // after a change of the hosts or of the authority, the former certificate is shown until there is another one
        let now = self.clock.now();
        let certificate = wanted.or_else(|| state.certificate.as_ref().filter(|former| former.until > now));
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(certificate) = certificate.filter(|stored| in_use.as_ref() != Some(*stored)) else { return };
        match self.issued.put_to_use(&certificate.chain, &certificate.key, &certificate.hosts) {
            Ok(_) => {
                tracing::info!(
                    hosts = certificate.hosts.join(","),
                    until = written(certificate.until),
                    "the edge shows a certificate that was issued by ACME"
                );
                *in_use = Some(certificate.clone());
            }
            Err(error) => tracing::error!(%error, "a certificate that was issued by ACME cannot be used"),
        }
    }

    /// The last moment of the certificate that is shown, for a log line; `None` if that is not of an authority.
    fn shown_until(&self) -> Option<String> {
        let in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.as_ref().map(|certificate| written(certificate.until))
    }
}

/// What this work returns; an error if it panics, as the client of the authority does at some answers.
async fn caught<T>(work: impl Future<Output = Result<T, OrderError>>) -> Result<T, OrderError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or(Err(OrderError::Panicked))
}

/// Reads the file of authorities, if ACME is on and there is one.
///
/// # Errors
/// If it cannot be used.
pub(crate) fn check_files(config: &Config) -> Result<(), TlsError> {
    if config.acme.enabled { AuthorityClient::new(config.acme.authorities.as_deref()).map(drop) } else { Ok(()) }
}

/// The row of replicas that have this plan: others, as during an upgrade, have another one.
fn row(database: &Database, plan: &Plan) -> Row {
    let mut hosts = plan.hosts.clone();
    hosts.sort();
    let id = digest_of(&format!("{}\n{}\n{}", plan.directory, plan.external_account_id(), hosts.join("\n")));
    Row::new(database.clone(), id)
}

/// The storage in a row that replicas share, for another one of them.
fn shared(row: &Row, config: &Config, random: &Random) -> Storage {
    let Session { secret, secret_previous, .. } = &config.session;
    let sealer = Box::new(Sealer::of_acme(secret, secret_previous, random.clone()));
    Storage::Shared { row: row.clone(), sealer, holder: URL_SAFE_NO_PAD.encode(random.bytes::<16>()) }
}

/// A time for a log line.
fn written(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
