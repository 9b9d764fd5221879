//! The process of a replica.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use authn::BoxError;
use tokio::process::{Child, Command};

/// How long a start, and an end, may take.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A running process; killed when dropped.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `PROGRAM server` with these variables only.
    pub(crate) fn start(program: &Path, variables: &BTreeMap<String, String>) -> Result<Self, BoxError> {
        let mut command = Command::new(program);
        command.arg("server").env_clear().envs(variables).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.kill_on_drop(true).spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(Self { child })
    }

    /// Returns when its debug server says that it is ready.
    pub(crate) async fn wait_until_ready(&mut self, http: &reqwest::Client, debug: SocketAddr) -> Result<(), BoxError> {
        let (url, begin) = (format!("http://{debug}/readyz"), Instant::now());
        while !is_ready(http, &url).await {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("it has ended: {status}").into());
            }
            if begin.elapsed() > PATIENCE {
                return Err("it does not become ready".into());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Asks it to end, as a service manager does, and waits.
    pub(crate) async fn stop(mut self) -> Result<(), BoxError> {
        let pid = self.child.id().ok_or("it has ended of itself")?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.map_err(|_| "it does not end")??;
        if status.success() { Ok(()) } else { Err(format!("it ended with {status}").into()) }
    }
}

/// Whether `/readyz` answers 200.
pub(crate) async fn is_ready(http: &reqwest::Client, url: &str) -> bool {
    http.get(url).send().await.is_ok_and(|response| response.status().is_success())
}
