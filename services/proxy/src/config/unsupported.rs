//! Settings of the proxy of an oCIS or OpenCloud that refuse what the edge does not.

use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `unsupported`: settings by which the proxy of an oCIS or OpenCloud refuses what the edge does not. The edge does not start if one is
/// set, as it does not with the same in its `proxy.yaml`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Unsupported {
    /// The rule that their policies service is asked for. The edge asks none, and does not start if it is set: write access rules into
    /// `PROXY_ROUTES_FILE`.
    #[schemars(extend("x-env" = ["<P>_POLICIES_QUERY"]))]
    pub policies_query: String,
    /// Whether a claim decides who is a member of a space. The edge neither adds nor removes members, and does not start if it is true.
    #[schemars(extend("x-env" = ["OCIS_CLAIMMANAGEDSPACES_ENABLED"]))]
    pub claim_managed_spaces: bool,
}

impl Section for Unsupported {
    fn validate(&self) -> Result<(), Invalid> {
        let problem = "is set, and the edge asks no policies service; write access rules into PROXY_ROUTES_FILE, and leave it empty";
        Invalid::unless(self.policies_query.is_empty(), "policies_query", problem)?;
        let problem = "is true, and the edge neither adds nor removes members of spaces by claims; set it to false";
        Invalid::unless(!self.claim_managed_spaces, "claim_managed_spaces", problem)
    }
}
