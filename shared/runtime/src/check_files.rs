//! The files of a configuration, as `config check` reads them.

use authn::BoxError;
use config::{ListenAddr, Loaded};

use crate::service::{Listeners, Service};
use crate::tls::{CertificateReport, ServerFiles, TlsError};
use crate::{Clock, Misconfigured};

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
    let now = Clock::system().now();
    let mut warnings = Vec::new();
    for files in server_files(&S::listeners(config)) {
        let problem = files.check(now).map_err(Misconfigured::new)?;
        warnings.extend(problem.map(|problem| problem.to_string()));
    }
    warnings.extend(S::check_files(config)?);
    Ok(warnings)
}

/// The certificates of the servers of a service that have one in a file: what the file holds, or why it cannot be used. `host` is the
/// name by which clients reach the HTTP server.
pub fn inspect_certificates(listeners: &Listeners<'_>, host: Option<&str>) -> Vec<Result<CertificateReport, TlsError>> {
    server_files(listeners).filter_map(|files| files.inspect(host).transpose()).collect()
}

/// The files of the servers that speak TLS.
fn server_files(listeners: &Listeners<'_>) -> impl Iterator<Item = ServerFiles> {
    let mtls = listeners.mtls.filter(|mtls| mtls.addr != ListenAddr::Off).zip(listeners.http);
    let servers = [
        listeners.grpc.and_then(|grpc| ServerFiles::of_grpc(&grpc.tls)),
        listeners.http.and_then(|http| ServerFiles::of_http(&http.tls)),
        mtls.and_then(|(mtls, http)| ServerFiles::of_mtls(mtls, &http.tls)),
        ServerFiles::of_debug(&listeners.debug.tls),
    ];
    servers.into_iter().flatten()
}
