#![doc = include_str!("../README.md")]

pub mod cookie;
pub mod csrf;
pub mod form;
pub mod header;
pub mod i18n;
pub mod origin;
pub mod page;
pub mod policy;
pub mod response;
pub mod style;
