#![doc = include_str!("../README.md")]

pub mod error;
pub mod pkce;
pub mod redirect;
pub mod request;
pub mod response;
pub mod scope;
