//! What has to be well for a service to be ready.

use std::fmt;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

type Probe = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// A condition of readiness: that the database works, or a peer without which the service cannot answer.
pub struct Check {
    /// What `/readyz` calls it.
    pub name: &'static str,
    /// Runs the check; one that takes longer than a second has failed.
    pub probe: Probe,
}

impl Check {
    /// A check that runs at each request for readiness. Its error is logged, and never sent to the caller.
    pub fn new<F>(name: &'static str, probe: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, probe: Box::new(move || probe().boxed()) }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
