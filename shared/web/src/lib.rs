#![doc = include_str!("../README.md")]

pub mod cookie;
pub mod csrf;
pub mod header;
pub mod origin;
