//! Clients from outside: registration over HTTP, administration over gRPC.

mod admin;
mod registration;
mod sector;
mod support;
