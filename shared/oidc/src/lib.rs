#![doc = include_str!("../README.md")]

pub mod assertion;
pub mod certificate;
pub mod claims;
pub mod client_id;
pub mod dpop;
pub mod error;
pub mod id_token;
pub mod jose;
pub mod logout_token;
pub mod pkce;
pub mod redirect;
pub mod relying_party;
pub mod request;
pub mod request_object;
pub mod response;
pub mod scope;
pub mod session_state;
mod web;
