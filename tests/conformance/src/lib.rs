#![doc = include_str!("../README.md")]

mod browser;
mod checks;
mod context;
mod login;
mod outcome;
mod plan;
mod provider;
mod random;
mod receiver;
mod relying;
mod report;
mod run;
mod target;

pub use self::{
    checks::{Check, all as checks},
    outcome::Outcome,
    plan::{Plan, Profile, ResponseType},
    receiver::Identity,
    report::{Entry, Report},
    run::run,
    target::{CALLBACK, LOGGED_OUT, Person, ReceiverAt, Rotate, StaticClient, Target, Waits},
};
