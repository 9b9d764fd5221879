//! An application, as people are shown it.

use web::policy::destination;

use crate::engine::clients::{Client, Source};

/// What is shown of a client. All of it is what the client says of itself.
pub(super) struct Application<'a> {
    pub(super) name: &'a str,
    pub(super) logo: Option<&'a str>,
    pub(super) policy: Option<&'a str>,
    pub(super) terms: Option<&'a str>,
    /// It describes itself: no operator has checked it (row I33).
    pub(super) unverified: bool,
    /// The host of the document that describes it.
    pub(super) described_at: Option<String>,
    /// The host that the answer is sent to.
    pub(super) destination: Option<String>,
}

impl<'a> Application<'a> {
    pub(super) fn of(client: &'a Client, redirect_uri: Option<&str>) -> Self {
        let shown = &client.presentation;
        let name = shown.name.trim();
        Self {
            name: if name.is_empty() { &client.id } else { name },
            logo: shown.logo.as_deref().filter(|logo| is_https(logo)),
            policy: shown.policy.as_deref().filter(|policy| is_link(policy)),
            terms: shown.terms.as_deref().filter(|terms| is_link(terms)),
            unverified: client.source.is_self_described(),
            described_at: (client.source == Source::Document).then(|| destination(&client.id)).flatten(),
            destination: redirect_uri.and_then(destination),
        }
    }
}

/// Whether it is a web address: any other kind of link could run something.
fn is_link(address: &str) -> bool {
    is_https(address) || starts_with(address, "http://")
}

fn is_https(address: &str) -> bool {
    starts_with(address, "https://")
}

fn starts_with(address: &str, scheme: &str) -> bool {
    address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}
