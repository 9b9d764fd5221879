//! `DELETE` by the query.

use crate::support::Service;

#[tokio::test]
async fn a_token_is_deleted_by_its_id() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let ((id, secret), (other, _)) = (einstein.made().await, einstein.made().await);
    let answer = einstein.delete(&format!("?token={id}")).await;
    assert_eq!(answer.text, "");
    answer.is(200);
    assert!(!service.accepts("einstein", &secret).await);
    assert_eq!(einstein.listed().await, [other]);
}

#[tokio::test]
async fn a_token_is_deleted_by_its_secret_as_is_documented() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (_, secret) = einstein.made().await;
    einstein.delete(&format!("?token={secret}")).await.is(200);
    assert!(!service.accepts("einstein", &secret).await);
    assert_eq!(einstein.listed().await, [""; 0]);
}

#[tokio::test]
async fn a_token_is_deleted_once() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (id, secret) = einstein.made().await;
    einstein.delete(&format!("?token={id}")).await.is(200);
    einstein.delete(&format!("?token={id}")).await.is(404);
    einstein.delete(&format!("?token={secret}")).await.is(404);
}

/// Row A10.
#[tokio::test]
async fn another_users_token_is_not_found_and_stays_valid() {
    let service = Service::new().await;
    let marie = service.by("marie");
    let (id, secret) = marie.made().await;
    for name in ["einstein", "admin"] {
        let other = service.by(name);
        for which in [&id, &secret] {
            other.delete(&format!("?token={which}")).await.is(404);
        }
        other.delete(&format!("/{id}")).await.is(404);
    }
    assert!(service.accepts("marie", &secret).await);
    assert_eq!(marie.listed().await, [id]);
}

/// Row A10.
#[tokio::test]
async fn another_users_token_and_an_unknown_one_get_the_same_response() {
    let service = Service::new().await;
    let (id, secret) = service.by("marie").made().await;
    let einstein = service.by("einstein");
    let mut answers = Vec::new();
    for which in [id.as_str(), secret.as_str(), "01912cd1-93a0-7c3e-9f0a-5b1d8e2f4c60", "nonsense"] {
        let answer = einstein.delete(&format!("?token={which}")).await;
        answers.push((answer.status, answer.text));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn which_token_has_to_be_said() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (id, _) = einstein.made().await;
    einstein.delete("").await.blames("token");
    einstein.delete("?token=").await.blames("token");
    einstein.delete(&format!("?Token={id}")).await.blames("Token");
    einstein.delete(&format!("?token={id}&token={id}")).await.blames("token");
    einstein.delete(&format!("?token={id}&all=true")).await.blames("all");
    assert_eq!(einstein.listed().await, [id]);
}

#[tokio::test]
async fn malformed_token_is_not_found() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    for which in ["x", "%00", "dwa_", "dwa_3s2K7816M4vuSpd5EyudDGAJ18bBf5000000", "%27%20OR%201=1--", "%F0%9F%94%91"] {
        einstein.delete(&format!("?token={which}")).await.is(404);
    }
}
