//! How a user has signed in, according to the issuer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The level and methods of a sign-in (`OpenID` Connect Core 2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The authentication context class (`acr`).
    pub acr: Option<String>,
    /// The methods (`amr`).
    pub amr: Vec<String>,
    /// When the user has signed in (`auth_time`), in seconds since the epoch.
    #[serde(default)]
    pub at: Option<u64>,
    /// The policy of routes that applies to the user, as the proxy of an oCIS or OpenCloud reads it.
    #[serde(default)]
    pub policy: Option<String>,
}

/// The claims with the policy of routes: that of an oCIS, and that of an OpenCloud.
const POLICIES: [&str; 2] = ["ocis.routing.policy", "opencloud.routing.policy"];

impl SignIn {
    /// Whether it was at most so long ago, where the issuer's clock may differ by `leeway`: after a sign-in that is just recent enough for
    /// the issuer, and not any more for this clock, the browser would be sent there and back without end.
    pub fn is_within(&self, max_age: Duration, leeway: Duration, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let is_recent = |at: Duration| at <= now + leeway && now.saturating_sub(at) <= max_age + leeway;
        self.at.map(Duration::from_secs).is_some_and(is_recent)
    }

    /// That in the claims of an issuer's token.
    pub fn of(claims: &Map<String, Value>) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            acr: claims.get("acr").and_then(text),
            amr: claims.get("amr").and_then(Value::as_array).into_iter().flatten().filter_map(text).collect(),
            at: claims.get("auth_time").and_then(Value::as_u64),
            // a provider may send an empty one for a user without the attribute
            policy: POLICIES.iter().filter_map(|name| text(claims.get(*name)?)).find(|policy| !policy.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_without_acr_and_amr_have_no_level_and_no_methods() {
        assert_eq!(SignIn::of(&Map::new()), SignIn::default());
    }

    #[test]
    fn policy_of_routes_is_a_text_with_a_dotted_name() {
        let of = |claims: Value| SignIn::of(claims.as_object().expect("claims")).policy;
        assert_eq!(of(serde_json::json!({ "ocis.routing.policy": "a" })).as_deref(), Some("a"));
        assert_eq!(of(serde_json::json!({ "ocis": { "routing": { "policy": "a" } } })), None);
        assert_eq!(of(serde_json::json!({ "ocis.routing.policy": ["a"] })), None);
        assert_eq!(of(serde_json::json!({ "ocis.routing.policy": "" })), None, "the default policy applies");
        assert_eq!(of(serde_json::json!({ "opencloud.routing.policy": "a" })).as_deref(), Some("a"));
        let both = serde_json::json!({ "ocis.routing.policy": "", "opencloud.routing.policy": "a" });
        assert_eq!(of(both).as_deref(), Some("a"));
        let before: SignIn = serde_json::from_value(serde_json::json!({ "acr": null, "amr": [] })).expect("is read");
        assert_eq!(before, SignIn::default(), "a session that was stored before");
    }

    #[test]
    fn sign_in_without_a_time_is_within_no_age() {
        let (now, minute) = (UNIX_EPOCH + Duration::from_secs(1_000), Duration::from_mins(1));
        let sign_in = |at| SignIn { at, ..SignIn::default() };
        let leeway = Duration::from_secs(5);
        for (at, expected) in
            [(Some(935), true), (Some(934), false), (Some(1_005), true), (Some(1_006), false), (None, false)]
        {
            assert_eq!(sign_in(at).is_within(minute, leeway, now), expected, "{at:?}");
        }
        assert!(!sign_in(Some(999)).is_within(Duration::ZERO, Duration::ZERO, now));
    }
}
