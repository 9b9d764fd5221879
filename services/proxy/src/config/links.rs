//! Links of an OpenCloud.

use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the name of the cookie begins with, so that browsers send it only to the host that has set it (RFC 6265bis 4.1.3).
const HOST_PREFIX: &str = "__Host-";

/// `links`: credentials of links, which the gateway of an OpenCloud verifies (`GATEWAY_UPSTREAM_ENDPOINT`).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Links {
    /// Whether guests who have opened a link of an OpenCloud are authenticated by the cookie of their session, at the paths
    /// of files and of what is shared with them.
    #[schemars(extend("x-env" = ["<P>_GUEST_LINKS_ENABLED"]))]
    pub guests_enabled: bool,
    /// The name of that cookie. It begins with `__Host-`.
    #[schemars(extend("x-env" = ["AUTH_GUEST_JWT_COOKIE_NAME", "<P>_GUEST_COOKIE"], "default" = "__Host-oc_guest_session"))]
    pub guest_cookie: String,
    /// Whether the token of a public link is a credential at /archiver, /app/open and /app/new. If empty, it is where
    /// `PROXY_POLICIES_FILE` is set.
    #[schemars(extend("x-env" = ["<P>_PUBLIC_LINKS_ENABLED"]))]
    pub public_enabled: Option<bool>,
}

impl Section for Links {
    fn validate(&self) -> Result<(), Invalid> {
        let name = self.guest_cookie.strip_prefix(HOST_PREFIX).unwrap_or_default();
        let is_token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let is_name = !name.is_empty() && is_token && !name.starts_with("doorward");
        let problem = "must begin with __Host-, so that no other host of the domain can set it, and go on with letters, digits, -, _ or .";
        Invalid::unless(is_name, "guest_cookie", problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_of_guests_is_of_this_host_alone() {
        let is_valid = |name: &str| {
            let links = Links { guest_cookie: name.to_owned(), ..::config::defaults() };
            links.validate().is_ok()
        };
        assert!(is_valid("__Host-oc_guest_session") && ::config::defaults::<Links>().validate().is_ok());
        for odd in ["", "__Host-", "oc_guest_session", "__Secure-guest", "__Host-a b", "__Host-a;b", "__Host-doorward"]
        {
            assert!(!is_valid(odd), "{odd}");
        }
    }
}
