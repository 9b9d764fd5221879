use http::HeaderMap;
use proptest::prelude::*;

use super::*;
use crate::path::{Leniency, Path};

const HOST: &str = "cloud.example";

fn signed() -> Signed {
    Signed::new("the-machine-key-of-these-tests-0123".into())
}

fn now() -> SystemTime {
    OffsetDateTime::parse("2026-11-26T12:00:00Z", &Rfc3339).expect("a time").into()
}

/// What a web client makes of a path, with these parameters in place of its own.
fn url(path: &str, changes: &[(&str, &str)]) -> String {
    let usual = [
        ("OC-Credential", "einstein"),
        ("OC-Date", "2026-11-26T11:59:00.000Z"),
        ("OC-Expires", "1200"),
        ("OC-Verb", "GET"),
    ];
    let value = |name, usual| changes.iter().find(|(changed, _)| *changed == name).map_or(usual, |(_, value)| *value);
    let mut parameters: Vec<_> = usual.iter().map(|(name, usual)| (*name, value(*name, *usual))).collect();
    parameters.extend(changes.iter().filter(|(name, _)| usual.iter().all(|(usual, _)| usual != name)));
    parameters.sort_unstable();
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let mut out = [0; 32];
    let key = signed().keys().of("einstein");
    let text = format!("https://{HOST}{path}?{query}");
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, ROUNDS, key.expose_secret().as_bytes(), text.as_bytes(), &mut out);
    let signature = out.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    format!("{path}?{query}&OC-Signature={signature}")
}

async fn verified(method: &str, host: &str, url: &str) -> Result<String, Failure> {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let path = Path::parse(path, Leniency::default()).expect("a path");
    let (method, headers) = (method.parse().expect("a method"), HeaderMap::new());
    let asked = Asked { method: &method, is_https: true, host, path: &path, query, headers: &headers, source: None };
    signed().verify(&asked, now()).await.map(|credentials| credentials.client_id)
}

#[tokio::test]
async fn what_was_signed_opens_and_nothing_else_does() {
    let good = url("/dav/spaces/1$2/a.txt", &[]);
    assert_eq!(verified("GET", HOST, &good).await, Ok("einstein".to_owned()));
    for (method, host, url) in [
        ("HEAD", HOST, good.clone()),
        ("PUT", HOST, good.clone()),
        ("GET", "evil.example", good.clone()),
        ("GET", HOST, good.replace("a.txt", "b.txt")),
        ("GET", HOST, good.replace("einstein", "marie")),
        ("GET", HOST, good.replace("1200", "1201")),
        ("GET", HOST, format!("{good}&x=1")),
        ("GET", HOST, format!("{good}&OC-Signature=00")),
        ("GET", HOST, good.replace("OC-Signature=", "OC-Signature=0")),
        ("GET", HOST, url("/a", &[("OC-Verb", "PUT")])),
        ("GET", HOST, url("/a", &[("OC-Date", "2026-11-26T11:00:00Z")])),
        ("GET", HOST, url("/a", &[("OC-Date", "2026-11-26T12:05:00Z")])),
        ("GET", HOST, url("/a", &[("OC-Expires", "100000")])),
        ("GET", HOST, url("/a", &[("OC-Expires", "-1")])),
        ("GET", HOST, url("/a", &[("OC-Credential", "")])),
    ] {
        assert_eq!(verified(method, host, &url).await, Err(Failure::Invalid), "{method} {host} {url}");
    }
}

#[tokio::test]
async fn other_parameters_are_signed_too() {
    let good = url("/a", &[("preview", "1"), ("x", "a b")]);
    assert_eq!(verified("GET", HOST, &good).await, Ok("einstein".to_owned()));
    assert_eq!(verified("GET", HOST, &good.replace("preview=1", "preview=0")).await, Err(Failure::Invalid));
}

#[tokio::test]
async fn a_dollar_may_have_been_encoded_before_it_was_signed() {
    let good = url("/dav/spaces/1%242/a.txt", &[]);
    assert_eq!(verified("GET", HOST, &good.replacen("%24", "$", 1)).await, Ok("einstein".to_owned()));
}

#[test]
fn each_person_has_a_key() {
    let keys = signed();
    assert_ne!(keys.keys().of("einstein").expose_secret(), keys.keys().of("marie").expose_secret());
    assert_eq!(keys.keys().of("einstein").expose_secret().len(), 43);
}

proptest! {
    #[test]
    fn any_query_is_read(query in "[ -~]{0,80}") {
        let (path, headers) = (Path::parse("/a", Leniency::default()).expect("a path"), HeaderMap::new());
        let (method, query) = (Method::GET, Some(query.as_str()));
        let asked = Asked { method: &method, is_https: true, host: HOST, path: &path, query, headers: &headers, source: None };
        prop_assert!(Claim::read(&asked, now()).is_none());
    }
}
