//! The health of the services, as the page and the API show it: whether each is ready, what is wrong, since when it runs, and the age
//! of certificates and signing keys. It has no secrets and no addresses (`docs/security-requirements.md#n61`).

use std::time::{Duration, SystemTime};

use futures_util::future::{join_all, join3};
use proto::doorward::idp::v1::{Key, KeyState, ListKeysRequest};
use runtime::{CertificateValidity, ServiceHealth};
use tokio::time::timeout;

use super::Administration;
use crate::remote_health::{RemoteHealth, TIMEOUT, ask};
use crate::transport::OnBehalfOf;

/// The version of the services of this process: one binary has one version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How long before its end a certificate is marked.
const ENDS_SOON: Duration = Duration::from_hours(14 * 24);

/// What is known of the services.
pub(crate) struct Health {
    /// The services of this process.
    pub(crate) here: Vec<ServiceHealth>,
    /// Those in other processes that are asked, by their names.
    pub(crate) remote: Vec<(&'static str, RemoteHealth)>,
    /// The keys that sign now; none without idp, or where it does not answer in time.
    pub(crate) signing_keys: Vec<Key>,
}

/// Whether a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CertificateState {
    /// It is valid, and nothing has to be done.
    Valid,
    /// It is valid, and ends within two weeks.
    EndsSoon,
    /// It is not valid yet.
    Early,
    /// It is not valid any more.
    Expired,
}

impl CertificateState {
    /// That of a certificate at this time.
    pub(crate) fn of(certificate: &CertificateValidity, now: SystemTime) -> Self {
        let CertificateValidity { from, until, .. } = *certificate;
        if until < now {
            Self::Expired
        } else if now < from {
            Self::Early
        } else if until.duration_since(now).is_ok_and(|left| left < ENDS_SOON) {
            Self::EndsSoon
        } else {
            Self::Valid
        }
    }
}

impl Administration {
    /// Asks all services at the same time.
    pub(crate) async fn health(&self, by: &OnBehalfOf<'_>) -> Health {
        let remote = self.remote.iter().map(async |(name, transport)| (*name, ask(name, transport.clone()).await));
        let (here, remote, signing_keys) = join3(self.running.health(), join_all(remote), self.signing_keys(by)).await;
        Health { here, remote, signing_keys }
    }

    async fn signing_keys(&self, by: &OnBehalfOf<'_>) -> Vec<Key> {
        let Some(mut api) = self.keys.clone() else { return Vec::new() };
        match timeout(TIMEOUT, api.list_keys(by.call(ListKeysRequest {}))).await {
            Ok(Ok(listed)) => {
                let keys = listed.into_inner().keys.into_iter();
                keys.filter(|key| key.state() == KeyState::Current).collect()
            }
            Ok(Err(status)) => {
                tracing::warn!(%status, "idp does not say which keys sign");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!("idp does not say which keys sign in time");
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use runtime::ListenerKind;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn certificates_that_need_the_operator_are_marked() {
        let at = |day: u32| UNIX_EPOCH + DAY * day;
        let certificate = CertificateValidity { listener: ListenerKind::Http, from: at(10), until: at(100) };
        for (now, expected) in [
            (9, CertificateState::Early),
            (10, CertificateState::Valid),
            (86, CertificateState::Valid),
            (87, CertificateState::EndsSoon),
            (100, CertificateState::EndsSoon),
            (101, CertificateState::Expired),
        ] {
            assert_eq!(CertificateState::of(&certificate, at(now)), expected, "day {now}");
        }
    }
}
