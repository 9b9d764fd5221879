//! The tokens of forms (`docs/security-requirements.md#a21`): bound to the browser, the user and the purpose of the form.

use config::TokenManager;
use crypto::{HmacKey, KeyDerivation};
use web::csrf::{self, Browser};

/// Separates these keys from those that other services derive from the same secret.
const SALT: &[u8] = b"doorward account";

/// Makes and verifies the tokens of forms. Replicas with the same secret accept each other's.
#[derive(Clone)]
pub(crate) struct FormKeys {
    current: HmacKey,
    previous: Option<HmacKey>,
}

impl FormKeys {
    /// Keys that are derived from the secret of the internal token, and from the one before it.
    pub(crate) fn new(tokens: &TokenManager) -> Self {
        let key = |secret: &str| HmacKey::new(&*KeyDerivation::new(SALT, secret.as_bytes()).key(b"forms"));
        let previous = &tokens.jwt_secret_previous;
        Self {
            current: key(tokens.jwt_secret.expose()),
            previous: (!previous.is_empty()).then(|| key(previous.expose())),
        }
    }

    /// The token that a form of this purpose sends back.
    pub(crate) fn token(&self, browser: &Browser, user: &str, purpose: &str) -> String {
        csrf::token(&self.current.digest(&message(browser, user, purpose)))
    }

    /// Whether a form of this purpose was shown to this user in this browser.
    pub(crate) fn accepts(&self, token: &str, browser: &Browser, user: &str, purpose: &str) -> bool {
        let message = message(browser, user, purpose);
        let keys = std::iter::once(&self.current).chain(&self.previous);
        csrf::is_token(token, keys.map(|key| key.digest(&message)))
    }
}

fn message(browser: &Browser, user: &str, purpose: &str) -> Vec<u8> {
    browser.message(&format!("{purpose} {user}"))
}

#[cfg(test)]
mod tests {
    use runtime::Random;

    use super::*;

    fn keys(secret: &str, previous: &str) -> FormKeys {
        let tokens =
            TokenManager { jwt_secret: secret.into(), jwt_secret_previous: previous.into(), ..TokenManager::default() };
        FormKeys::new(&tokens)
    }

    /// Row [A21](../../../docs/security-requirements.md#a21).
    #[test]
    fn form_token_is_bound_to_browser_user_and_purpose() {
        let (one, random) = (keys("one-secret", ""), Random::seeded(1));
        let (browser, other) = (Browser::new(&random), Browser::new(&random));
        let token = one.token(&browser, "id-of-einstein", "create");
        assert!(one.accepts(&token, &browser, "id-of-einstein", "create"));
        assert!(!one.accepts(&token, &other, "id-of-einstein", "create"), "another browser");
        assert!(!one.accepts(&token, &browser, "id-of-marie", "create"), "another user");
        assert!(!one.accepts(&token, &browser, "id-of-einstein", "revoke"), "another form");
        assert!(!one.accepts("", &browser, "id-of-einstein", "create"));
        assert!(!keys("another-secret", "").accepts(&token, &browser, "id-of-einstein", "create"));
    }

    #[test]
    fn form_shown_before_the_secret_changed_is_accepted() {
        let browser = Browser::new(&Random::seeded(1));
        let token = keys("former", "").token(&browser, "id", "create");
        assert!(keys("current", "former").accepts(&token, &browser, "id", "create"));
        assert!(!keys("current", "").accepts(&token, &browser, "id", "create"));
    }
}
