//! The pages over auth-app itself, with a directory, a clock and a database for one test, and over a stand-in for idp.

mod access;
mod access_of_all_users;
mod admin;
mod api;
mod clients;
mod contract;
mod fake_account_admin;
mod fake_idp;
mod forms;
mod pages;
mod self_service;
mod service_accounts;
mod support;
