use config::{Environment, Identity, load};

use super::*;

#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Service {
    #[serde(flatten)]
    pool: Pool,
}

impl Section for Service {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("", &self.pool)]
    }
}

fn options(variables: &[(&str, &str)]) -> Result<Options, String> {
    let env: Environment = variables.iter().copied().collect();
    let loaded = load::<Service>(&Identity { name: "users", prefix: "USERS" }, &env);
    loaded.map(|loaded| loaded.config.pool.options(&env)).map_err(|error| error.to_string())
}

#[test]
fn pool_of_a_service_is_what_its_settings_say() {
    let default = options(&[]).expect("is read");
    assert_eq!(default.max_connections, 4);
    let set = [("OCIS_DATABASE_MAX_CONNECTIONS", "9"), ("USERS_DATABASE_MAX_CONNECTIONS", "7")];
    assert_eq!(options(&set).expect("is read").max_connections, 7, "the service's own name counts");
    let waits = options(&[("USERS_DATABASE_ACQUIRE_TIMEOUT", "1500ms")]).expect("is read");
    assert_eq!(waits.acquire_timeout, Duration::from_millis(1500));
    let limits = [
        ("OCIS_DATABASE_STATEMENT_TIMEOUT", "3s"),
        ("USERS_DATABASE_IDLE_IN_TRANSACTION_TIMEOUT", "4s"),
        ("USERS_DATABASE_CALL_TIMEOUT", "3500ms"),
    ];
    let limits = options(&limits).expect("is read");
    assert_eq!(limits.statement_timeout, Duration::from_secs(3));
    assert_eq!(limits.idle_in_transaction_timeout, Duration::from_secs(4));
    assert_eq!(limits.call_timeout, Duration::from_millis(3500));
    assert_eq!(default.statement_timeout, Duration::from_secs(2));
    assert_eq!(default.idle_in_transaction_timeout, Duration::from_secs(5));
    assert_eq!(default.call_timeout, Duration::from_secs(2));
    assert!(!default.allows_unverified_server, "servers elsewhere have to be verified");
    let allows = |variable| options(&[(variable, "true")]).expect("is read").allows_unverified_server;
    assert!(allows("OCIS_INSECURE_DATABASE"));
    assert!(!allows("OCIS_INSECURE_PLAINTEXT"), "it is for listeners and gRPC, also of this machine alone");
    for (name, value) in [
        ("USERS_DATABASE_MAX_CONNECTIONS", "0"),
        ("USERS_DATABASE_ACQUIRE_TIMEOUT", "0s"),
        ("USERS_DATABASE_ACQUIRE_TIMEOUT", "3s"),
        ("USERS_DATABASE_STATEMENT_TIMEOUT", "0s"),
        // PostgreSQL would take it for no limit
        ("USERS_DATABASE_STATEMENT_TIMEOUT", "0.5ms"),
        // longer than a call
        ("USERS_DATABASE_STATEMENT_TIMEOUT", "2001ms"),
        ("USERS_DATABASE_IDLE_IN_TRANSACTION_TIMEOUT", "0s"),
        ("USERS_DATABASE_IDLE_IN_TRANSACTION_TIMEOUT", "6s"),
        ("USERS_DATABASE_CALL_TIMEOUT", "0s"),
        ("USERS_DATABASE_CALL_TIMEOUT", "6s"),
    ] {
        assert!(options(&[(name, value)]).is_err_and(|error| error.contains(name)), "{name}={value}");
    }
}
