//! The certificates of the servers.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use config::{Http, ListenAddr};
use runtime::{CertificateReport, Listeners, TlsError, inspect_certificates};
use url::Url;

use super::{Finding, Installation, Subject, acme};
use crate::cli::Check;
use crate::services::ServiceId;

const DAY: u64 = 24 * 60 * 60;
/// A certificate that expires sooner should have been renewed.
const WARNING_DAYS: u64 = 14;
/// The certificate that the one process makes for its edge, in the data folder.
const KEPT: [&str; 2] = ["edge.crt", "edge.key"];

/// Checks the certificate of each server that speaks TLS.
pub(super) async fn check(installation: &Installation) -> Vec<Finding> {
    let now = installation.context.clock.now();
    let findings = installation.enabled.iter().flat_map(|service| of_service(service, installation, now));
    let mut findings: Vec<_> = findings.collect();
    if installation.enabled.contains(ServiceId::Proxy) && is_by_acme(installation) {
        findings.extend(acme::check(installation).await);
    }
    if findings.is_empty() {
        let subject = Subject::new(Check::Certificates, "servers");
        return vec![subject.not_checked("no server has a certificate in a file")];
    }
    findings
}

fn of_service(service: ServiceId, installation: &Installation, now: SystemTime) -> Vec<Finding> {
    let settings = &installation.settings;
    let listeners = settings.listeners(service);
    // the certificate that the process has made is shown only until the first one is issued by ACME
    if service != ServiceId::Proxy || is_by_acme(installation) {
        return inspect_certificates(&listeners, None)
            .into_iter()
            .map(|one| finding(service, one, now, false))
            .collect();
    }
    let (http, is_kept) = with_kept_certificate(installation);
    let url = Url::parse(&settings.proxy.url).ok();
    let host = url.as_ref().and_then(Url::host_str);
    let listeners = Listeners { http: Some(&http), ..listeners };
    inspect_certificates(&listeners, host).into_iter().map(|one| finding(service, one, now, is_kept)).collect()
}

/// Whether the edge obtains its certificate by ACME.
fn is_by_acme(installation: &Installation) -> bool {
    let edge = &installation.settings.proxy;
    edge.acme.enabled && edge.http.0.addr != ListenAddr::Off
}

/// The HTTP server of the edge, with the certificate that the one process has made for it where none is configured.
fn with_kept_certificate(installation: &Installation) -> (Http, bool) {
    let mut http = installation.settings.proxy.http.0.clone();
    let [certificate, key]: [PathBuf; 2] = KEPT.map(|name| installation.settings.data.join(name));
    let is_kept = http.tls.enabled && http.tls.cert.is_none() && http.addr != ListenAddr::Off && certificate.exists();
    if is_kept {
        (http.tls.cert, http.tls.key) = (Some(certificate), Some(key.into()));
    }
    (http, is_kept)
}

fn finding(service: ServiceId, report: Result<CertificateReport, TlsError>, now: SystemTime, is_kept: bool) -> Finding {
    match report {
        Ok(report) => judge(&report, service.name(), now, is_kept),
        Err(problem) => {
            let remedy = "name a certificate and the key that it was made for, both in PEM format";
            Subject::new(Check::Certificates, service.name()).failed(problem, remedy)
        }
    }
}

/// What an operator should know of a certificate. Where one has several problems, the one that breaks most.
fn judge(report: &CertificateReport, service: &str, now: SystemTime, is_kept: bool) -> Finding {
    let CertificateReport { setting, file, length, .. } = report;
    let subject = Subject::new(Check::Certificates, format_args!("{service}, {}", file.display()));
    let Some((from, until)) = report.validity else {
        return subject
            .warning("its certificate cannot be read here", format_args!("see whether {setting} names X.509"));
    };
    let renew = format!("renew it, and write the new one into the file of {setting}: it is read again within seconds");
    let Ok(left) = until.duration_since(now).map(|left| left.as_secs() / DAY) else {
        return subject.failed("it has expired", renew);
    };
    if from > now + Duration::from_secs(1) {
        return subject.failed("it is not valid yet", "correct the clock of this machine, or wait");
    }
    if report.covers_host == Some(false) {
        let remedy = "have one made for the host of OCIS_URL (PROXY_URL)";
        return subject.failed("it is not for the host of the installation's URL", remedy);
    }
    if !report.is_linked {
        let remedy = format!("put the server's certificate first in the file of {setting}, and each issuer after it");
        return subject.failed("its chain is broken: a certificate is not issued by the next one", remedy);
    }
    if left < WARNING_DAYS {
        return subject.warning(format_args!("it expires in {left} days"), renew);
    }
    if report.is_self_issued {
        let found = format!("it signs itself and expires in {left} days");
        let remedy =
            "clients do not trust it unless it was added to them; name one of an authority for others than yourself";
        return if is_kept { subject.ok(found) } else { subject.warning(found, remedy) };
    }
    let chain = if *length == 1 { "without intermediate certificates" } else { "with its chain" };
    subject.ok(format_args!("it expires in {left} days, {chain}"))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::Outcome;
    use super::*;

    #[test]
    fn worst_problem_of_a_certificate_is_named() {
        let day = |days: u64| UNIX_EPOCH + Duration::from_secs(days * DAY);
        let good = CertificateReport {
            setting: "PROXY_TRANSPORT_TLS_CERT",
            file: "/etc/tls.crt".into(),
            validity: Some((day(0), day(100))),
            length: 2,
            is_linked: true,
            is_self_issued: false,
            covers_host: Some(true),
        };
        let outcome = |report: CertificateReport, now: u64| {
            let finding = judge(&report, "proxy", day(now), false);
            (finding.outcome, finding.found)
        };
        assert_eq!(outcome(good.clone(), 10), (Outcome::Ok, "it expires in 90 days, with its chain".to_owned()));
        assert_eq!(outcome(good.clone(), 90).0, Outcome::Warning);
        assert_eq!(outcome(good.clone(), 101), (Outcome::Failed, "it has expired".to_owned()));
        let later = CertificateReport { validity: Some((day(50), day(100))), ..good.clone() };
        assert_eq!(outcome(later, 10).0, Outcome::Failed);
        let other = CertificateReport { covers_host: Some(false), ..good.clone() };
        assert_eq!(outcome(other, 10).0, Outcome::Failed);
        let broken = CertificateReport { is_linked: false, ..good.clone() };
        assert_eq!(outcome(broken, 10).0, Outcome::Failed);
        let own = CertificateReport { is_self_issued: true, ..good };
        assert_eq!(outcome(own.clone(), 10).0, Outcome::Warning);
        assert_eq!(judge(&own, "proxy", day(10), true).outcome, Outcome::Ok, "the one that the server has made");
    }
}
