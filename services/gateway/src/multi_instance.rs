//! An instance among several with one user directory. Whether a user belongs to this one is said by the OpenID Provider alone, so that
//! credentials without its claims do not count (`docs/security-requirements.md#g24`).

use authn::{AuthError, Reason, kind};

/// Refuses passwords and app tokens.
pub(crate) fn check(kind: &str) -> Result<(), AuthError> {
    if [kind::BASIC, kind::APP].contains(&kind) { Err(AuthError::Refused(Reason::MultiInstance)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_with_a_password_are_refused_and_no_others() {
        for kind in kind::ALL {
            let is_refused = matches!(check(kind), Err(AuthError::Refused(Reason::MultiInstance)));
            assert_eq!(is_refused, ["basic", "appauth"].contains(&kind), "{kind}");
        }
    }
}
