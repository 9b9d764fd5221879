//! The certificates of the listeners of this process.

use std::time::SystemTime;

use runtime::{CertificateValidity, ListenerKind, ServiceHealth};
use web::date::LocalizedTime;
use web::i18n::Language;

use super::super::health_text::HealthText;
use crate::administration::health::CertificateState;

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
        let row = |certificate: &CertificateValidity| {
            let state = CertificateState::of(certificate, now);
            Self {
                service: service.name,
                listener: match certificate.listener {
                    ListenerKind::Grpc => "gRPC",
                    ListenerKind::Http => "HTTPS",
                    ListenerKind::Mtls => "mTLS",
                    ListenerKind::Debug => "debug",
                },
                state: state_text(texts, state),
                is_well: state == CertificateState::Valid,
                from: LocalizedTime::minute(certificate.from, language),
                until: LocalizedTime::minute(certificate.until, language),
            }
        };
        service.certificates.iter().map(row).collect()
    }
}

const fn state_text(texts: &HealthText, state: CertificateState) -> &'static str {
    match state {
        CertificateState::Valid => texts.certificate_valid,
        CertificateState::EndsSoon => texts.certificate_ends_soon,
        CertificateState::Early => texts.certificate_early,
        CertificateState::Expired => texts.certificate_expired,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::super::health_text::health_text;
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn each_listener_has_a_row() {
        let certificate = |listener| CertificateValidity { listener, from: UNIX_EPOCH, until: UNIX_EPOCH + DAY };
        let listeners = [ListenerKind::Grpc, ListenerKind::Http, ListenerKind::Mtls, ListenerKind::Debug];
        let certificates = listeners.map(certificate).into();
        let service = ServiceHealth { name: "idp", started: UNIX_EPOCH, failing: Vec::new(), certificates };
        let texts = health_text(Language::English);
        let rows = CertificateRow::all_of(texts, Language::English, &service, UNIX_EPOCH);
        assert_eq!(rows.iter().map(|row| row.listener).collect::<Vec<_>>(), ["gRPC", "HTTPS", "mTLS", "debug"]);
        assert!(rows.iter().all(|row| !row.is_well && row.state == texts.certificate_ends_soon));
    }
}
