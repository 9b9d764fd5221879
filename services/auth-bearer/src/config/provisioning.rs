//! How accounts are provisioned for the users whom a token names.

use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::claims::Path;
use crate::issuer::{Provisioning, Roles};

/// How many groups are taken from a token unless it is configured, and at most.
pub(super) const MAX_GROUPS: usize = 500;
pub(super) const MOST_GROUPS: usize = 5000;

/// Checks names of claims. An empty one names none.
pub(super) fn check_claims(claims: &[(&str, &String)]) -> Result<(), Invalid> {
    claims.iter().filter(|(_, name)| !name.is_empty()).try_for_each(|(key, name)| {
        name.parse::<Path>().map(drop).map_err(|error| Invalid::new(*key, error.to_string()))
    })
}

/// A warning for each of these variables with a URL whose dots are not escaped. Claims of such names are common, and oCIS and OpenCloud look
/// for one of the whole name first: with the same environment no token would have the claim here.
pub(super) fn warnings_of_urls(claims: &[(&str, &String)]) -> Vec<String> {
    let is_split = |name: &str| {
        let is_url = name.contains("://") && !name.contains('\\');
        is_url && name.parse::<Path>().is_ok_and(|path| path.is_nested())
    };
    let split = claims.iter().filter(|(_, name)| is_split(name));
    split
        .map(|(variable, name)| {
            let escaped = Path::name(name);
            format!("{variable}: {name:?} is read as claims below one another; if it is the name of one claim, write {escaped}")
        })
        .collect()
}

/// `auto_provision`: how accounts are created for unknown users.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AutoProvision {
    /// Set this to 'true' to automatically provision users that do not yet exist in the users service on-demand upon
    /// first sign-in.
    #[schemars(extend("x-env" = ["PROXY_AUTOPROVISION_ACCOUNTS", "<P>_AUTOPROVISION_ACCOUNTS"]))]
    pub accounts: bool,
    /// The name of the OIDC claim that holds the username.
    #[serde(rename = "claim_username")]
    #[schemars(extend("x-env" = ["PROXY_AUTOPROVISION_CLAIM_USERNAME", "<P>_AUTOPROVISION_CLAIM_USERNAME"]))]
    #[schemars(extend("default" = "preferred_username"))]
    #[schemars(extend("x-required" = "it is the name of a claim, like preferred_username"))]
    pub username: String,
    /// The name of the OIDC claim that holds the email.
    #[serde(rename = "claim_email")]
    #[schemars(extend("x-env" = ["PROXY_AUTOPROVISION_CLAIM_EMAIL", "<P>_AUTOPROVISION_CLAIM_EMAIL"]))]
    #[schemars(extend("default" = "email", "x-required" = "it is the name of a claim, like email"))]
    pub mail: String,
    /// The name of the OIDC claim that holds the display name.
    #[serde(rename = "claim_displayname")]
    #[schemars(extend("x-env" = ["PROXY_AUTOPROVISION_CLAIM_DISPLAYNAME", "<P>_AUTOPROVISION_CLAIM_DISPLAYNAME"]))]
    #[schemars(extend("default" = "name", "x-required" = "it is the name of a claim, like name"))]
    pub display_name: String,
    /// The name of the OIDC claim that holds the groups.
    #[serde(rename = "claim_groups")]
    #[schemars(extend("x-env" = ["PROXY_AUTOPROVISION_CLAIM_GROUPS", "<P>_AUTOPROVISION_CLAIM_GROUPS"]))]
    #[schemars(extend("default" = "groups", "x-required" = "it is the name of a claim, like groups"))]
    pub groups: String,
    /// The name of the OIDC claim that holds identifiers of the groups which stay when a group is renamed, in the same
    /// order as the groups. If empty, an entry of the groups may hold its own ('value' or 'id', with the name in
    /// 'display' or 'name'); without any, groups are matched by their names.
    #[serde(rename = "claim_group_ids")]
    #[schemars(extend("x-env" = ["<P>_AUTOPROVISION_CLAIM_GROUP_IDS"]))]
    pub group_ids: String,
    /// How many groups are taken from a token. Users in more are refused, as they could stay in groups that they were
    /// taken out of. At most 5000.
    #[schemars(extend("x-env" = ["<P>_AUTOPROVISION_MAX_GROUPS"], "default" = MAX_GROUPS))]
    #[schemars(extend("minimum" = 1, "maximum" = MOST_GROUPS))]
    pub max_groups: usize,
    /// Whether a mail address is taken that the issuer does not call verified ('`email_verified`').
    #[schemars(extend("x-env" = ["<P>_AUTOPROVISION_TRUST_EMAIL"]))]
    pub trust_mail: bool,
}

config::impl_default!(AutoProvision);

impl Section for AutoProvision {
    fn validate(&self) -> Result<(), Invalid> {
        check_claims(&[
            ("claim_username", &self.username),
            ("claim_email", &self.mail),
            ("claim_displayname", &self.display_name),
            ("claim_groups", &self.groups),
            ("claim_group_ids", &self.group_ids),
        ])
    }
}

impl AutoProvision {
    pub(super) fn provisioning(&self) -> Option<Provisioning> {
        let path = |text: &String| text.parse().unwrap_or_else(|_| Path::name(text));
        self.accounts.then(|| Provisioning {
            username: path(&self.username),
            mail: path(&self.mail),
            display_name: path(&self.display_name),
            groups: path(&self.groups),
            group_ids: (!self.group_ids.is_empty()).then(|| path(&self.group_ids)),
            max_groups: self.max_groups,
            trust_mail: self.trust_mail,
        })
    }
}

/// `role_assignment`: which roles tokens give.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RoleAssignment {
    /// The mechanism that is used to assign roles to user upon login. Supported values: 'default' or 'oidc'. 'default'
    /// gives the role 'user' to new accounts, and leaves the roles of all others alone. 'oidc' gives the role that a
    /// claim of the token maps to, at each sign-in.
    #[schemars(extend("x-env" = ["PROXY_ROLE_ASSIGNMENT_DRIVER", "<P>_ROLE_ASSIGNMENT_DRIVER"], "default" = "default"))]
    #[schemars(extend("enum" = ["default", "oidc"]))]
    pub driver: String,
    /// The OIDC claim used to create the users role assignment.
    #[schemars(extend("x-env" = ["PROXY_ROLE_ASSIGNMENT_OIDC_CLAIM", "<P>_ROLE_ASSIGNMENT_OIDC_CLAIM"]))]
    #[schemars(extend("default" = "roles", "x-required" = "it is the name of a claim, like roles"))]
    pub claim: String,
    /// Which value of that claim is which role: pairs like 'staff=user'. The first pair whose value the token holds
    /// counts; a token that holds none is refused.
    #[schemars(extend(
        "x-env" = ["<P>_ROLE_ASSIGNMENT_MAPPING"],
        "default" = [
            "ocisAdmin=admin", "ocisSpaceAdmin=spaceadmin", "ocisUser=user", "ocisGuest=guest",
            "opencloudAdmin=admin", "opencloudSpaceAdmin=spaceadmin", "opencloudUser=user", "opencloudGuest=guest",
        ],
    ))]
    pub mapping: Vec<String>,
}

config::impl_default!(RoleAssignment);

impl Section for RoleAssignment {
    fn validate(&self) -> Result<(), Invalid> {
        check_claims(&[("claim", &self.claim)])?;
        let wrong = self.mapping.iter().find(|pair| pair_of(pair).is_none());
        if let Some(wrong) = wrong {
            let problem = format!(
                "must hold pairs like staff=user, of roles admin, spaceadmin, user, guest or an id; not {wrong:?}"
            );
            return Err(Invalid::new("mapping", problem));
        }
        let gives_roles = !self.is_by_claim() || !self.mapping.is_empty();
        Invalid::unless(gives_roles, "mapping", "must not be empty: no user could sign in")
    }
}

impl RoleAssignment {
    pub(super) fn is_by_claim(&self) -> bool {
        self.driver == "oidc"
    }

    pub(super) fn roles(&self) -> Option<Roles> {
        let claim = self.claim.parse().unwrap_or_else(|_| Path::name(&self.claim));
        let mapping = self.mapping.iter().filter_map(|pair| pair_of(pair)).collect();
        self.is_by_claim().then_some(Roles { claim, mapping })
    }
}

fn pair_of(pair: &str) -> Option<(String, String)> {
    let (value, role) = pair.rsplit_once('=')?;
    let role = role_of(role.trim())?;
    (!value.trim().is_empty()).then(|| (value.trim().to_owned(), role))
}

/// The identifier of a role, given by everyday name or by identifier.
pub(super) fn role_of(name: &str) -> Option<String> {
    uuid::Uuid::try_parse(authn::role::id(name)).ok().map(|id| id.hyphenated().to_string())
}
