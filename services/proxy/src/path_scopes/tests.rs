use std::time::SystemTime;

use authn::{Grants, User};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use token::Claims;

use super::*;
use crate::path::{Leniency, Path};

const NODE: &str = "1f3c6d2e-7a54-4a06-9d0c-3f1d3f0a9b11";
const OTHER: &str = "00000000-0000-0000-0000-000000000002";

fn identity(scopes: &[&str]) -> Identity {
    let user = User { username: "einstein".into(), ..User::default() };
    let scopes = Grants::parse(scopes.iter().copied()).expect("scopes").to_cs3();
    let (issued_at, expires_at) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);
    let claims = Claims {
        user,
        scopes,
        issuer: String::new(),
        issued_at,
        expires_at,
        jti: None,
        amr: Vec::new(),
        actor: None,
        sid: None,
        groups_omitted: false,
    };
    Identity::new(HeaderValue::from_static(""), claims)
}

fn reaches(scopes: &[&str], method: &str, path: &str, destination: Option<&str>) -> bool {
    let mut headers = HeaderMap::new();
    if let Some(destination) = destination {
        headers.insert(HeaderName::from_static("destination"), HeaderValue::from_str(destination).expect("a header"));
    }
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let path = Path::parse(path, Leniency::default()).expect("a path");
    let (host, method) = ("cloud.example:9200", &method);
    let info = RequestInfo { method, is_https: true, host, path: &path, query: None, headers: &headers, source: None };
    PathScopes::default().permit(&identity(scopes), &info)
}

#[test]
fn a_node_is_read_and_not_written_and_no_other_is_reached() {
    let scopes = [&*format!("node:{NODE}:r")];
    let below = |node: &str| format!("/dav/spaces/{node}/a.txt");
    assert!(reaches(&scopes, "PROPFIND", &format!("/dav/spaces/{NODE}"), None));
    for method in ["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"] {
        assert!(reaches(&scopes, method, &below(NODE), None), "{method}");
        assert!(!reaches(&scopes, method, &below(OTHER), None), "{method}");
    }
    for method in ["PUT", "DELETE", "MKCOL", "PROPPATCH", "LOCK", "MOVE", "COPY", "POST", "PATCH", "BREW"] {
        assert!(!reaches(&scopes, method, &below(NODE), None), "{method}");
    }
    for path in ["/", "/auth-app/tokens", "/graph/v1.0/me", "/dav/spaces", "/webdav/a", "/dav/files/einstein/a"] {
        assert!(!reaches(&scopes, "GET", path, None), "{path}");
    }
}

#[test]
fn the_nodes_of_cs3_systems_are_read() {
    let space = [&*format!("node:{OTHER}:rw")];
    let path = format!("/dav/spaces/storage${OTHER}!{NODE}/a");
    assert!(reaches(&space, "PUT", &path, None), "what holds it is enough");
    assert!(reaches(&[&*format!("node:{NODE}:rw")], "PUT", &path, None));
    for path in [format!("{OTHER}!{NODE}"), format!("storage${OTHER}"), OTHER.to_owned()] {
        assert!(reaches(&space, "PUT", &format!("/dav/spaces/{path}/a"), None), "{path}");
    }
}

#[test]
fn a_grant_for_a_node_counts_only_where_the_node_or_its_space_is_named() {
    let scopes = [&*format!("node:{NODE}:rw")];
    for segment in [
        &*format!("{NODE}$x!{OTHER}"),
        &format!("{NODE}$x"),
        &format!("{NODE}${OTHER}"),
        &format!("{NODE}$!{OTHER}"),
        &format!("{NODE}$x!{OTHER}!y"),
        &format!("x!{NODE}!{OTHER}"),
        &format!("x!{OTHER}!{NODE}"),
        &format!("x${NODE}$y!{OTHER}"),
        &format!("x!{NODE}${OTHER}"),
        &format!("x!{OTHER}${NODE}"),
        &format!("{NODE}!"),
        &format!("!{NODE}"),
        &format!("${NODE}"),
    ] {
        for (method, path) in [("PROPFIND", ""), ("PUT", "/a"), ("GET", "/a")] {
            assert!(!reaches(&scopes, method, &format!("/dav/spaces/{segment}{path}"), None), "{segment}{path}");
        }
        let from = format!("/dav/spaces/{NODE}/a");
        assert!(!reaches(&scopes, "COPY", &from, Some(&format!("/dav/spaces/{segment}/a"))), "to {segment}");
    }
}

#[test]
fn a_path_is_one_of_the_persons_own() {
    let scopes = ["path:/photos:rw"];
    assert!(reaches(&scopes, "PUT", "/webdav/photos/a.jpg", None));
    assert!(reaches(&scopes, "PUT", "/remote.php/dav/files/einstein/photos/", None));
    assert!(!reaches(&scopes, "GET", "/remote.php/dav/files/marie/photos/", None), "another's");
    assert!(!reaches(&scopes, "GET", "/webdav/photos-of-others", None));
    assert!(
        !reaches(&scopes, "GET", &format!("/dav/spaces/{NODE}/photos"), None),
        "a path below a node is not the tree's"
    );
}

#[test]
fn where_a_copy_goes_must_be_reached_too() {
    let scopes = [&*format!("node:{NODE}:rw")];
    let (from, inside) = (format!("/dav/spaces/{NODE}/a"), format!("/dav/spaces/{NODE}/b"));
    assert!(reaches(&scopes, "MOVE", &from, Some(&format!("https://cloud.example:9200{inside}"))));
    assert!(reaches(&scopes, "COPY", &from, Some(&inside)));
    for elsewhere in [
        &*format!("https://cloud.example:9200/dav/spaces/{OTHER}/b"),
        &format!("/dav/spaces/{NODE}/../{OTHER}/b"),
        &format!("https://evil.example{inside}"),
        &format!("//evil.example{inside}"),
        "",
        "b",
    ] {
        assert!(!reaches(&scopes, "COPY", &from, Some(elsewhere)), "{elsewhere}");
    }
}

#[test]
fn tokens_are_administered_by_their_own_scope() {
    assert!(reaches(&["tokens:read"], "GET", "/auth-app/tokens", None));
    assert!(!reaches(&["tokens:read"], "POST", "/auth-app/tokens", None));
    assert!(reaches(&["tokens:write"], "DELETE", "/auth-app/tokens/1", None));
    assert!(!reaches(&["tokens:write"], "GET", "/auth-app/tokensx", None));
    assert!(reaches(&["user"], "PUT", "/anything", None));
}

#[test]
fn templates_are_read_strictly() {
    for odd in ["", "dav", "/", "/a//b", "/{path}/a", "/{node}/{node}", "/{other}", "/a{node}", "/../a", "/a%2f", "/a/"]
    {
        assert_eq!(odd.parse::<PathTemplate>(), Err(InvalidTemplate), "{odd}");
    }
}

proptest! {
    #[test]
    fn a_node_opens_no_path_without_it(path in "(/(dav|spaces|webdav|files|einstein|remote\\.php|[a-z0-9$!-]{1,6})){1,5}", method in "(GET|PUT|PROPFIND)") {
        let scopes = [&*format!("node:{NODE}:rw")];
        prop_assert!(!reaches(&scopes, &method, &path, None));
    }
}
