//! The certificate that the edge obtains by ACME.

use std::time::{Duration, SystemTime};

use authn::BoxError;
use proxy::{AcmeFailures, AcmeReport};
use store::Database;

use super::{Finding, Installation, Subject, databases};
use crate::cli::Check;
use crate::services::ServiceId;

/// An edge that runs orders a certificate within a minute of the time at which it is due.
const OVERDUE: Duration = Duration::from_hours(1);
/// What to do where orders fail.
const ORDERS_FAIL: &str = "see the log of the edge: the authority looks up each host, and has to reach the edge at port 443, or at port 80 with PROXY_ACME_CHALLENGE=http-01";
/// What to do where no order is made.
const NO_ORDERS: &str = "see whether the edge runs with these settings; it orders another one by itself";

/// Checks the certificate that is stored. The authority is not asked.
pub(super) async fn check(installation: &Installation) -> Vec<Finding> {
    let subject = Subject::new(Check::Certificates, "proxy, by ACME");
    subject.within_limit(async { vec![of_stored(&subject, installation).await] }).await
}

async fn of_stored(subject: &Subject, installation: &Installation) -> Finding {
    let (config, context) = (&installation.settings.proxy, &installation.context);
    let database = match shared_database(installation).await {
        Ok(database) => database,
        Err(problem) => return subject.failed(problem, "see what the checks of databases say"),
    };
    match proxy::acme_report(config, database.as_ref(), context).await {
        Ok(Some(report)) => judge(subject, &report, context.clock.now()),
        Ok(None) => subject.not_checked("PROXY_ACME_ENABLED is off"),
        Err(problem) => subject.failed(problem, "run this command as the account of the edge, and with its settings"),
    }
}

/// The database in which replicas share the certificate; `None` if it is in the data folder.
async fn shared_database(installation: &Installation) -> Result<Option<Database>, BoxError> {
    if !installation.settings.proxy.shares_certificate() {
        return Ok(None);
    }
    let servers = databases::servers(installation);
    match servers.iter().find(|server| server.is_of(ServiceId::Proxy)) {
        Some(server) => server.connect().await.map(Some),
        None => Ok(None),
    }
}

/// What an operator should know of the certificate. Where it has several problems, the one that breaks most.
fn judge(subject: &Subject, report: &AcmeReport, now: SystemTime) -> Finding {
    let failures = report.failures.as_ref().map(|failures| backing_off(failures, now));
    let Some(certificate) = &report.certificate else {
        return match failures {
            None => subject.not_checked(format_args!("there is none in {} yet; the edge orders it", report.place)),
            Some(failures) => subject.failed(format_args!("there is none: {failures}"), ORDERS_FAIL),
        };
    };
    let (failures, remedy) = match failures {
        Some(failures) => (format!("; {failures}"), ORDERS_FAIL),
        None => (String::new(), NO_ORDERS),
    };
    let Ok(left) = certificate.until.duration_since(now) else {
        return subject.failed(format_args!("it has expired{failures}"), remedy);
    };
    if certificate.from > now + Duration::from_secs(1) {
        return subject.failed("it is not valid yet", "correct the clock of this machine, or wait");
    }
    let missing: Vec<_> = report.hosts.iter().filter(|host| !certificate.hosts.contains(host)).cloned().collect();
    if !missing.is_empty() {
        return subject.failed(format_args!("it is not for {}{failures}", missing.join(", ")), remedy);
    }
    let expires = format!("it expires in {}", span(left));
    if !certificate.is_wanted {
        let found = format!("{expires}, and is for other hosts or of another authority than is configured{failures}");
        return subject.warning(found, remedy);
    }
    if !failures.is_empty() {
        return subject.warning(format_args!("{expires}{failures}"), remedy);
    }
    match (now.duration_since(certificate.due), certificate.due.duration_since(now)) {
        (Ok(late), _) if late > OVERDUE => {
            subject.warning(format_args!("{expires}; its renewal is overdue by {}", span(late)), remedy)
        }
        (_, until) => {
            let renewed = span(until.unwrap_or_default());
            subject.ok(format_args!("{expires}, is for {}, and is renewed in {renewed}", certificate.hosts.join(", ")))
        }
    }
}

fn backing_off(failures: &AcmeFailures, now: SystemTime) -> String {
    let AcmeFailures { count, problem, next } = failures;
    let next = span(next.duration_since(now).unwrap_or_default());
    format!("attempts that failed in succession: {count}, the last one by: {problem}; the next one is in {next}")
}

/// A duration in its largest unit.
fn span(duration: Duration) -> String {
    match duration.as_secs() / 60 {
        minutes @ 0..120 => format!("{minutes} minutes"),
        minutes @ 120..2880 => format!("{} hours", minutes / 60),
        minutes => format!("{} days", minutes / 60 / 24),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proxy::AcmeCertificate;

    use super::super::Outcome;
    use super::*;

    fn day(days: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(24 * days)
    }

    fn found(report: &AcmeReport, now: u64) -> (Outcome, String) {
        let finding = judge(&Subject::new(Check::Certificates, "proxy, by ACME"), report, day(now));
        (finding.outcome, finding.found)
    }

    #[test]
    fn worst_problem_of_a_certificate_by_acme_is_named() {
        let hosts = vec!["auth.example.org".to_owned()];
        let certificate =
            AcmeCertificate { hosts: hosts.clone(), is_wanted: true, from: day(10), until: day(100), due: day(70) };
        let failures = AcmeFailures { count: 2, problem: "no answer".to_owned(), next: day(76) };
        let good =
            AcmeReport { place: "acme.json".to_owned(), hosts, certificate: Some(certificate.clone()), failures: None };
        let expected = "it expires in 80 days, is for auth.example.org, and is renewed in 50 days";
        assert_eq!(found(&good, 20), (Outcome::Ok, expected.to_owned()));
        assert_eq!(found(&good, 70).0, Outcome::Ok, "the edge orders it at this moment");
        let overdue = found(&good, 72);
        assert_eq!(overdue, (Outcome::Warning, "it expires in 28 days; its renewal is overdue by 2 days".to_owned()));
        assert_eq!(found(&good, 101), (Outcome::Failed, "it has expired".to_owned()));
        assert_eq!(found(&good, 9).0, Outcome::Failed, "it is not valid yet");

        let failing = AcmeReport { failures: Some(failures), ..good.clone() };
        let (outcome, text) = found(&failing, 75);
        assert!(outcome == Outcome::Warning && text.contains("succession: 2, the last one by: no answer"), "{text}");
        assert!(text.ends_with("the next one is in 24 hours"), "{text}");
        let (outcome, text) = found(&failing, 101);
        assert!(outcome == Outcome::Failed && text.ends_with("the next one is in 0 minutes"), "{text}");

        let none = AcmeReport { certificate: None, ..good.clone() };
        assert_eq!(found(&none, 20).0, Outcome::NotChecked);
        assert_eq!(found(&AcmeReport { certificate: None, ..failing }, 20).0, Outcome::Failed);

        let other = AcmeCertificate { is_wanted: false, ..certificate };
        let renamed =
            AcmeReport { hosts: vec!["id.example.org".to_owned()], certificate: Some(other.clone()), ..good.clone() };
        assert_eq!(found(&renamed, 20), (Outcome::Failed, "it is not for id.example.org".to_owned()));
        let of_another = AcmeReport { certificate: Some(other), ..good };
        assert_eq!(found(&of_another, 20).0, Outcome::Warning);
    }
}
