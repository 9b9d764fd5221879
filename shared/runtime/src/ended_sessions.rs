//! The ended sessions of our own provider in another process.

use std::sync::Arc;
use std::time::Duration;

use authn::EndedSessions;
use authn::ended_sessions::Remote;
use config::GrpcClientTls;
use token::{KeyRing, session_watcher};
use tokio::time::{sleep, timeout};
use tonic::Status;

use crate::peers::service_token;
use crate::{Clock, Context, EndpointError, Task, client};

/// The provider sends a message every second: after this time without one the connection is made anew.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long after the end of an answer the provider is called again.
const PAUSE: Duration = Duration::from_millis(250);

/// The sessions of our own provider.
pub struct ProviderSessions {
    /// Which of them have ended.
    pub ended: Arc<dyn EndedSessions>,
    /// The task that learns of them from another process.
    pub task: Option<Task>,
}

/// The sessions of the idp at this endpoint. The service `name` calls it with tokens that these keys sign.
///
/// # Errors
/// When the endpoint is none.
pub fn ended_sessions(
    endpoint: &str,
    tls: &GrpcClientTls,
    (name, keys): (&str, Arc<KeyRing>),
    context: &Context,
) -> Result<ProviderSessions, EndpointError> {
    let token = service_token(keys, session_watcher(name), context);
    let remote = Arc::new(Remote::new(client::channel(endpoint, tls, context)?, token));
    let (clock, shutdown) = (context.clock.clone(), context.shutdown.clone());
    let (followed, endpoint) = (Arc::clone(&remote), endpoint.to_owned());
    let work = async move {
        shutdown.run_until_cancelled(keep_following(&followed, &endpoint, &clock)).await;
    };
    Ok(ProviderSessions { ended: remote, task: Some(Task::new("ended sessions", work)) })
}

async fn keep_following(remote: &Remote, endpoint: &str, clock: &Clock) {
    let mut was_heard = true;
    loop {
        let followed = follow(remote, clock, || was_heard = true).await;
        // once for each outage
        if let Err(status) = followed
            && std::mem::take(&mut was_heard)
        {
            tracing::warn!(
                endpoint,
                error = %status.message(),
                code = ?status.code(),
                "idp does not tell which sessions have ended: what was issued in them is accepted until it expires"
            );
        }
        sleep(PAUSE).await;
    }
}

/// Hears what the provider tells until it ends the answer.
async fn follow(remote: &Remote, clock: &Clock, mut heard: impl FnMut()) -> Result<(), Status> {
    let silent = |_| Status::unavailable("it has sent nothing for three seconds");
    let mut following = timeout(PATIENCE, remote.follow()).await.map_err(silent)??;
    while timeout(PATIENCE, following.hear(clock.now())).await.map_err(silent)?? {
        heard();
    }
    Ok(())
}
