//! Three replicas on one `PostgreSQL` server, as in a family of processes: each has its own cache and hears of the others'
//! revocations.

mod outage;
mod revocation;
mod sliding;
mod support;
