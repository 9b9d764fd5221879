use serde_json::json;

use super::*;
use crate::testing::Bench;

const BACK: &str = "https://app.example/back";

/// The redirect URI of a request, or the code of the page that rejects it.
async fn found(bench: &Bench, client: &str, redirect_uri: Option<&str>) -> Result<String, ErrorCode> {
    let client = bench.provider.clients.find(client).await.expect("asks").expect("is known");
    let parameters = [("client_id", Some(client.id.as_str())), ("redirect_uri", redirect_uri)];
    let parameters = parameters.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    match find(&client, &parameters.collect::<Vec<_>>()) {
        Ok(redirect) => Ok(redirect.as_str().to_owned()),
        Err(Rejection::Page(error)) => Err(error.code),
        Err(other) => panic!("{other:?}"),
    }
}

/// Rows I1 and I3.
#[tokio::test]
async fn redirect_uri_that_is_not_registered_is_rejected_by_a_page() {
    let bench = Bench::new().await;
    bench.add("app", &json!({})).await;
    assert_eq!(found(&bench, "app", Some(BACK)).await.as_deref(), Ok(BACK));
    for other in ["https://app.example/back/other", "https://app.example/BACK", "https://evil.example/back"] {
        assert_eq!(found(&bench, "app", Some(other)).await, Err(ErrorCode::InvalidRequest), "{other}");
    }
}

#[tokio::test]
async fn request_without_redirect_uri_means_the_only_registered_one() {
    let bench = Bench::new().await;
    bench.add("app", &json!({})).await;
    bench.add("two", &json!({ "redirect_uris": [BACK, "https://app.example/other"] })).await;
    assert_eq!(found(&bench, "app", None).await.as_deref(), Ok(BACK));
    assert_eq!(found(&bench, "two", None).await, Err(ErrorCode::InvalidRequest));
}
