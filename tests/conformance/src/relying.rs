//! The relying party: its clients, its requests, and how it judges what comes back.

pub(crate) mod client;
pub(crate) mod flow;
pub(crate) mod id_token;
pub(crate) mod keys;
pub(crate) mod request;
pub(crate) mod userinfo;

pub(crate) use self::{client::Client, client::Wanted, flow::SignedIn, request::Request};
