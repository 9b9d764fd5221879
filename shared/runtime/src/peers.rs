//! How a service finds the people.

use std::sync::Arc;

use authn::Directory;

use crate::config::{GrpcClientTls, Reva};
use crate::{Context, EndpointError, client};

/// What the setting for the directory's address means, the same in every service that asks it.
pub const USERS_ENDPOINT: &str = "The endpoint of the users service. If empty, the CS3 gateway at OCIS_REVA_GATEWAY is asked; if that is no address either, 127.0.0.1:9144.";

/// Where the users service listens unless it is told otherwise.
const DEFAULT_USERS: &str = "127.0.0.1:9144";

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
    let is_address = !reva.address.is_empty() && !client::is_registry_name(&reva.address);
    Ok(match (users_endpoint, is_address) {
        ("", true) => Arc::new(authn::directory::Remote::gateway(client::channel(&reva.address, &reva.tls, context)?)),
        ("", false) => Arc::new(authn::directory::Remote::users(client::channel(DEFAULT_USERS, tls, context)?)),
        (endpoint, _) => Arc::new(authn::directory::Remote::users(client::channel(endpoint, tls, context)?)),
    })
}
