//! What happens to the replicas while they are used.

use std::time::Duration;

use authn::BoxError;
use clap::ValueEnum;

use super::Programs;
use super::replicas::{Order, Replicas};
use super::settings::TOKEN_LIFETIME_S;

/// How long it takes at most until every service has read a changed file: it looks every two seconds, and once more a quarter later.
const NOTICE: Duration = Duration::from_secs(4);

/// A change, as the table names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    /// Every replica is restarted.
    Restart,
    /// Every replica of the other version is replaced by one of this version.
    Upgrade,
    /// The replicas of the other version take their place again.
    Downgrade,
    /// The certificate that all services use as servers and as clients is replaced again and again.
    Certificates,
    /// The secret of the internal token is replaced again and again.
    Secrets,
}

impl Scenario {
    /// All, or those that are asked for; without another version there is no upgrade.
    pub(super) fn of(has_previous: bool, only: &[Self]) -> Vec<Self> {
        let all = [Self::Upgrade, Self::Restart, Self::Certificates, Self::Secrets, Self::Downgrade];
        let is_wanted = |scenario: &Self| only.is_empty() || only.contains(scenario);
        let is_possible = |scenario: &Self| has_previous || !matches!(scenario, Self::Upgrade | Self::Downgrade);
        all.into_iter().filter(|scenario| is_wanted(scenario) && is_possible(scenario)).collect()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Restart => "rolling restart",
            Self::Upgrade => "upgrade",
            Self::Downgrade => "downgrade",
            Self::Certificates => "certificates",
            Self::Secrets => "JWT secret",
        }
    }

    /// Makes the change, as an operator does.
    pub(super) async fn run(
        self,
        replicas: &mut Replicas,
        programs: &Programs<'_>,
        swaps: u32,
    ) -> Result<(), BoxError> {
        match (self, programs.previous) {
            (Self::Upgrade | Self::Restart, _) => replicas.replace_all(programs.own, Order::Forward).await,
            (Self::Downgrade, Some(previous)) => replicas.replace_all(previous, Order::Backward).await,
            (Self::Downgrade, None) => Err("there is no other version".into()),
            (Self::Certificates, _) => replace_certificates(replicas, swaps).await,
            (Self::Secrets, _) => replace_secrets(replicas, swaps).await,
        }
    }
}

async fn replace_certificates(replicas: &mut Replicas, swaps: u32) -> Result<(), BoxError> {
    for number in 1..=swaps {
        replicas.progress.begin(format!("certificate {number} of {swaps}"));
        replicas.files.replace_certificate()?;
        tokio::time::sleep(NOTICE).await;
    }
    Ok(())
}

/// In two steps: a service must not sign with a secret before every other one accepts it.
async fn replace_secrets(replicas: &mut Replicas, swaps: u32) -> Result<(), BoxError> {
    for number in 1..=swaps {
        replicas.progress.begin(format!("the announcement of secret {number} of {swaps}"));
        let next = replicas.files.announce_secret()?;
        tokio::time::sleep(NOTICE).await;
        replicas.progress.begin(format!("the use of secret {number} of {swaps}"));
        replicas.files.use_secret(next)?;
        // until no token of the former one is valid
        tokio::time::sleep(NOTICE + Duration::from_secs(TOKEN_LIFETIME_S)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upgrade_comes_first_and_needs_another_version() {
        use Scenario::{Certificates, Downgrade, Restart, Secrets, Upgrade};
        assert_eq!(Scenario::of(true, &[]), [Upgrade, Restart, Certificates, Secrets, Downgrade]);
        assert_eq!(Scenario::of(false, &[]), [Restart, Certificates, Secrets]);
        assert_eq!(Scenario::of(false, &[Upgrade, Secrets]), [Secrets]);
    }
}
