//! The kinds of credential, as `AuthenticateRequest.type` names them.

/// An app token or personal access token.
pub const APP: &str = "appauth";
/// A login and a password.
pub const BASIC: &str = "basic";
/// An OIDC access token.
pub const BEARER: &str = "bearer";
/// The machine key and a person.
pub const MACHINE: &str = "machine";
/// A service account.
pub const SERVICE: &str = "serviceaccounts";

/// The session of a guest who has opened a link; only an upstream gateway answers it.
pub const GUEST_LINKS: &str = "guestlinks";
/// A public link; only an upstream gateway answers it.
pub const PUBLIC_SHARES: &str = "publicshares";
/// A share of another installation (Open Cloud Mesh); only an upstream gateway answers it.
pub const OCM_SHARES: &str = "ocmshares";

/// The kinds that this family understands.
pub const ALL: [&str; 5] = [APP, BASIC, BEARER, MACHINE, SERVICE];
