//! What the operator permits where something else encrypts the network.

use config::Environment;

/// The operator's permission for plain text between machines.
const PLAINTEXT: [&str; 2] = ["OC_INSECURE_PLAINTEXT", "OCIS_INSECURE_PLAINTEXT"];
/// The operator's permission for databases on other machines that are not verified.
const DATABASE: [&str; 2] = ["OC_INSECURE_DATABASE", "OCIS_INSECURE_DATABASE"];

/// Whether the operator permits plain text (`OCIS_INSECURE_PLAINTEXT=true`) at listeners that other machines reach and in gRPC calls to other
/// machines, because something else encrypts them.
pub fn is_plaintext_allowed(environment: &Environment) -> bool {
    is_set(environment, PLAINTEXT)
}

/// Whether the operator permits database servers on other machines whose certificates are not verified (`OCIS_INSECURE_DATABASE=true`).
/// The permission for plain text does not include it: that is also given for ports which only this machine reaches.
pub fn is_unverified_database_allowed(environment: &Environment) -> bool {
    is_set(environment, DATABASE)
}

fn is_set(environment: &Environment, names: [&str; 2]) -> bool {
    names.iter().any(|name| environment.get(name).is_some_and(|value| matches!(value, "true" | "1")))
}
