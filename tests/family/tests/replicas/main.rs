//! Two replicas of the family on one `PostgreSQL` database.

mod disabled;
mod outage;
mod replica;
