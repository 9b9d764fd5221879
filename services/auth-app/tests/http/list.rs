//! `GET`: the live tokens, page by page.

use auth_app::Tokens;
use serde_json::json;

use crate::support::{Call, Service, Session, Settings, TOKENS, text};

/// An identifier that no token has.
const UNKNOWN_ID: &str = "01912cd1-93a0-7c3e-9f0a-5b1d8e2f4c60";

#[tokio::test]
async fn without_tokens_the_list_is_empty() {
    let service = Service::new().await;
    let answer = service.by("einstein").get("").await;
    assert_eq!(answer.text, "[]");
    answer.is(200);
}

#[tokio::test]
async fn a_list_shows_identifiers_and_never_secrets() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let made = einstein.post("?expiry=72h&label=phone").await.is(200);
    let listed = einstein.get("").await.is(200);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!(listed[0]["token"], made["id"]);
    for member in ["id", "label", "created_date", "kind", "scopes", "created_by"] {
        assert_eq!(listed[0][member], made[member], "{member}");
    }
    assert!(!listed.to_string().contains(&text(&made["token"])));
}

/// Row A10.
#[tokio::test]
async fn list_shows_the_callers_own() {
    let service = Service::new().await;
    service.by("einstein").made().await;
    assert_eq!(service.by("marie").listed().await, [""; 0]);
    assert_eq!(service.by("admin").listed().await, [""; 0]);
}

#[tokio::test]
async fn a_list_has_pages() {
    let tokens = Tokens { max_tokens_per_user: 250, ..Tokens::default() };
    let service = Service::with(Settings { tokens, ..Settings::default() }).await;
    let einstein = service.by("einstein");
    let mut made = Vec::new();
    for _ in 0..250 {
        made.push(einstein.made().await.0);
    }
    made.sort();
    assert_eq!(pages(&service, &einstein, "").await, (made.clone(), vec![100, 100, 50]));
    assert_eq!(pages(&service, &einstein, "?limit=100").await, (made.clone(), vec![100, 100, 50]));
    assert_eq!(pages(&service, &einstein, "?limit=50").await, (made.clone(), vec![50; 5]), "the last page is full");
    assert_eq!(pages(&service, &einstein, "?limit=99").await.1, [99, 99, 52]);
    let behind = format!("?after={}", made[199]);
    assert_eq!(pages(&service, &einstein, &behind).await, (made[200..].to_vec(), vec![50]));
    assert_eq!(einstein.get(&format!("?after={}", made[249])).await.text, "[]");
}

/// Follows the links: all identifiers, and how many there were on each page.
async fn pages(service: &Service, session: &Session<'_>, query: &str) -> (Vec<String>, Vec<usize>) {
    let (mut ids, mut sizes) = (Vec::new(), Vec::new());
    let mut target = format!("{TOKENS}{query}");
    loop {
        let headers = [("x-access-token", session.token.as_str())];
        let answer = service.send(&Call { method: "GET", target: &target, headers: &headers, body: "" }).await;
        let page = answer.body.as_array().expect("a list");
        ids.extend(page.iter().map(|token| text(&token["id"])));
        sizes.push(page.len());
        if !answer.headers.contains_key("link") {
            return (ids, sizes);
        }
        target = next(answer.header("link"));
    }
}

/// The target of a link to the next page.
pub(crate) fn next(link: &str) -> String {
    let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(r#">; rel="next""#));
    target.unwrap_or_else(|| panic!("{link}")).to_owned()
}

#[tokio::test]
async fn head_response_links_to_the_next_page() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    einstein.made().await;
    einstein.made().await;
    let (get, head) = (einstein.get("?limit=1").await, einstein.call("HEAD", "?limit=1").await);
    assert_eq!(head.header("link"), get.header("link"));
    head.is(200);
}

#[tokio::test]
async fn invalid_page_parameters_are_refused() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    for limit in ["0", "101", "x", "", "-1", "1.5", "99999999999999999999"] {
        einstein.get(&format!("?limit={limit}")).await.blames("limit");
    }
    for after in ["x", "", "1", "01912cd1-93a0-7c3e-9f0a-5b1d8e2f4c6", "../etc"] {
        einstein.get(&format!("?after={after}")).await.blames("after");
    }
    for query in ["?limit=1&limit=1", "?page=2", "?expiry=1h"] {
        einstein.get(query).await.is(400);
    }
    assert_eq!(einstein.get(&format!("?limit=1&after={UNKNOWN_ID}")).await.is(200), json!([]));
}
