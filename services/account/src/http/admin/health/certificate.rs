//! The certificates of the listeners of this process.

use std::time::{Duration, SystemTime};

use runtime::{ListenerKind, ServiceHealth};
use web::date::LocalizedTime;
use web::i18n::Language;

use super::super::health_text::HealthText;

/// How long before its end a certificate is marked.
const ENDS_SOON: Duration = Duration::from_hours(14 * 24);

/// A certificate, as the page shows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CertificateRow {
    pub(super) service: &'static str,
    pub(super) listener: &'static str,
    pub(super) state: &'static str,
    pub(super) is_well: bool,
    pub(super) from: LocalizedTime,
    pub(super) until: LocalizedTime,
}

impl CertificateRow {
    /// Those of a service.
    pub(super) fn all_of(
        texts: &HealthText,
        language: Language,
        service: &ServiceHealth,
        now: SystemTime,
    ) -> Vec<Self> {
        let row = |certificate: &runtime::CertificateValidity| {
            let (state, is_well) = state(texts, (certificate.from, certificate.until), now);
            Self {
                service: service.name,
                listener: match certificate.listener {
                    ListenerKind::Grpc => "gRPC",
                    ListenerKind::Http => "HTTPS",
                    ListenerKind::Mtls => "mTLS",
                },
                state,
                is_well,
                from: LocalizedTime::minute(certificate.from, language),
                until: LocalizedTime::minute(certificate.until, language),
            }
        };
        service.certificates.iter().map(row).collect()
    }
}

/// What is said of a certificate with this validity, and whether nothing has to be done.
fn state(texts: &HealthText, (from, until): (SystemTime, SystemTime), now: SystemTime) -> (&'static str, bool) {
    if until < now {
        (texts.certificate_expired, false)
    } else if now < from {
        (texts.certificate_early, false)
    } else if until.duration_since(now).is_ok_and(|left| left < ENDS_SOON) {
        (texts.certificate_ends_soon, false)
    } else {
        (texts.certificate_valid, true)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use runtime::CertificateValidity;

    use super::super::super::health_text::health_text;
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn certificates_that_need_the_operator_are_marked() {
        let (texts, at) = (health_text(Language::English), |day: u32| UNIX_EPOCH + DAY * day);
        for (now, expected, is_well) in [
            (9, texts.certificate_early, false),
            (10, texts.certificate_valid, true),
            (86, texts.certificate_valid, true),
            (87, texts.certificate_ends_soon, false),
            (100, texts.certificate_ends_soon, false),
            (101, texts.certificate_expired, false),
        ] {
            assert_eq!(state(texts, (at(10), at(100)), at(now)), (expected, is_well), "day {now}");
        }
    }

    #[test]
    fn each_listener_has_a_row() {
        let certificate = |listener| CertificateValidity { listener, from: UNIX_EPOCH, until: UNIX_EPOCH + DAY };
        let listeners = [ListenerKind::Grpc, ListenerKind::Http, ListenerKind::Mtls];
        let certificates = listeners.map(certificate).into();
        let service = ServiceHealth { name: "idp", started: UNIX_EPOCH, failing: Vec::new(), certificates };
        let texts = health_text(Language::English);
        let rows = CertificateRow::all_of(texts, Language::English, &service, UNIX_EPOCH);
        assert_eq!(rows.iter().map(|row| row.listener).collect::<Vec<_>>(), ["gRPC", "HTTPS", "mTLS"]);
    }
}
