//! Calls at the replicas, with the tokens that the model uses and as often.

use std::sync::Arc;
use std::time::{Duration, Instant};

use authn::BoxError;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::task::JoinSet;
use tokio::time::interval_at;

use super::replicas::{Replicas, accepts};
use crate::call::Credential;
use crate::simulate::traffic::Popularity;

/// Calls that a replica may be answering at the same time.
const LANES: u32 = 16;

/// The calls.
pub(super) struct Calls<'a> {
    replicas: &'a Replicas,
    popularity: Popularity,
    /// In a second, at all replicas together.
    rate: u32,
    /// Of the next lane.
    seed: u64,
}

impl<'a> Calls<'a> {
    /// Calls at this rate.
    pub(super) fn new(replicas: &'a Replicas, popularity: Popularity, rate: u32, seed: u64) -> Self {
        Self { replicas, popularity, rate, seed }
    }

    /// Uses so many tokens once at each replica, the most used ones last, as the model fills its cache.
    pub(super) async fn fill(&self, count: u64) -> Result<(), BoxError> {
        let count = usize::try_from(count)?;
        let mut lanes = JoinSet::new();
        for channel in self.replicas.channels() {
            let credentials = Arc::clone(&self.replicas.credentials);
            lanes.spawn(async move {
                for credential in credentials.iter().take(count).rev() {
                    accepted(accepts(channel.clone(), credential).await?, credential)?;
                }
                Ok::<_, BoxError>(())
            });
        }
        all(lanes).await
    }

    /// Makes calls for so many seconds; returns how long it took.
    pub(super) async fn make(&mut self, seconds: u32) -> Result<Duration, BoxError> {
        let (begin, channels) = (Instant::now(), self.replicas.channels());
        let all_lanes = LANES * u32::try_from(channels.len())?;
        let (period, count) = (Duration::from_secs(1) * all_lanes / self.rate, self.rate * seconds / all_lanes);
        let mut lanes = JoinSet::new();
        for channel in channels {
            for lane in 0..LANES {
                self.seed += 1;
                let (channel, popularity) = (channel.clone(), self.popularity);
                let (credentials, mut random) =
                    (Arc::clone(&self.replicas.credentials), SmallRng::seed_from_u64(self.seed));
                lanes.spawn(async move {
                    // the lanes take turns
                    let mut ticks = interval_at(tokio::time::Instant::now() + period * lane / LANES, period);
                    for _ in 0..count {
                        ticks.tick().await;
                        let token = usize::try_from(popularity.token(&mut random))?;
                        let credential = credentials.get(token).ok_or("there is no such token")?;
                        accepted(accepts(channel.clone(), credential).await?, credential)?;
                    }
                    Ok::<_, BoxError>(())
                });
            }
        }
        all(lanes).await?;
        Ok(begin.elapsed())
    }
}

fn accepted(is_accepted: bool, (login, _): &Credential) -> Result<(), BoxError> {
    if is_accepted { Ok(()) } else { Err(format!("a token of {login} is refused").into()) }
}

async fn all(mut lanes: JoinSet<Result<(), BoxError>>) -> Result<(), BoxError> {
    while let Some(done) = lanes.join_next().await {
        done??;
    }
    Ok(())
}
