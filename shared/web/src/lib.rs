#![doc = include_str!("../README.md")]

pub mod asset;
pub mod color;
pub mod cookie;
pub mod csrf;
pub mod date;
pub mod form;
pub mod header;
pub mod i18n;
pub mod openapi;
pub mod origin;
pub mod page;
pub mod policy;
pub mod response;
pub mod style;
