//! Whether connections between machines may be in plain text.

use config::Environment;

/// The operator's word that the network itself is encrypted.
const NAMES: [&str; 2] = ["OC_INSECURE_PLAINTEXT", "OCIS_INSECURE_PLAINTEXT"];

/// Whether the operator permits plain text on connections between machines (`OCIS_INSECURE_PLAINTEXT=true`), because something else
/// encrypts them.
pub fn is_plaintext_allowed(environment: &Environment) -> bool {
    NAMES.iter().any(|name| environment.get(name).is_some_and(|value| matches!(value, "true" | "1")))
}
