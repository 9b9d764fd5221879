//! Passwords, which cost a hash each.

use std::time::{Duration, Instant};

use authn::BoxError;
use tonic::transport::Channel;

use super::Bench;
use crate::{
    call::{self, authenticate, credential},
    family::Family,
    report::{self, Series},
};

const PASSWORD: &str = "a password of the load tool";
/// People who sign in with passwords, one for each of the usual callers: equal attempts at the same time share one hash,
/// and attempts at one account are bounded.
const CROWD: usize = 64;
/// A hash takes long: what is under way at the edges of a round has to count for little.
const ROUND: Duration = Duration::from_secs(2);

/// Adds those who sign in with passwords.
pub(super) fn add_people(family: &Family) -> Result<(), BoxError> {
    let crowd = (0..CROWD).map(of_the_crowd);
    let mut users = ["einstein".to_owned(), "victim".to_owned()].into_iter().chain(crowd);
    users.try_for_each(|login| family.add_user(&login, PASSWORD))
}

fn of_the_crowd(number: usize) -> String {
    format!("person-{number}")
}

impl Bench<'_> {
    /// Passwords against argon2 alone, and the cost of an attacked account to other users.
    pub(super) async fn passwords(&self) -> Result<(), BoxError> {
        let crowd = (0..CROWD).map(|number| credential(&of_the_crowd(number), PASSWORD)).collect();
        let call = call::gateway("basic", crowd);
        let (mut alone, mut row) = (Vec::new(), Series::default());
        for _ in 0..self.arguments.password_rounds {
            alone.push(argon2_alone(ROUND));
            row.add(self.callers.keep_calling(&call, ROUND).await?)?;
        }
        let alone = report::median(&alone);
        report::line(&format!(
            "\npasswords: {:.1} a second; argon2id alone, on every core: {alone:.1} a second; the ratio is {:.2}",
            row.rate(),
            row.rate() / alone
        ))?;

        let one = self.callers.channel(0);
        let quiet = median_login(&one).await?;
        let hammer: Vec<_> = (0..4)
            .map(|caller| {
                let channel = self.callers.channel(caller);
                tokio::spawn(async move {
                    loop {
                        let _ = authenticate(channel.clone(), "basic", "victim".to_owned(), "wrong".to_owned()).await;
                    }
                })
            })
            .collect();
        let hammered = median_login(&one).await?;
        hammer.iter().for_each(tokio::task::JoinHandle::abort);
        report::line(&format!(
            "a login takes {quiet:.1} ms, and {hammered:.1} ms while four callers hammer another account"
        ))?;
        Ok(())
    }
}

/// The median of logins whose passwords have to be hashed, in milliseconds.
async fn median_login(channel: &Channel) -> Result<f64, BoxError> {
    let mut took = Vec::new();
    for _ in 0..15 {
        let start = Instant::now();
        authenticate(channel.clone(), "basic", "einstein".to_owned(), PASSWORD.to_owned()).await?;
        took.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(report::median(&took))
}

/// Hashes a second that the machine manages when it does nothing else, not even ask for memory.
fn argon2_alone(duration: Duration) -> f64 {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let start = Instant::now();
    let hash = move || {
        let argon2 = argon2::Argon2::default();
        let mut memory = vec![argon2::Block::default(); argon2.params().block_count()];
        let (mut count, mut output) = (0_u32, [0; 32]);
        while start.elapsed() < duration {
            if argon2.hash_password_into_with_memory(PASSWORD.as_bytes(), &[7; 16], &mut output, &mut memory).is_ok() {
                count += 1;
            }
        }
        count
    };
    let counts: Vec<_> = (0..threads).map(|_| std::thread::spawn(hash)).collect();
    let total: u32 = counts.into_iter().map(|thread| thread.join().unwrap_or(0)).sum();
    f64::from(total) / start.elapsed().as_secs_f64()
}
