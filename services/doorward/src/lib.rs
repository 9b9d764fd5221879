#![doc = include_str!("../README.md")]

mod admin;
mod cli;
mod command;
mod family;
mod people;
mod quickstart;
mod run;
mod secrets;
mod selection;
mod settings;

pub use family::Family;
pub use run::main;
pub use secrets::{Secrets, SecretsError};
pub use selection::{Member, Selection, SelectionError};
pub use settings::Settings;
