//! The OpenID Provider as processes: replicas that get the same request at once, processes that are killed, keys that change.

mod crash;
mod fapi2;
mod flow;
mod redemptions;
mod redirects;
mod refreshes;
mod rotation;
mod world;
