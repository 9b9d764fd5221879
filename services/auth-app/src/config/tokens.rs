//! The settings of app tokens. In YAML they are not a section of their own, as in oCIS.

use std::time::Duration;

use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::{LONGEST_SLIDING, Policy, SCOPE_KINDS};

/// The longest time that a token may be allowed to live.
const CENTURY: &str = "876600h";

/// What tokens are made and when they end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Tokens {
    /// The lifetime of an app token that is created without an expiration.
    #[schemars(extend("x-env" = ["<P>_DEFAULT_EXPIRATION"], "default" = "72h", "minimum" = "1m", "maximum" = CENTURY))]
    pub default_expiration: Duration,
    /// The longest lifetime of an app token. A token that a CS3 client creates without an expiration gets this
    /// lifetime.
    #[schemars(extend("x-env" = ["<P>_MAX_EXPIRATION"], "default" = "8760h", "minimum" = "1m", "maximum" = CENTURY))]
    pub max_expiration: Duration,
    /// Whether app tokens without an expiration may be created. A CS3 client that gives no expiration then gets such a
    /// token.
    #[schemars(extend("x-env" = ["<P>_ALLOW_NEVER"]))]
    pub allow_never: bool,
    /// The longest lifetime of an app token with a sliding window, however much it is used. At most 8760h.
    #[schemars(extend("x-env" = ["<P>_MAX_LIFETIME"], "default" = "720h"))]
    #[schemars(extend("minimum" = "1m", "maximum" = LONGEST_SLIDING))]
    pub max_lifetime: Duration,
    /// The longest lifetime of an app token that an administrator has created for another user.
    #[schemars(extend("x-env" = ["<P>_IMPERSONATION_MAX_EXPIRATION"], "default" = "24h"))]
    #[schemars(extend("minimum" = "1m", "maximum" = CENTURY))]
    pub impersonation_max_expiration: Duration,
    /// Whether changing a user's password revokes the user's app tokens.
    #[schemars(extend("x-env" = ["<P>_END_ON_PASSWORD_CHANGE"], "default" = true))]
    pub end_on_password_change: bool,
    /// How many valid app tokens one user may have; 0 is no limit.
    #[schemars(extend("x-env" = ["<P>_MAX_TOKENS_PER_USER"], "default" = 100))]
    pub max_tokens_per_user: u64,
    /// The kinds of scopes that new tokens may have: user, node, path, tokens and profile.
    #[schemars(extend("x-env" = ["<P>_ALLOWED_SCOPES"], "default" = SCOPE_KINDS))]
    pub allowed_scopes: Vec<String>,
    /// How long revoked and expired app tokens are kept, so that the audit log can distinguish them from tokens that
    /// never existed.
    #[schemars(extend("x-env" = ["<P>_PRUNE_AFTER"], "default" = "168h", "minimum" = "1h", "maximum" = CENTURY))]
    pub prune_after: Duration,
    /// How often such tokens are looked for and removed.
    #[schemars(extend("x-env" = ["<P>_PRUNE_INTERVAL"], "default" = "1h", "minimum" = "1m", "maximum" = CENTURY))]
    pub prune_interval: Duration,
    /// Whether replicas tell each other of revocations at once (NOTIFY of PostgreSQL). Behind a pooler that hands out
    /// sessions transaction by transaction this needs `OCIS_DATABASE_LISTEN_URL`; without it they learn of them within
    /// about a second.
    #[schemars(extend("x-env" = ["<P>_REVOCATION_PUSH"], "default" = true))]
    pub revocation_push: bool,
}

config::impl_default!(Tokens);

impl Section for Tokens {
    fn validate(&self) -> Result<(), Invalid> {
        let are_known = self.allowed_scopes.iter().all(|kind| SCOPE_KINDS.contains(&kind.as_str()));
        Invalid::unless(are_known, "allowed_scopes", "may hold user, node, path, tokens and profile only")?;
        let has_scopes = !self.allowed_scopes.is_empty();
        Invalid::unless(has_scopes, "allowed_scopes", "is empty, so that no token could be made")
    }
}

impl Tokens {
    /// What may be asked for when a token is made.
    pub fn policy(&self) -> Policy {
        Policy {
            usual: self.default_expiration,
            longest: self.max_expiration,
            never: self.allow_never,
            longest_sliding: self.max_lifetime,
            longest_impersonated: self.impersonation_max_expiration,
            most: self.max_tokens_per_user,
            scopes: self.allowed_scopes.clone(),
        }
    }
}
