//! Pictures of users.

use config::Section;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `oidc_profile_picture`: the pictures of users of an issuer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProfilePicture {
    /// The claim with the picture of the user. The edge copies no pictures: it has no effect.
    #[schemars(extend("x-env" = ["<P>_OIDC_PROFILE_PICTURE_CLAIM"]))]
    pub claim: String,
    /// Whether users are refused to change their pictures, because the issuer has them.
    #[schemars(extend("x-env" = ["<P>_OIDC_PROFILE_PICTURE_DISABLE_LOCAL_CHANGES"]))]
    pub disable_local_changes: bool,
}

impl Section for ProfilePicture {
    fn warnings(&self) -> Vec<String> {
        let warning = "PROXY_OIDC_PROFILE_PICTURE_CLAIM has no effect: the edge copies no pictures of issuers";
        (!self.claim.is_empty()).then(|| warning.to_owned()).into_iter().collect()
    }
}
