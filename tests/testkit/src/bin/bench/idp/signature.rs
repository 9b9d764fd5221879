//! What one RSA signature costs, by OpenSSL and by the library that idp uses.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use authn::BoxError;
use oidc::jose::{Algorithm, SigningKey};

use crate::{report, spent::on_this_thread};

/// How long idp's library signs.
const SIGNING: Duration = Duration::from_millis(300);

/// Milliseconds of CPU time for one signature, measured between the rounds.
pub(super) struct Signatures {
    key: Arc<SigningKey>,
    alone: Vec<f64>,
    together: Vec<f64>,
    library: Vec<f64>,
}

/// The medians.
pub(super) struct Cost {
    /// OpenSSL, on one core; none if the program is not there.
    pub(super) alone: Option<f64>,
    /// OpenSSL, when every core signs.
    pub(super) together: Option<f64>,
    /// The library that idp uses, when every core signs.
    pub(super) library: f64,
}

impl Signatures {
    /// Nothing yet.
    pub(super) fn new() -> Result<Self, BoxError> {
        let key = Arc::new(SigningKey::generate(Algorithm::Rs256, "bench")?);
        Ok(Self { key, alone: Vec::new(), together: Vec::new(), library: Vec::new() })
    }

    /// The library once more: a core that has a neighbour at work is slower.
    pub(super) async fn library(&mut self) -> Result<(), BoxError> {
        let sign = |key: Arc<SigningKey>| move || sign(&key);
        let threads: Vec<_> = (0..cores()).map(|_| tokio::task::spawn_blocking(sign(self.key.clone()))).collect();
        for thread in threads {
            self.library.push(thread.await??);
        }
        Ok(())
    }

    /// OpenSSL once more; nothing if the program is not there.
    pub(super) async fn openssl(&mut self) -> Result<(), BoxError> {
        if !tokio::task::spawn_blocking(is_there).await? {
            return Ok(());
        }
        self.alone.push(tokio::task::spawn_blocking(speed).await??);
        let all: Vec<_> = (0..cores()).map(|_| tokio::task::spawn_blocking(speed)).collect();
        for one in all {
            self.together.push(one.await??);
        }
        Ok(())
    }

    /// The medians so far.
    pub(super) fn cost(&self) -> Cost {
        let of = |values: &[f64]| (!values.is_empty()).then(|| report::median(values));
        Cost { alone: of(&self.alone), together: of(&self.together), library: report::median(&self.library) }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[expect(clippy::cast_precision_loss, reason = "the nanoseconds of a run are far below 2^52")]
fn sign(key: &SigningKey) -> Result<f64, BoxError> {
    let (start, before, mut signatures) = (Instant::now(), on_this_thread()?, 0.0);
    while start.elapsed() < SIGNING {
        key.sign(&[7; 300]);
        signatures += 1.0;
    }
    Ok((on_this_thread()? - before) as f64 / 1e6 / signatures)
}

fn is_there() -> bool {
    let mut command = Command::new("openssl");
    command.arg("version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Counts signatures for a second of user time. The line for machines is `+F2:<number>:2048:<sign/s>:<verify/s>`.
fn speed() -> Result<f64, BoxError> {
    let output = Command::new("openssl").args(["speed", "-mr", "-seconds", "1", "rsa2048"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("+F2:"));
    let rate: Option<f64> = line.and_then(|line| line.split(':').nth(2)?.parse().ok());
    let rate = rate.filter(|rate| *rate > 0.0).ok_or("openssl speed says no rate")?;
    Ok(1000.0 / rate)
}
