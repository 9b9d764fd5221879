//! The service as it runs, called over the network.

mod mtls;
mod proxies;
mod support;
