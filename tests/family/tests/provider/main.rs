//! The OpenID Provider as processes: replicas that are asked the same at once, processes that are killed, keys that change.

mod crash;
mod flow;
mod redemptions;
mod redirects;
mod refreshes;
mod rotation;
mod world;
