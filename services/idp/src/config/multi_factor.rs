use std::str::FromStr;

use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `mfa`: who signs in with a second factor.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MultiFactor {
    /// Whether users sign in with a second factor: 'off' (never), 'optional' (users who have enrolled one, and those in
    /// `IDP_MFA_GROUPS_REQUIRED`), or 'required' (all users). Unless it is 'off', every administrator has to enrol once
    /// one of them has.
    #[schemars(extend("x-env" = ["<P>_MFA_POLICY"], "default" = "optional"))]
    pub policy: String,
    /// The groups whose members have to enrol a second factor at the next sign-in, as tokens name them.
    #[schemars(extend("x-env" = ["<P>_MFA_GROUPS_REQUIRED"]))]
    pub groups_required: Vec<String>,
    /// Other names of the level of authentication `mfa`, by which clients may ask for it in `acr_values`. Tokens have the
    /// name that the client asked for.
    #[schemars(extend("x-env" = ["OCIS_MFA_AUTH_LEVEL_NAMES", "<P>_MFA_AUTH_LEVEL_NAMES"], "default" = ["advanced"]))]
    pub auth_level_names: Vec<String>,
    /// Whether the second factor of a browser's session still counts when its user enters the password again, because
    /// the client asks for it (prompt=login) or the sign-in is too old for it (`max_age`).
    #[schemars(extend("x-env" = ["<P>_MFA_KEEP_ON_REAUTHENTICATION"]))]
    pub keep_on_reauthentication: bool,
}

config::impl_default!(MultiFactor);

/// Who signs in with a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultiFactorPolicy {
    /// No user.
    Off,
    /// Users who have enrolled one, or have to.
    Optional,
    /// All users.
    Required,
}

impl FromStr for MultiFactorPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "optional" => Ok(Self::Optional),
            "required" => Ok(Self::Required),
            _ => Err("must be off, optional or required"),
        }
    }
}

impl MultiFactor {
    /// The policy; the strictest for a text that is none, which a valid configuration does not have.
    pub fn policy(&self) -> MultiFactorPolicy {
        self.policy.parse().unwrap_or(MultiFactorPolicy::Required)
    }
}

impl Section for MultiFactor {
    fn validate(&self) -> Result<(), Invalid> {
        self.policy.parse::<MultiFactorPolicy>().map_err(|problem| Invalid::new("policy", problem))?;
        let is_name = |name: &String| !name.is_empty() && !name.contains(char::is_whitespace);
        let are_names = self.auth_level_names.iter().all(is_name);
        Invalid::unless(are_names, "auth_level_names", "must be a list of names without spaces, like advanced")
    }
}
