//! Transaction tokens: their keys, and where services that only verify them fetch the keys.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Invalid, Secret, Section};

/// The longest name of a trust domain, in bytes.
const MAX_TRUST_DOMAIN: usize = 255;

/// `transactions`: the transaction tokens that a service mints.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Transactions {
    /// The secret from which the keys of transaction tokens are derived. The gateway and the idp have the same one, and no other
    /// service has it. No transaction tokens are minted if unset.
    #[schemars(extend("x-env" = ["OCIS_TRANSACTION_SECRET", "<P>_TRANSACTION_SECRET"], "x-min-bytes" = 32))]
    pub secret: Secret,
    /// The secret that was in use before the current one. Transaction tokens minted with it are still accepted.
    #[schemars(extend("x-env" = ["OCIS_TRANSACTION_SECRET_PREVIOUS", "<P>_TRANSACTION_SECRET_PREVIOUS"]))]
    #[schemars(extend("x-min-bytes" = 32))]
    pub secret_previous: Secret,
    /// The trust domain in which transaction tokens are valid, like '`cloud.example.org`': their audience and issuer. Required
    /// where the secret is set.
    #[schemars(extend("x-env" = ["OCIS_TRANSACTION_TRUST_DOMAIN", "<P>_TRANSACTION_TRUST_DOMAIN"]))]
    pub trust_domain: String,
    /// The algorithm that signs transaction tokens. The keys of both are published, so that it can be changed in one process after
    /// the other.
    #[schemars(extend("x-env" = ["OCIS_TRANSACTION_ALGORITHM", "<P>_TRANSACTION_ALGORITHM"]))]
    #[schemars(extend("default" = "ES256", "enum" = ["ES256", "EdDSA"]))]
    pub algorithm: String,
    /// How long a transaction token is valid unless the policy of the workload says otherwise. At most 5m.
    #[schemars(extend("x-env" = ["OCIS_TRANSACTION_LIFETIME", "<P>_TRANSACTION_LIFETIME"]))]
    #[schemars(extend("default" = "1m", "minimum" = "1s", "maximum" = "5m"))]
    pub lifetime: Duration,
}

crate::impl_default!(Transactions);

impl Transactions {
    /// Whether transaction tokens are minted.
    pub fn is_enabled(&self) -> bool {
        !self.secret.is_empty()
    }
}

impl Section for Transactions {
    fn validate(&self) -> Result<(), Invalid> {
        trust_domain(&self.trust_domain)?;
        let is_named = !self.is_enabled() || !self.trust_domain.is_empty();
        let problem = "must be set where OCIS_TRANSACTION_SECRET is: the trust domain of transaction tokens, like cloud.example.org";
        Invalid::unless(is_named, "trust_domain", problem)?;
        let has_successor = self.is_enabled() || self.secret_previous.is_empty();
        let problem = "is set without OCIS_TRANSACTION_SECRET, its successor; set that too, or unset it";
        Invalid::unless(has_successor, "secret_previous", problem)
    }
}

/// A text without separators: it is part of lists and headers.
fn trust_domain(name: &str) -> Result<(), Invalid> {
    let is_plain = name.len() <= MAX_TRUST_DOMAIN && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    let problem = "must have at most 255 visible ASCII characters and no comma";
    Invalid::unless(is_plain, "trust_domain", problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(transactions: &Transactions) -> String {
        transactions.validate().expect_err("is refused").key
    }

    #[test]
    fn secret_needs_a_trust_domain() {
        let off = Transactions::default();
        off.validate().expect("off by default");
        assert!(!off.is_enabled());
        let secret = || Secret::from("0123456789abcdef0123456789abcdef");
        let on = Transactions { secret: secret(), ..off.clone() };
        assert_eq!(problem(&on), "trust_domain");
        Transactions { trust_domain: "cloud.example.org".into(), ..on.clone() }.validate().expect("is valid");
        for name in ["a,b", "a b", "ä", "a".repeat(256).as_str()] {
            assert_eq!(problem(&Transactions { trust_domain: name.into(), ..on.clone() }), "trust_domain", "{name}");
        }
        assert_eq!(problem(&Transactions { secret_previous: secret(), ..off }), "secret_previous");
    }
}
