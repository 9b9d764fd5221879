//! How a user was authenticated (`amr`), where RFC 8176 has no value that fits and a later decision depends on it.

/// An app token or personal access token.
pub const APP: &str = "app";
/// An OpenID Connect access token of a first-party client, which a signed-in user handles.
pub const OIDC: &str = "oidc";
/// An OpenID Connect access token of any other client: it acts for the user within the token's scope.
pub const OIDC_CLIENT: &str = "oidc_client";
/// The machine key, by which a service acts for a user.
pub const MACHINE: &str = "machine";
/// The secret of a service account.
pub const SERVICE: &str = "service";

/// Whether credentials of this kind are given to programs, so that they may manage app tokens only with the scope `tokens:read` or
/// `tokens:write`: a leaked one would otherwise renew itself for ever.
pub fn is_delegated(amr: &str) -> bool {
    matches!(amr, APP | OIDC_CLIENT)
}

/// Whether a program presents credentials of this kind without its user: those that are [given to programs](is_delegated), machine keys
/// and service accounts.
pub fn is_of_program(amr: &str) -> bool {
    is_delegated(amr) || matches!(amr, MACHINE | SERVICE)
}
