//! The service over people in memory and a database of the test's own.

mod administration;
mod changes;
mod logins;
mod own_password;
mod passwords;
mod support;
