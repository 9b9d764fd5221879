//! The configuration of a running service.

use std::sync::{Mutex, PoisonError};

use crate::load::load_again;
use crate::{ConfigError, Configuration, Environment, Identity, Loaded};

/// The configuration of a running service, which is read again when its sources change.
#[derive(Debug)]
pub struct InForce<C> {
    config: Mutex<C>,
    identity: Identity,
    environment: Environment,
}

impl<C: Configuration + Clone> InForce<C> {
    /// What was read at the start.
    pub fn new(config: C, identity: Identity, environment: Environment) -> Self {
        Self { config: Mutex::new(config), identity, environment }
    }

    /// Reads it again, which blocks. A setting that nothing sets any more stays as it was read last, except the previous value of a secret
    /// (`*_PREVIOUS`), which ends when it is removed.
    ///
    /// # Errors
    /// When a source cannot be read, or a setting is not valid; then what is in force stays.
    pub fn read_again(&self) -> Result<Loaded<C>, ConfigError> {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = load_again(&*config, &self.identity, &self.environment)?;
        config.clone_from(&loaded.config);
        Ok(loaded)
    }
}
