#![doc = include_str!("../README.md")]

pub mod cookie;
pub mod csrf;
pub mod form;
pub mod header;
pub mod origin;
pub mod policy;
pub mod response;
