//! Headers by which a backend is told who somebody is: nobody but us may set them.

use http::header::{CONNECTION, HOST, HeaderMap, HeaderName};

/// The header that carries the internal token to backends.
pub const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-access-token");

/// Names that are identity headers, and the beginnings of names that are, in the spelling of [`canonical`]. They are those
/// that this family, oauth2-proxy, Authelia, Authentik, Envoy, Istio, Grafana and common frameworks are told people by.
const NAMES: [&str; 22] = [
    "x-access-token",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-forwarded-roles",
    "x-user",
    "x-user-id",
    "x-user-name",
    "x-user-email",
    "x-user-groups",
    "x-username",
    "x-email",
    "x-groups",
    "x-roles",
    "x-auth-username",
    "x-authenticated-user",
    "x-jwt-payload",
    "x-client-cert",
    "x-doorward-source",
];
const FAMILIES: [&str; 14] = [
    "remote-",
    "x-remote-",
    "x-auth-request-",
    "x-webauth-",
    "x-machine-auth",
    "x-authentik-",
    "x-authelia-",
    "x-auth-user",
    "x-token-",
    "x-ssl-client-",
    "x-doorward-",
    // not who somebody is, but what is asked: nobody but a proxy in front of the edge says that, and to the edge alone
    "x-original-",
    "x-rewrite-",
    "x-http-method",
];

/// Headers of one connection, which are not passed on (RFC 9110 7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a backend may take this header for a statement about who somebody is. Servers that turn headers into variables
/// read `_`, `.` and `-` as the same, so these are too.
pub fn is_identity(name: &str) -> bool {
    // all of them begin with these letters; most headers do not
    if !name.bytes().next().is_some_and(|first| matches!(first.to_ascii_lowercase(), b'x' | b'r')) {
        return false;
    }
    let begins_with = |known: &str| {
        name.len() >= known.len() && name.bytes().zip(known.bytes()).all(|(byte, known)| canonical(byte) == known)
    };
    FAMILIES.iter().any(|family| begins_with(family))
        || NAMES.iter().any(|known| name.len() == known.len() && begins_with(known))
}

fn canonical(byte: u8) -> u8 {
    if matches!(byte, b'_' | b'.') { b'-' } else { byte.to_ascii_lowercase() }
}

/// Takes every identity header out of a client's request (rows E1, E2), whatever its spelling and however often it stands
/// there.
pub fn strip_identity(headers: &mut HeaderMap) {
    remove(headers, is_identity);
}

/// Takes out of a client's request what is not the client's to say, or not for the backend: identity headers, where the request
/// comes from, and what belongs to the client's connection.
pub fn strip_request(headers: &mut HeaderMap) {
    strip_named(headers);
    remove(headers, |name| HOP_BY_HOP.contains(&name) || is_forwarding(name) || is_identity(name));
}

/// Whether a header says where a request comes from: the edge says that.
fn is_forwarding(name: &str) -> bool {
    name.starts_with("x-forwarded-") || matches!(name, "forwarded" | "x-real-ip" | "true-client-ip" | "x-client-ip")
}

/// Takes out what belongs to one connection only: hop-by-hop headers, and those that `Connection` names. `Host` cannot be named
/// away.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    strip_named(headers);
    remove(headers, |name| HOP_BY_HOP.contains(&name));
}

fn strip_named(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| *name != HOST)
        .collect();
    for name in named {
        headers.remove(name);
    }
}

fn remove(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    let names: Vec<_> = headers.keys().filter(|name| unwanted(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn e1_every_spelling_of_an_identity_header_is_taken_out() {
        let mut headers = HeaderMap::new();
        for name in [
            "x-access-token",
            "X-Access-Token",
            "x_access_token",
            "x.access.token",
            "remote-user",
            "Remote_Groups",
            "x-remote-user",
            "x-forwarded-user",
            "x-forwarded-email",
            "x-auth-request-groups",
            "x-webauth-user",
            "x-machine-auth-api-key",
            "x-authentik-username",
            "x-doorward-source",
        ] {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("admin"));
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("admin"));
        }
        for harmless in ["accept", "authorization", "x-request-id", "x-requested-with", "x-forwarded-for", "depth"] {
            headers.insert(HeaderName::from_static(harmless), HeaderValue::from_static("1"));
        }
        strip_identity(&mut headers);
        assert_eq!(headers.len(), 6, "{headers:?}");
    }

    #[test]
    fn e1_every_name_and_every_family_is_known_again() {
        for known in NAMES.iter().chain(&FAMILIES) {
            assert!(is_identity(known) && is_identity(&known.to_ascii_uppercase()), "{known}");
            assert!(is_identity(&known.replace('-', "_")) && is_identity(&known.replace('-', ".")), "{known}");
        }
        for other in ["", "x", "r", "x-", "remote", "x-user-agent", "x-userid", "range", "referer", "x-requested-with"]
        {
            assert!(!is_identity(other), "{other}");
        }
    }

    #[test]
    fn what_connection_names_is_not_passed_on() {
        let mut headers = HeaderMap::new();
        headers.append(CONNECTION, HeaderValue::from_static("close, X-Once"));
        headers.append(CONNECTION, HeaderValue::from_static("host"));
        headers.insert("x-once", HeaderValue::from_static("1"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert(HOST, HeaderValue::from_static("a"));
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["host"]);
    }
}
