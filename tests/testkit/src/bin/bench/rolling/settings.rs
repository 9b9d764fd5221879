//! The settings of the replicas, as docs/family.md describes them.

use std::fs;
use std::net::SocketAddr;

use authn::BoxError;
use axum::Router;
use testkit::{Layout, free_address, secret};
use tokio::net::TcpListener;

use super::files::Files;
use super::namespace::{MACHINES, NAME};

/// How long an internal token is valid, in seconds.
pub(super) const TOKEN_LIFETIME_S: u64 = 6;

/// After which time connections end.
pub(super) const CONNECTION_AGE: &str = "GRPC_MAX_CONNECTION_AGE";

/// Sets what all replicas have in common; the URL at which users reach the edges, and the address that it names.
pub(super) async fn configure(
    layout: &mut Layout,
    files: &Files,
    database: &str,
) -> Result<(String, SocketAddr), BoxError> {
    let edge = free_address();
    let url = format!("http://localhost:{}", edge.port());
    name_replicas(layout);
    for (name, value) in files.settings() {
        layout.set(name, &value);
    }
    layout.unset("OCIS_JWT_SECRET");
    let routes = layout.folder().join("routes.yaml");
    fs::write(&routes, format!("routes:\n  - {{ path: /, backend: 'http://{}' }}\n", backend().await?))?;
    let idp = layout.variables()["PROXY_IDP_BACKEND"].clone();
    let bearer = layout.address(doorward::ServiceId::AuthBearer).to_string().replace(MACHINES[0], NAME);
    let (client_secret, cookies) = (secret(), secret());
    for (name, value) in [
        ("OCIS_DATABASE_URL", database),
        ("OCIS_LOG_LEVEL", "info"),
        ("OCIS_URL", &url),
        ("OCIS_OIDC_ISSUER", &url),
        ("OCIS_JWT_EXPIRES", &format!("{TOKEN_LIFETIME_S}s")),
        // so that connections end often, and new ones use the certificates of the moment
        (CONNECTION_AGE, "5s"),
        ("OCIS_DRAIN_DELAY", "1s"),
        ("IDP_TRUSTED_PROXIES", "127.0.0.0/8"),
        ("IDP_EDGE_CLIENT_SECRET", &client_secret),
        ("GATEWAY_AUTH_BEARER_ENDPOINT", &bearer),
        ("AUTH_BEARER_OIDC_OWN_ISSUERS", &format!("{url},{url}/oidc")),
        ("AUTH_BEARER_IDP_BACKEND", &idp),
        ("PROXY_TLS", "false"),
        ("PROXY_ENABLE_BASIC_AUTH", "true"),
        ("PROXY_ROUTES_FILE", &routes.display().to_string()),
        ("PROXY_SESSION_CLIENT_ID", "doorward-edge"),
        ("PROXY_SESSION_CLIENT_SECRET", &client_secret),
        ("PROXY_SESSION_SECRET", &cookies),
        ("PROXY_SESSION_ISSUER_BACKEND", &idp),
    ] {
        layout.set(name, value);
    }
    Ok((url, edge))
}

/// Has every endpoint and backend be the name of both replicas; listeners have an address.
fn name_replicas(layout: &mut Layout) {
    let machine = format!("{}:", MACHINES[0]);
    for (name, value) in layout.variables().clone() {
        if !name.ends_with("_ADDR") && value.contains(&machine) {
            let value = value.replace(&machine, &format!("{NAME}:")).replace("http://", "https://");
            layout.set(&name, &value);
        }
    }
}

/// What is behind the edge.
async fn backend() -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind((MACHINES[0], 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async || "backend")).await });
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_name_both_replicas_and_listeners_have_an_address() {
        let mut layout = Layout::new("rolling-names", false);
        name_replicas(&mut layout);
        let variables = layout.variables();
        assert!(variables["OCIS_REVA_GATEWAY"].starts_with("replicas.test:"), "{variables:?}");
        assert!(variables["PROXY_IDP_BACKEND"].starts_with("https://replicas.test:"), "{variables:?}");
        for (name, value) in variables {
            let is_listener = name.ends_with("_ADDR");
            assert_eq!(value.starts_with("127.0.0.1:"), is_listener, "{name}={value}");
            assert!(is_listener || !value.contains("127.0.0.1:"), "{name}={value}");
        }
    }
}
