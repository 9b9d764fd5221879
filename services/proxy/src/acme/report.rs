//! What is stored of the certificate, for operators.

use std::time::SystemTime;

use authn::BoxError;
use runtime::Context;
use store::Database;

use super::state::State;
use super::storage::Storage;
use super::{row, schedule, shared};
use crate::config::{Config, Plan};

/// What is stored of the certificate that is obtained by ACME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeReport {
    /// The file or the database, without user and password.
    pub place: String,
    /// The hosts that a certificate is wanted for.
    pub hosts: Vec<String>,
    /// The certificate that was issued last.
    pub certificate: Option<AcmeCertificate>,
    /// The attempts that have failed since then.
    pub failures: Option<AcmeFailures>,
}

/// A certificate that was obtained by ACME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeCertificate {
    /// The hosts that it was ordered for.
    pub hosts: Vec<String>,
    /// Whether its hosts and its authority are those of the configuration.
    pub is_wanted: bool,
    /// The first moment of its validity.
    pub from: SystemTime,
    /// The last moment of its validity.
    pub until: SystemTime,
    /// When it is renewed.
    pub due: SystemTime,
}

/// Attempts that have failed in succession.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeFailures {
    /// How many.
    pub count: u32,
    /// Why the last one has.
    pub problem: String,
    /// The next one is not before.
    pub next: SystemTime,
}

/// Reads what is stored, in this database where replicas share it; `None` if ACME is off. Changes nothing.
///
/// # Errors
/// If it cannot be read.
pub async fn acme_report(
    config: &Config,
    database: Option<&Database>,
    context: &Context,
) -> Result<Option<AcmeReport>, BoxError> {
    let Some(plan) = config.acme_plan()? else { return Ok(None) };
    let (storage, place) = if let Some(database) = database.filter(|_| config.shares_certificate()) {
        let storage = shared(&row(database, &plan), config, &context.random);
        (storage, database.location().to_owned())
    } else {
        let folder = ::config::base_data_path(&context.environment);
        let place = Storage::file_in(&folder).display().to_string();
        (Storage::Folder(folder), place)
    };
    let state = storage.read().await?;
    Ok(Some(AcmeReport::new(&state, &plan, place, context.clock.now())))
}

impl AcmeReport {
    fn new(state: &State, plan: &Plan, place: String, now: SystemTime) -> Self {
        let certificate = state.certificate.as_ref().map(|stored| AcmeCertificate {
            hosts: stored.hosts.clone(),
            is_wanted: state.certificate_for(plan).is_some(),
            from: stored.from,
            until: stored.until,
            due: schedule::due(stored, state.renewal.as_ref()),
        });
        let failed = state.attempt.as_ref().filter(|attempt| attempt.failures > 0);
        let failures = failed.map(|attempt| AcmeFailures {
            count: attempt.failures,
            problem: attempt.problem.clone().unwrap_or_default(),
            next: schedule::earliest(attempt, plan, now),
        });
        Self { place, hosts: plan.hosts.clone(), certificate, failures }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::state::{Attempt, StoredCertificate};
    use super::*;
    use crate::acme::testing::plan;

    #[test]
    fn report_has_what_is_stored_and_what_is_wanted() {
        let at = |days: u64| UNIX_EPOCH + Duration::from_hours(24 * days);
        let none = AcmeReport::new(&State::default(), &plan(), "here".to_owned(), at(0));
        assert_eq!((none.hosts, none.certificate, none.failures), (plan().hosts, None, None));

        let certificate = StoredCertificate {
            directory: plan().directory.to_string(),
            hosts: plan().hosts,
            chain: String::new(),
            key: String::new(),
            from: at(0),
            until: at(90),
        };
        let attempt = Attempt {
            at: at(61),
            plan: plan().fingerprint(),
            failures: 3,
            next: at(62),
            problem: Some("refused".to_owned()),
        };
        let state = State { certificate: Some(certificate), attempt: Some(attempt), ..State::default() };
        let report = AcmeReport::new(&state, &plan(), "here".to_owned(), at(61));
        let found = report.certificate.expect("is stored");
        assert!(found.is_wanted);
        assert_eq!((found.from, found.until, found.due), (at(0), at(90), at(60)));
        let expected = AcmeFailures { count: 3, problem: "refused".to_owned(), next: at(62) };
        assert_eq!(report.failures, Some(expected));

        let other = Plan { hosts: vec!["other.example".to_owned()], ..plan() };
        let report = AcmeReport::new(&state, &other, "here".to_owned(), at(61));
        assert!(!report.certificate.expect("is stored").is_wanted);
    }
}
