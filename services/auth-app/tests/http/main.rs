//! The HTTP interface, over a database of the test's own. Every answer is held against the `OpenAPI` document.

mod app_tokens;
mod callers;
mod contract;
mod create;
mod document;
mod impersonation;
mod item;
mod json;
mod limits;
mod list;
mod methods;
mod properties;
mod revoke;
mod support;
