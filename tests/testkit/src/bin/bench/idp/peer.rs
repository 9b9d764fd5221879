//! The peer: the npm package oidc-provider, as `server.mjs` sets it up.

use std::{path::Path, process::Command};

use authn::BoxError;
use testkit::free_address;

use super::{
    CLIENT_SECRET, REDIRECT_URI,
    work::{Endpoints, Side},
};
use crate::{http, server::Server};

/// Where it answers what.
pub(super) const ENDPOINTS: Endpoints = Endpoints {
    side: Side::Peer,
    discovery: "/.well-known/openid-configuration",
    jwks: "/jwks",
    token: "/token",
    introspection: "/token/introspection",
    authorization: "/auth",
};

/// Starts it from the folder where its packages are installed, and waits until it answers.
pub(super) fn start(folder: &Path) -> Result<Server, BoxError> {
    let address = free_address().to_string();
    let port = address.rsplit_once(':').ok_or("an address has a port")?.1;
    let mut command = Command::new("node");
    command
        .arg("server.mjs")
        .current_dir(folder)
        .env("NODE_ENV", "production")
        .env("ADDRESS", &address)
        .env("ISSUER", format!("http://localhost:{port}"))
        .env("CLIENT_SECRET", CLIENT_SECRET)
        .env("REDIRECT_URI", REDIRECT_URI);
    Server::launch_until(&mut command, address, http::is_ready)
}
