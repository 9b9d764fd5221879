//! What clients forge, and paths that are not what they seem.

use crate::client::Request;

/// What a forged header says: it must not be found in anything that reaches an application.
pub(crate) const FORGED: &str = "forged-by-the-client";
/// What a trailer says where it is known to get through.
pub(crate) const TRAILING: &str = "behind-the-body";

/// Headers by which backends are told who somebody is, in the spellings that servers take for the same.
const IDENTITY: [&str; 46] = [
    "X-Access-Token",
    "x-access-token",
    "X-ACCESS-TOKEN",
    "X_Access_Token",
    "X.Access.Token",
    "X-Access_Token",
    "Remote-User",
    "Remote_User",
    "Remote.User",
    "Remote-Groups",
    "Remote-Email",
    "Remote-Anything",
    "X-Remote-User",
    "X_Remote_User",
    "X.Remote.User",
    "X-Remote-Group",
    "X-Remote-Extra-Scopes",
    "X-Forwarded-User",
    "X_Forwarded_User",
    "X.Forwarded.User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-User",
    "X_Auth_Request_User",
    "X.Auth.Request.User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Access-Token",
    "X-WebAuth-User",
    "X_WebAuth_User",
    "X.WebAuth.User",
    "X-WebAuth-Role",
    "X-Machine-Auth",
    "X_Machine_Auth",
    "X.Machine.Auth",
    "X-Machine-Auth-Api-Key",
    "X-Authentik-Username",
    "X-Authelia-User",
    "X-Authenticated-User",
    "X-User",
    "X-User-Id",
    "X-Username",
    "X-Token-Subject",
    "X-Doorward-Source",
];

/// Paths of which servers make different things.
pub(crate) const ODD_PATHS: [&str; 16] = [
    "/pub/..%2fadmin",
    "/pub/%2e%2e/admin",
    "/pub/../admin",
    "/pub/..;/admin",
    "/pub/..%5cadmin",
    "/pub\\..\\admin",
    "/pub/%2e%2e%2fadmin",
    "/pub/%252e%252e/admin",
    "/pub/./../admin",
    "/pub//../admin",
    "//admin",
    "/pub/.%2e/admin",
    "/pub/..%00/admin",
    "/pub/..%3b/admin",
    "/admin/..%2fpub",
    "/%61dmin/..;/pub",
];

/// A request with a forged header of every kind.
pub(crate) fn with_forged_identity(request: Request) -> Request {
    let forged = IDENTITY.map(|name| (name, FORGED));
    request.with(&forged).with(&[("Connection", "close, X-Access-Token")])
}
