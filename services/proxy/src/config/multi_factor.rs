use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `mfa`: whether backends may demand several factors.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MultiFactor {
    /// Whether multi-factor authentication is in use. Backends are sent X-Multi-Factor-Authentication: true with
    /// requests of users who have signed in with several factors; if false, with every request.
    #[schemars(extend("x-env" = ["OCIS_MFA_ENABLED", "<P>_MFA_ENABLED"]))]
    pub enabled: bool,
    /// The values of the claim acr of an ID token or access token that mean that the user has signed in with several
    /// factors. The method mfa in the claim amr means so too.
    #[schemars(extend("x-env" = ["OCIS_MFA_AUTH_LEVEL_NAMES", "<P>_MFA_AUTH_LEVEL_NAMES"], "default" = ["advanced"]))]
    pub auth_level_names: Vec<String>,
}

impl Section for MultiFactor {
    fn validate(&self) -> Result<(), Invalid> {
        let are_named = !self.enabled || !self.auth_level_names.iter().any(String::is_empty);
        Invalid::unless(are_named, "auth_level_names", "has an empty name; list the values of acr, like advanced")
    }
}
