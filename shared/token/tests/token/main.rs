//! The token as its users see it: against Go, against the requirements, against arbitrary input.

mod golden;
mod properties;
mod rules;
mod support;
mod transactions;
