//! runtime

pub mod config;
