//! One of several instances with common users.

use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::provisioning::{check_claims, warnings_of_urls};
use crate::claims::Path;
use crate::membership::Instance;

/// `multi_instance`: which of several instances with common users this is, and the claims that say who belongs to it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MultiInstance {
    /// Whether this is one of several instances with common users. Access tokens are accepted then only of users whose claims name this
    /// instance; passwords and app tokens are refused by the gateway.
    #[schemars(extend("x-env" = ["OCIS_MULTI_INSTANCE_ENABLED"]))]
    pub enabled: bool,
    /// The identifier of this instance in the claims of its members and guests.
    #[schemars(extend("x-env" = ["OCIS_MULTI_INSTANCE_INSTANCEID"]))]
    pub instance_id: String,
    /// The OIDC claim that names the instances of which a user is a member, like `owncloudMemberOf`.
    #[schemars(extend("x-env" = ["OCIS_MULTI_INSTANCE_MEMBER_CLAIM"]))]
    pub member_claim: String,
    /// The OIDC claim that names the instances of which a user is a guest, like `owncloudGuestOf`.
    #[schemars(extend("x-env" = ["OCIS_MULTI_INSTANCE_GUEST_CLAIM"]))]
    pub guest_claim: String,
    /// The value of the claim of members that makes a user a member of every instance. If empty, there is none.
    #[schemars(extend("x-env" = ["OCIS_MULTI_INSTANCE_MASTER_ID"]))]
    pub master_id: String,
}

config::impl_default!(MultiInstance);

impl Section for MultiInstance {
    fn validate(&self) -> Result<(), Invalid> {
        if !self.enabled {
            return Ok(());
        }
        for (key, value, problem) in [
            ("instance_id", &self.instance_id, "is not set; name this instance as the claims of its members do"),
            ("member_claim", &self.member_claim, "is not set; name the claim of members, like owncloudMemberOf"),
            ("guest_claim", &self.guest_claim, "is not set; name the claim of guests, like owncloudGuestOf"),
        ] {
            Invalid::unless(!value.is_empty(), key, problem)?;
        }
        check_claims(&[("member_claim", &self.member_claim), ("guest_claim", &self.guest_claim)])
    }

    fn warnings(&self) -> Vec<String> {
        warnings_of_urls(&[
            ("OCIS_MULTI_INSTANCE_MEMBER_CLAIM", &self.member_claim),
            ("OCIS_MULTI_INSTANCE_GUEST_CLAIM", &self.guest_claim),
        ])
    }
}

impl MultiInstance {
    /// What the claims of its users have to say; `None` if this is the only instance.
    pub(super) fn instance(&self) -> Option<Instance> {
        let path = |text: &String| text.parse().unwrap_or_else(|_| Path::name(text));
        self.enabled.then(|| Instance {
            id: self.instance_id.clone(),
            master_id: self.master_id.clone(),
            member_claim: path(&self.member_claim),
            guest_claim: path(&self.guest_claim),
        })
    }
}
