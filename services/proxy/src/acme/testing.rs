//! What the tests of ACME share: an authority, and an edge that it validates.

mod authority;
mod edge;
mod jws;

use url::Url;

use crate::config::Plan;

pub(crate) use authority::{Refusal, TestAuthority};
pub(crate) use edge::{SECRET, TestEdge, config, connect, get, shown_by, stored};

/// The host of tests.
pub(crate) const HOST: &str = "cloud.example.org";

/// A certificate for the host of tests, of an authority that no test asks.
pub(crate) fn plan() -> Plan {
    Plan {
        hosts: vec![HOST.to_owned()],
        directory: Url::parse("https://ca.example/directory").expect("a URL"),
        challenge: "tls-alpn-01".to_owned(),
        external_account: None,
    }
}
