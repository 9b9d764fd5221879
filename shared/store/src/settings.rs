//! What an installation may set about a pool.

use std::time::Duration;

use runtime::config::{Invalid, Visitor};

use crate::Options;

/// The meaning of the setting of [`Options::listen_url`].
pub const LISTEN_URL: &str = "The same database by an address of the PostgreSQL server itself, for services whose database URL leads to a pooler that hands out sessions transaction by transaction. By it replicas learn of changes at once; without it, within about a second.";

/// Callers wait two seconds for an answer: a longer wait for a connection would be in vain.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The settings of the pool of `PostgreSQL` connections of one service in one process; `SQLite` has no use for them.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// See [`Options::max_connections`].
    pub max_connections: u32,
    /// See [`Options::acquire_timeout`].
    pub acquire_timeout: Duration,
}

impl Default for Pool {
    fn default() -> Self {
        let Options { max_connections, acquire_timeout, .. } = Options::default();
        Self { max_connections, acquire_timeout }
    }
}

impl Pool {
    /// Shows the settings. `stem` is what their environment names begin with, like `<P>_DATABASE`.
    pub fn visit(&mut self, v: &mut Visitor<'_>, stem: &str) {
        v.value(
            "database_max_connections",
            &mut self.max_connections,
            &["OCIS_DATABASE_MAX_CONNECTIONS", &format!("{stem}_MAX_CONNECTIONS")],
            "The most connections that this service keeps to PostgreSQL, in each process. As a rule of thumb, all services of all replicas together need two to four for each core of the database server.",
        );
        v.value(
            "database_acquire_timeout",
            &mut self.acquire_timeout,
            &["OCIS_DATABASE_ACQUIRE_TIMEOUT", &format!("{stem}_ACQUIRE_TIMEOUT")],
            "How long a request waits for one of these connections before it is answered that the service is unavailable. At most 2s.",
        );
    }

    /// Whether a service can work with these.
    ///
    /// # Errors
    /// What is out of bounds.
    pub fn validate(&self) -> Result<(), Invalid> {
        if self.max_connections == 0 {
            return Err(Invalid::new("database_max_connections", "must be greater than 0"));
        }
        if self.acquire_timeout.is_zero() || self.acquire_timeout > LONGEST_WAIT {
            return Err(Invalid::new("database_acquire_timeout", "must be greater than 0s and at most 2s"));
        }
        Ok(())
    }

    /// The options with these settings.
    pub fn options(&self) -> Options {
        let Self { max_connections, acquire_timeout } = *self;
        Options { max_connections, acquire_timeout, ..Options::default() }
    }
}

#[cfg(test)]
mod tests {
    use runtime::config::{Environment, Identity, Section, load};

    use super::*;

    #[derive(Default)]
    struct Service {
        pool: Pool,
    }

    impl Section for Service {
        fn visit(&mut self, v: &mut Visitor<'_>) {
            self.pool.visit(v, "<P>_DATABASE");
        }

        fn validate(&self) -> Result<(), Invalid> {
            self.pool.validate()
        }
    }

    fn options(variables: &[(&str, &str)]) -> Result<Options, String> {
        let env: Environment = variables.iter().copied().collect();
        let loaded = load::<Service>(&Identity { name: "users", prefix: "USERS" }, &env);
        loaded.map(|loaded| loaded.config.pool.options()).map_err(|error| error.to_string())
    }

    #[test]
    fn pool_of_a_service_is_what_its_settings_say() {
        let default = options(&[]).expect("is read");
        assert_eq!(default.max_connections, 4);
        let set = [("OCIS_DATABASE_MAX_CONNECTIONS", "9"), ("USERS_DATABASE_MAX_CONNECTIONS", "7")];
        assert_eq!(options(&set).expect("is read").max_connections, 7, "the service's own name counts");
        let waits = options(&[("USERS_DATABASE_ACQUIRE_TIMEOUT", "1500ms")]).expect("is read");
        assert_eq!(waits.acquire_timeout, Duration::from_millis(1500));
        for (name, value) in [
            ("USERS_DATABASE_MAX_CONNECTIONS", "0"),
            ("USERS_DATABASE_ACQUIRE_TIMEOUT", "0s"),
            ("USERS_DATABASE_ACQUIRE_TIMEOUT", "3s"),
        ] {
            assert!(options(&[(name, value)]).is_err_and(|error| error.contains(name)), "{name}={value}");
        }
    }
}
