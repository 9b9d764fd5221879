use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::*;
use crate::path::{Leniency, Path};

fn site() -> Site {
    let return_hosts = ["app.example.org".to_owned(), "wiki.example.org:8443".to_owned()];
    Site::new("https://cloud.example.org", "example.org", &return_hosts).expect("a site")
}

#[test]
fn own_paths_and_named_hosts_are_returned_to() {
    for (wanted, expected) in [
        ("/", "https://cloud.example.org/"),
        ("/a/b?c=d&e=%2F", "https://cloud.example.org/a/b?c=d&e=%2F"),
        ("/a?u=https://evil.example", "https://cloud.example.org/a?u=https://evil.example"),
        ("https://app.example.org", "https://app.example.org/"),
        ("https://app.example.org:443/a?b", "https://app.example.org/a?b"),
        ("https://wiki.example.org:8443/x", "https://wiki.example.org:8443/x"),
        ("https://cloud.example.org/a", "https://cloud.example.org/a"),
        ("https://cloud.example.org:8443/a?b", "https://cloud.example.org:8443/a?b"),
    ] {
        assert_eq!(site().target(wanted), expected, "{wanted}");
    }
}

#[test]
fn nothing_else_is_returned_to() {
    for wanted in [
        "",
        "evil",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "/%2f/evil.example",
        "/%2F%2Fevil.example",
        "/%5cevil.example",
        "/%09/evil.example",
        "/..//evil.example",
        "/a/..//evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example",
        "https://evil.example",
        "https://evil.example/app.example.org",
        "https://cloud.example.org@evil.example",
        "https://app.example.org@evil.example/",
        "https://app.example.org:x@evil.example/",
        "https://app.example.org.evil.example",
        "https://evil.example#app.example.org",
        "https://evil.example\\@app.example.org",
        "https://app.example.org\\.evil.example",
        "https://app.example.org%2eevil.example",
        "https://evil.example?https://app.example.org",
        "https://app.example.org:8443/",
        "https://wiki.example.org/",
        "https://app.example.org//x",
        "https://app.example.org/\u{0}",
        "https://app\u{3002}example.org",
        "HTTPS://evil.example",
        "http://app.example.org/",
        "http://cloud.example.org/",
        "http://cloud.example.org:8443/",
        "https://cloud.example.org:80/",
        "https://cloud.example.org:8443@evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "/\u{e9}",
        "/a\r\nSet-Cookie: a=b",
        "/_doorward/login?rd=/",
        "/x/../_doorward/logout",
        "https://cloud.example.org/_doorward/login",
    ] {
        assert_eq!(site().target(wanted), "https://cloud.example.org/", "{wanted:?}");
    }
    assert_eq!(site().target(&format!("/{}", "a".repeat(MAX_TARGET))), "https://cloud.example.org/");
}

proptest! {
    #[test]
    fn whatever_is_wanted_the_host_is_one_of_ours(
        wanted in r"(https?:)?[/\\]{0,3}(evil\.example|app\.example\.org|cloud\.example\.org|[@:./\\%#?\t\n a-f0-9]{0,5}){0,4}.{0,8}",
    ) {
        let target = site().target(&wanted);
        let url = Url::parse(&target).expect("a URL");
        prop_assert_eq!(url.as_str(), target.as_str());
        let known = ["cloud.example.org", "app.example.org"];
        prop_assert!(known.contains(&url.host_str().expect("a host")) && url.scheme() == "https", "{}", target);
        prop_assert!(url.username().is_empty() && !target.contains(['\\', '\r', '\n']));
    }
}

fn login_for(host: &str, target: &str) -> Option<String> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let path = Path::parse(path, Leniency::default()).expect("a path");
    let headers = HeaderMap::new();
    let (method, source) = (&Method::GET, None);
    site().login_for(&RequestInfo { method, is_https: true, host, path: &path, query, headers: &headers, source })
}

#[test]
fn a_page_of_a_host_that_is_sent_the_session_leads_to_the_login() {
    let login = "https://cloud.example.org/_doorward/login?rd=";
    assert_eq!(login_for("cloud.example.org", "/a?b=c"), Some(format!("{login}%2Fa%3Fb%3Dc")));
    assert_eq!(login_for("CLOUD.example.org:443", "/"), Some(format!("{login}%2F")));
    let port = "https%3A%2F%2Fcloud.example.org%3A8443%2Fa";
    assert_eq!(login_for("cloud.example.org:8443", "/a"), Some(format!("{login}{port}")), "cookies know no ports");
    let there = "https%3A%2F%2Fapp.example.org%2Fa";
    assert_eq!(login_for("app.example.org", "/a"), Some(format!("{login}{there}")));
    for other in ["evil.example", "app.example.org:8443", "cloud.example.org:80", "cloud.example.org@evil", ""] {
        assert_eq!(login_for(other, "/a"), None, "{other}");
    }
}

#[test]
fn a_url_with_more_than_an_origin_is_no_site() {
    for url in [
        "https://cloud.example.org/x",
        "https://u@cloud.example.org",
        "ftp://a",
        "https://a?b",
        "cloud",
        "https://other.net",
    ] {
        assert!(Site::new(url, "example.org", &[]).is_err(), "{url}");
    }
}
