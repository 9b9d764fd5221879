//! The form of signed URLs.

use http::HeaderMap;
use proptest::prelude::*;

use crate::path::{Leniency, Path};
use crate::signed_url::*;

const HOST: &str = "cloud.example";
const KEY: &[u8] = b"a-key-of-these-tests";

fn now() -> SystemTime {
    OffsetDateTime::parse("2026-11-26T12:00:00Z", &Rfc3339).expect("a time").into()
}

/// What a web client makes of a path and query, with these parameters in place of its own.
fn url(target: &str, changes: &[(&str, &str)]) -> String {
    let value = |name, usual| changes.iter().find(|(changed, _)| *changed == name).map_or(usual, |(_, value)| *value);
    let usual = [
        ("OC-Credential", "einstein"),
        ("OC-Date", "2026-11-26T11:59:00.000Z"),
        ("OC-Expires", "1200"),
        ("OC-Verb", "GET"),
    ];
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form_urlencoded::parse(query.as_bytes()))
        .extend_pairs(usual.map(|(name, usual)| (name, value(name, usual))))
        .finish();
    let signature = sign(KEY, &format!("https://{HOST}{path}?{query}"));
    format!("{path}?{query}&OC-Algo=PBKDF2%2F10000-SHA512&OC-Signature={signature}")
}

pub(super) fn sign(key: &[u8], text: &str) -> String {
    let mut out = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, ROUNDS, key, text.as_bytes(), &mut out);
    out.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The login of a URL that is signed correctly.
fn signer(method: &str, host: &str, url: &str) -> Option<String> {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let path = Path::parse(path, Leniency::default()).expect("a path");
    let (method, headers) = (method.parse().expect("a method"), HeaderMap::new());
    let info =
        RequestInfo { method: &method, is_https: true, host, path: &path, query, headers: &headers, source: None };
    UnverifiedUrl::read(&info, now()).filter(|url| url.is_signed_with(KEY)).map(|url| url.login)
}

#[test]
fn what_was_signed_opens_and_nothing_else_does() {
    let good = url("/dav/spaces/1$2/a.txt", &[]);
    assert_eq!(signer("GET", HOST, &good).as_deref(), Some("einstein"));
    for (method, host, url) in [
        ("HEAD", HOST, good.clone()),
        ("PUT", HOST, good.clone()),
        ("GET", "evil.example", good.clone()),
        ("GET", HOST, good.replace("a.txt", "b.txt")),
        ("GET", HOST, good.replace("einstein", "marie")),
        ("GET", HOST, good.replace("1200", "1201")),
        ("GET", HOST, format!("{good}&x=1")),
        ("GET", HOST, format!("{good}&OC-Signature=00")),
        ("GET", HOST, format!("{good}&OC-Credential=marie")),
        ("GET", HOST, good.replace("OC-Signature=", "OC-Signature=0")),
        ("GET", HOST, url("/a", &[("OC-Verb", "PUT")])),
        ("GET", HOST, url("/a", &[("OC-Date", "2026-11-26T11:00:00Z")])),
        ("GET", HOST, url("/a", &[("OC-Date", "2026-11-26T12:05:00Z")])),
        ("GET", HOST, url("/a", &[("OC-Expires", "100000")])),
        ("GET", HOST, url("/a", &[("OC-Expires", "-1")])),
        ("GET", HOST, url("/a", &[("OC-Credential", "")])),
    ] {
        assert_eq!(signer(method, host, &url), None, "{method} {host} {url}");
    }
}

/// Made with owncloud-sdk's steps: `OC-Algo` and `OC-Signature` are added to what was signed, behind the parameters of the file.
#[test]
fn links_of_owncloud_web_open() {
    let good = url("/dav/spaces/1$2/a.txt?preview=1&x=a+b&a=*~", &[]);
    assert_eq!(signer("GET", HOST, &good).as_deref(), Some("einstein"));
    assert_eq!(signer("GET", HOST, &good.replace("preview=1", "preview=0")), None);
    let without_algorithm = good.replace("&OC-Algo=PBKDF2%2F10000-SHA512", "");
    assert_eq!(signer("GET", HOST, &without_algorithm).as_deref(), Some("einstein"));
}

#[test]
fn a_dollar_may_have_been_encoded_before_it_was_signed() {
    let good = url("/dav/spaces/1%242/a.txt", &[]);
    assert_eq!(signer("GET", HOST, &good.replacen("%24", "$", 1)).as_deref(), Some("einstein"));
}

proptest! {
    #[test]
    fn never_panics(query in "[ -~]{0,80}") {
        let (path, headers) = (Path::parse("/a", Leniency::default()).expect("a path"), HeaderMap::new());
        let (method, query) = (Method::GET, Some(query.as_str()));
        let info = RequestInfo { method: &method, is_https: true, host: HOST, path: &path, query, headers: &headers, source: None };
        prop_assert!(UnverifiedUrl::read(&info, now()).is_none());
    }
}
