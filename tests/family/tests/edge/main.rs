//! The edge before a real family and a backend that tells what reached it.

mod access;
mod backend;
mod client_addresses;
mod forward;
mod forward_auth;
mod h2c;
mod headers;
mod links;
mod long_tokens;
mod many_groups;
mod opencloud;
mod paths;
mod policies;
mod pooled;
mod presigned_urls;
mod raw;
mod resources;
mod routes_keys;
mod rules;
mod session;
mod smuggling;
mod transactions;
mod uploads;
mod webdav;
mod websocket;
mod world;
