//! How a service finds the people.

use std::sync::Arc;
use std::time::Duration;

use authn::directory::Remote;
use authn::{Authenticated, Directory, ServiceToken};
use token::{KeyRing, Minter, mail_changer, profile_reader};

use crate::{Context, EndpointError, client};
use config::{GrpcClientTls, ListenAddr, Reva};

/// What the setting for the directory's address means, the same in every service that asks it.
pub const USERS_ENDPOINT: &str = "The endpoint of the users service. If empty, the CS3 gateway at OCIS_REVA_GATEWAY is asked; if that is no address either, 127.0.0.1:9144.";

/// The default address of the users service.
const DEFAULT_USERS: &str = "127.0.0.1:9144";
/// The lifetime of a token for one call.
const SERVICE_TOKEN_LIFETIME: Duration = Duration::from_mins(1);

/// The directory that a service in a process of its own asks: the users service, or the gateway of an existing
/// installation when only that is configured.
///
/// # Errors
/// When the endpoint is none.
pub fn directory(
    users_endpoint: &str,
    reva: &Reva,
    tls: &GrpcClientTls,
    context: &Context,
) -> Result<Arc<dyn Directory>, EndpointError> {
    Ok(Arc::new(remote(users_endpoint, reva, tls, context)?))
}

/// The same directory, which also reads the profiles of users and sets mail addresses that links have verified: with tokens for
/// these purposes of the service `name`, which these keys sign.
///
/// # Errors
/// When the endpoint is none.
pub fn directory_with_profiles(
    users_endpoint: &str,
    reva: &Reva,
    tls: &GrpcClientTls,
    (name, keys): (&str, Arc<KeyRing>),
    context: &Context,
) -> Result<Arc<dyn Directory>, EndpointError> {
    let profiles = service_token(Arc::clone(&keys), profile_reader(name), context);
    let mail_changes = service_token(keys, mail_changer(name), context);
    let remote = remote(users_endpoint, reva, tls, context)?;
    Ok(Arc::new(remote.with_profiles(profiles).with_mail_changes(mail_changes)))
}

/// Makes tokens of a service for one purpose, each for one call.
pub(crate) fn service_token(keys: Arc<KeyRing>, service: Authenticated, context: &Context) -> ServiceToken {
    let (clock, random) = (context.clock.clone(), context.random.clone());
    let minter = Minter::new(keys, SERVICE_TOKEN_LIFETIME, true).with_identifiers(move || random.bytes());
    Arc::new(move || Ok(minter.mint(clock.now(), &service)?))
}

fn remote(users_endpoint: &str, reva: &Reva, tls: &GrpcClientTls, context: &Context) -> Result<Remote, EndpointError> {
    let is_address = !reva.address.is_empty() && !is_registry_name(&reva.address);
    Ok(match (users_endpoint, is_address) {
        ("", true) => Remote::gateway(client::channel(&reva.address, &reva.tls, context)?),
        ("", false) => Remote::users(client::channel(DEFAULT_USERS, tls, context)?),
        (endpoint, _) => Remote::users(client::channel(endpoint, tls, context)?),
    })
}

/// Whether this is a name in the registry of an existing installation, which only its own services can look up, and not
/// an address.
pub fn is_registry_name(endpoint: &str) -> bool {
    endpoint.starts_with("com.owncloud.") || endpoint.starts_with("eu.opencloud.")
}

/// The endpoint by which a service that listens there is reached from this machine.
pub fn endpoint_of(address: &ListenAddr) -> String {
    match address {
        ListenAddr::Off => String::new(),
        ListenAddr::Unix(path) => format!("unix:{}", path.display()),
        ListenAddr::Tcp { host, port } => {
            let host = if matches!(host.as_str(), "" | "0.0.0.0" | "::") { "127.0.0.1" } else { host };
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_listens_everywhere_is_reached_here() {
        let tcp = |host: &str| endpoint_of(&ListenAddr::Tcp { host: host.to_owned(), port: 9142 });
        assert_eq!(tcp(""), "127.0.0.1:9142");
        assert_eq!(tcp("0.0.0.0"), "127.0.0.1:9142");
        assert_eq!(tcp("192.0.2.1"), "192.0.2.1:9142");
        assert_eq!(tcp("::1"), "[::1]:9142");
        assert_eq!(endpoint_of(&ListenAddr::Unix("/run/gateway".into())), "unix:/run/gateway");
    }

    #[test]
    fn registry_names_are_no_addresses() {
        assert!(is_registry_name("com.owncloud.api.gateway"));
        assert!(!is_registry_name("dns:///com.example:9142"));
    }
}
