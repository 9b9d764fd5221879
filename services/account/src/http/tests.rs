//! The pages over auth-app itself, with a directory, a clock and a database for one test.

mod forms;
mod pages;
mod support;
