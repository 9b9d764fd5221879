//! Two replicas of the family on one `PostgreSQL` database.

mod disabled;
mod failures;
mod outage;
mod replica;
