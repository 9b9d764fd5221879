//! The files of a configuration, as `config check` reads them.

use authn::BoxError;
use config::Loaded;

use crate::service::Service;
use crate::{Clock, Misconfigured, tls};

/// Reads the files that the settings of a service name: whether each can be read, what the servers' certificates and keys
/// are, and what the service itself makes of them. Returns warnings, one line each.
///
/// # Errors
/// When one of them cannot be used; names the setting and the file.
pub fn check_loaded<S: Service>(loaded: &Loaded<S::Config>) -> Result<Vec<String>, BoxError> {
    loaded.named_files.iter().try_for_each(config::NamedFile::check)?;
    check_files::<S>(&loaded.config)
}

/// Like [`check_loaded`], for a configuration whose files can all be read.
///
/// # Errors
/// When one of them cannot be used; names the setting and the file.
pub fn check_files<S: Service>(config: &S::Config) -> Result<Vec<String>, BoxError> {
    let listeners = S::listeners(config);
    let mut warnings = tls::check(&listeners, Clock::system().now()).map_err(Misconfigured::new)?;
    warnings.extend(S::check_files(config)?);
    Ok(warnings)
}
