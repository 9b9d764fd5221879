//! The authenticator with small issuers of the test's own.

mod clients;
mod issuer;
mod logout;
mod logout_replicas;
mod membership;
mod opaque;
mod own_issuer;
mod provisioning;
mod support;
mod tenants;
mod tokens;
