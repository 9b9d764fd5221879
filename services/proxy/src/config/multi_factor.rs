use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The authentication method that means several factors (RFC 8176 2).
pub(crate) const SEVERAL: &str = "mfa";

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

impl MultiFactor {
    /// The levels that are asked for where several factors are needed: those of the setting that can stand in a quoted string, or
    /// the method that means several factors.
    pub fn acr_values(&self) -> String {
        let is_plain = |name: &&String| name.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
        let names: Vec<&str> = self.auth_level_names.iter().filter(is_plain).map(String::as_str).collect();
        if names.is_empty() { SEVERAL.to_owned() } else { names.join(" ") }
    }
}

impl Section for MultiFactor {
    fn validate(&self) -> Result<(), Invalid> {
        let are_named = !self.enabled || !self.auth_level_names.iter().any(String::is_empty);
        Invalid::unless(are_named, "auth_level_names", "has an empty name; list the values of acr, like advanced")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_are_asked_for_end_no_quoted_string() {
        let asked = |names: &[&str]| {
            let auth_level_names = names.iter().map(|name| (*name).to_owned()).collect();
            MultiFactor { auth_level_names, ..::config::defaults() }.acr_values()
        };
        assert_eq!(asked(&["advanced", "gold"]), "advanced gold");
        assert_eq!(asked(&["a\", x=\"b", "gold", "two words"]), "gold");
        assert_eq!(asked(&[]), "mfa");
    }
}
