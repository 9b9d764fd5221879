//! The edge before a real family and a backend that tells what reached it.

mod access;
mod backend;
mod client_addresses;
mod forward;
mod forward_auth;
mod h2c;
mod headers;
mod long_tokens;
mod many_groups;
mod opencloud;
mod paths;
mod pooled;
mod presigned_urls;
mod raw;
mod rules;
mod session;
mod smuggling;
mod transactions;
mod uploads;
mod webdav;
mod websocket;
mod world;
