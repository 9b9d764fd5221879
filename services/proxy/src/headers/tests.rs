use http::HeaderValue;

use super::*;

/// The names and families that a client must not be able to send, as other software documents them.
const FORGED: &str = include_str!("../../tests/data/forged-headers.txt");

fn filter(more: &[&str], except: &[&str]) -> Result<RequestFilter, FilterError> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    RequestFilter::new(&owned(more), &owned(except))
}

fn spellings(name: &str) -> [String; 4] {
    [name.to_lowercase(), name.replace('-', "_"), name.replace('-', "."), name.replace('-', "~")]
}

/// What is left of headers with these names, in alphabetical order.
fn left(filter: &RequestFilter, names: &[&str]) -> Vec<String> {
    let mut headers = HeaderMap::new();
    for name in names {
        headers.append(HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from_static("1"));
    }
    filter.strip(&mut headers);
    let mut left: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
    left.sort_unstable();
    left
}

/// Row E1.
#[test]
fn every_listed_name_is_removed_in_every_spelling() {
    let filter = filter(&[], &[]).expect("a filter");
    let lines = FORGED.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.clone().count(), 123);
    for line in lines.chain(LISTED) {
        let members = match line.strip_suffix('*') {
            Some(family) => vec![format!("{family}User"), format!("{family}X-Y")],
            None => vec![line.to_owned()],
        };
        for name in members.iter().flat_map(|member| spellings(member)) {
            assert!(filter.is_identity(&name), "{name}");
            assert_eq!(left(&filter, &[&name, &name]), <[String; 0]>::default(), "{name}");
        }
    }
}

#[test]
fn headers_that_applications_need_are_passed_on() {
    let names = [
        "accept",
        "authorization",
        "content-range",
        "cookie",
        "depth",
        "destination",
        "grpc-timeout",
        "oc-checksum",
        "referer",
        "requesttoken",
        "sec-websocket-key",
        "tus-resumable",
        "upload-checksum",
        "upload-concat",
        "upload-defer-length",
        "x-author",
        "x-csrf-token",
        "x-grpc-web",
        "x-oc-mtime",
        "x-request-id",
        "x-requested-with",
        "x-user-agent",
    ];
    assert_eq!(left(&filter(&[], &[]).expect("a filter"), &names), names);
}

#[test]
fn forwarding_and_hop_by_hop_headers_are_removed_in_every_spelling() {
    let filter = filter(&[], &[]).expect("a filter");
    for name in [
        "X-Forwarded-For",
        "X-Forwarded-Anything",
        "X-Forwarded",
        "Forwarded",
        "Transfer-Encoding",
        "Proxy-Authorization",
    ] {
        for name in spellings(name) {
            assert_eq!(left(&filter, &[&name]), <[String; 0]>::default(), "{name}");
        }
    }
}

#[test]
fn names_may_be_added_and_excepted() {
    let filter = filter(&["X-Tenant-*", "X-Who"], &["X-Hasura-Role", "x_roles"]).expect("a filter");
    let names =
        ["x-tenant-user", "x_who", "x-hasura-role", "x.hasura.role", "x-hasura-user-id", "x-roles", "x-tenants"];
    assert_eq!(left(&filter, &names), ["x-hasura-role", "x-roles", "x-tenants", "x.hasura.role"]);
}

#[test]
fn what_the_edge_sets_cannot_be_excepted() {
    for except in
        ["X-Access-Token", "x_access_token", "X-Access*", "X-Forwarded-*", "X-Forwarded-For", "X-Multi-Factor-*"]
    {
        assert!(matches!(filter(&[], &[except]), Err(FilterError::Reserved(_))), "{except}");
    }
    assert!(matches!(filter(&["*"], &[]), Err(FilterError::More(_))));
    assert!(matches!(filter(&[], &["X-*"]), Err(FilterError::Except(_))));
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
