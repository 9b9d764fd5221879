//! How much one may ask for.

use serde_json::json;

use crate::support::Service;

/// Row A12.
#[tokio::test]
async fn person_has_a_hundred_tokens_at_most() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    for _ in 0..99 {
        einstein.made().await;
    }
    let (id, _) = einstein.made().await;
    einstein.post("?expiry=72h").await.is(409);
    einstein.json("POST", "", &json!({})).await.is(409);
    assert_eq!(einstein.listed().await.len(), 100);
    service.by("marie").made().await;
    einstein.delete(&format!("/{id}")).await.is(204);
    einstein.made().await;
}

/// Row A12.
#[tokio::test]
async fn label_is_one_short_line() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let long = "x".repeat(129);
    for label in [long.as_str(), "two%0Alines", "two%0D%0Alines", "%00", "%1B[31m", "%C2%85"] {
        einstein.post(&format!("?expiry=1h&label={label}")).await.blames("label");
    }
    assert_eq!(einstein.listed().await, [""; 0]);
    let umlauts = "ä".repeat(128);
    let made = einstein.post(&format!("?expiry=1h&label={}", "%C3%A4".repeat(128))).await.is(200);
    assert_eq!(made["label"], umlauts.as_str());
}

/// Row A12.
#[tokio::test]
async fn label_of_a_megabyte_is_too_long() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let label = "x".repeat(1024 * 1024 - 100);
    let answer = einstein.json("POST", "", &json!({ "label": label })).await;
    answer.blames("label");
    assert!(answer.text.len() < 1024, "{}", answer.text.len());
}

/// Row A12.
#[tokio::test]
async fn markup_in_a_label_is_text() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let answer = einstein.post("?expiry=1h&label=%3Cscript%3Ealert(%22x%22)%3C/script%3E").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.is(200)["label"], "<script>alert(\"x\")</script>");
    assert_eq!(einstein.get("").await.is(200)[0]["label"], "<script>alert(\"x\")</script>");
}

#[tokio::test]
async fn a_body_of_two_mebibytes_is_too_long() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (id, _) = einstein.made().await;
    let body = json!({ "label": "x".repeat(2 * 1024 * 1024) });
    einstein.json("POST", "", &body).await.is(413);
    einstein.json("PATCH", &format!("/{id}"), &body).await.is(413);
    assert_eq!(einstein.listed().await, [id]);
}
