//! Revocations at one replica, and when the other one refuses the token.

use std::time::{Duration, Instant};

use authn::BoxError;
use hdrhistogram::Histogram;
use proto::doorward::apptokens::v1::RevokeTokenRequest;
use proto::doorward::apptokens::v1::app_tokens_api_client::AppTokensApiClient;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tonic::Request;
use tonic::transport::Channel;

use super::replicas::{Replicas, accepts};
use crate::call::Credential;
use crate::users;

/// How often a token is used at the other replica before: its cache takes a token that is used repeatedly.
const USES: u32 = 5;
/// The longest time until a refusal.
const LONGEST: Duration = Duration::from_secs(10);

/// Revokes so many of the least used tokens, at moments that do not depend on each other, so many in a second; returns how long the
/// other replica accepted each, in microseconds.
pub(super) async fn measure(
    replicas: &Replicas,
    count: usize,
    rate: f64,
    seed: u64,
) -> Result<Histogram<u64>, BoxError> {
    let (channels, mut random) = (replicas.channels(), SmallRng::seed_from_u64(seed));
    let [one, other] = &channels[..] else { return Err("two replicas are needed".into()) };
    let mut revocations = JoinSet::new();
    for credential in replicas.credentials.iter().rev().take(count) {
        let share: f64 = random.random();
        tokio::time::sleep(Duration::from_secs_f64(-(1.0 - share).ln() / rate)).await;
        let (revoking, observed) = if random.random_bool(0.5) { (one, other) } else { (other, one) };
        revocations.spawn(revoke(revoking.clone(), observed.clone(), credential.clone()));
    }
    let mut lags = Histogram::new(3)?;
    while let Some(lag) = revocations.join_next().await {
        lags.record(u64::try_from(lag??.as_micros())?)?;
    }
    Ok(lags)
}

/// Revokes a token; returns for how long the other replica accepts it after the answer.
async fn revoke(revoking: Channel, observed: Channel, credential: Credential) -> Result<Duration, BoxError> {
    for _ in 0..USES {
        if !accepts(observed.clone(), &credential).await? {
            return Err("a valid token is refused".into());
        }
    }
    let mut request = Request::new(RevokeTokenRequest { token: credential.1.clone() });
    request.metadata_mut().insert(token::METADATA_KEY, users::operator()?);
    AppTokensApiClient::new(revoking).revoke_token(request).await?;
    let answered = Instant::now();
    while accepts(observed.clone(), &credential).await? {
        if answered.elapsed() > LONGEST {
            return Err("a revoked token is still accepted".into());
        }
    }
    Ok(answered.elapsed())
}
