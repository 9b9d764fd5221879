//! How a user has signed in, according to the issuer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The level and methods of a sign-in (`OpenID` Connect Core 2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The authentication context class (`acr`).
    pub acr: Option<String>,
    /// The methods (`amr`).
    pub amr: Vec<String>,
}

impl SignIn {
    /// That in the claims of an issuer's token.
    pub fn of(claims: &Map<String, Value>) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            acr: claims.get("acr").and_then(text),
            amr: claims.get("amr").and_then(Value::as_array).into_iter().flatten().filter_map(text).collect(),
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
}
