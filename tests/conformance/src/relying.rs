//! The relying party: its clients, its requests, and how it judges what comes back.

pub(crate) mod client;
pub(crate) mod fapi;
pub(crate) mod flow;
pub(crate) mod id_token;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod request;
pub(crate) mod userinfo;

pub(crate) use self::{client::Client, client::Wanted, flow::SignedIn, request::Request};

use crate::{browser::Browser, context::Context, outcome::Verdict};

impl Context<'_> {
    /// The check's client, with nothing special about it.
    pub(crate) async fn client(&self) -> Verdict<Client> {
        client::usual(self).await
    }

    /// A flow in this browser that must succeed.
    pub(crate) async fn sign_in(&self, browser: &Browser, client: &Client, request: &Request) -> Verdict<SignedIn> {
        flow::sign_in(self, browser, client, request).await
    }
}
