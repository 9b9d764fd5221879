//! What clients forge, and paths that are not what they seem.

use std::collections::BTreeSet;

use proxy::headers::LISTED;

use crate::front_proxies::client::Request;

/// What a forged header says: it must not be found in anything that reaches an application.
pub(crate) const FORGED: &str = "forged-by-the-client";
/// What a trailer says where it is known to get through.
pub(crate) const TRAILING: &str = "behind-the-body";

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

/// The names and families as other software documents them.
const DOCUMENTED: &str = include_str!("../../../../services/proxy/tests/data/forged-headers.txt");

/// Headers that applications need, and that look like those that clients may not send.
pub(crate) const NEEDED: [&str; 10] = [
    "content-range",
    "grpc-timeout",
    "requesttoken",
    "upload-checksum",
    "upload-concat",
    "upload-defer-length",
    "upload-length",
    "x-csrf-token",
    "x-grpc-web",
    "x-user-agent",
];

/// As many forged headers as one request has: proxies take about a hundred headers.
const AT_ONCE: usize = 60;

/// Every name of the list, or two members of every family, in the spellings that servers take for the same; in as many parts as requests
/// are needed.
pub(crate) fn spelled(part: Part) -> Vec<Vec<String>> {
    let documented = DOCUMENTED.lines().filter(|line| !line.starts_with('#'));
    let all: BTreeSet<&str> = documented.chain(LISTED).collect();
    let names = all.into_iter().flat_map(|name| match (name.strip_suffix('*'), part) {
        (Some(family), Part::Families) => vec![format!("{family}User"), format!("{family}Some-Thing")],
        (None, Part::Names) => vec![name.to_owned()],
        _ => Vec::new(),
    });
    let spell =
        |name: String| [name.to_lowercase(), name.replace('-', "_"), name.replace('-', "."), name.replace('-', "~")];
    let spelled: Vec<String> = names.flat_map(spell).collect();
    spelled.chunks(AT_ONCE).map(<[String]>::to_vec).collect()
}

/// Which part of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Names,
    Families,
}

/// A request with these headers, all forged.
pub(crate) fn with_forged(request: Request, names: &[String]) -> Request {
    let forged: Vec<_> = names.iter().map(|name| (name.as_str(), FORGED)).collect();
    request.with(&forged)
}

/// A request with forged headers of the most common kinds, and one that names ours.
pub(crate) fn with_forged_identity(request: Request) -> Request {
    const IDENTITY: [&str; 12] = [
        "X-Access-Token",
        "x-access-token",
        "X_Access_Token",
        "X.Access.Token",
        "X~Access~Token",
        "Remote-User",
        "Remote_User",
        "X-Remote-User",
        "X-Forwarded-User",
        "X-Auth-Request-Email",
        "X-WebAuth-User",
        "X-Doorward-Source",
    ];
    request.with(&IDENTITY.map(|name| (name, FORGED))).with(&[("Connection", "close, X-Access-Token")])
}
