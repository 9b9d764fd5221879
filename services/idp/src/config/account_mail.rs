use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mail to users about their accounts. In YAML it is not a section of its own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccountMailSettings {
    /// How long the link in an invitation is valid, with which a user sets the first password.
    #[schemars(extend("x-env" = ["<P>_INVITATION_EXPIRATION"], "default" = "168h"))]
    #[schemars(extend("minimum" = "5m", "maximum" = "8760h"))]
    pub invitation_expiration: Duration,
    /// Whether users get a mail when they have signed in with a browser for the first time.
    #[schemars(extend("x-env" = ["<P>_NEW_SIGN_IN_NOTICE"], "default" = true))]
    pub new_sign_in_notice: bool,
}

config::impl_default!(AccountMailSettings);
