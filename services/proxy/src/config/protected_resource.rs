use config::{Invalid, Section};
use oidc::scope::Scopes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `protected_resource`: what the edge publishes about the resources behind it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProtectedResource {
    /// Whether the edge publishes which issuer its access tokens are of (RFC 9728), and refers to that in the challenge to
    /// clients without a credential. It does where the issuer is set.
    #[schemars(extend("x-env" = ["<P>_METADATA"], "default" = true))]
    pub metadata: bool,
    /// The scopes that clients should ask the issuer for. A resource of the routes file can have others.
    #[schemars(extend("x-env" = ["<P>_SCOPES"], "default" = ["openid", "profile"]))]
    pub scopes: Vec<String>,
}

impl Section for ProtectedResource {
    fn validate(&self) -> Result<(), Invalid> {
        let scopes = Scopes::of(self.scopes.iter().map(String::as_str));
        scopes.map(drop).map_err(|problem| Invalid::new("scopes", format!("cannot be used: {problem}")))
    }
}
