#![doc = include_str!("../README.md")]

mod admin;
mod announcement;
mod cli;
mod command;
mod family;
mod quickstart;
mod run;
mod running;
mod secrets;
mod service_accounts;
mod services;
mod state;
mod user_administration;

pub use family::Family;
pub use run::main;
pub use secrets::{PreviousSecrets, Secrets, SecretsError};
pub use services::{EnabledServices, EnabledServicesError, ServiceId, Settings};
