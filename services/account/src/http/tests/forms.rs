use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;

use super::support::Bench;

const TOKENS: &str = "/account/tokens";

/// Row [A23](../../../../docs/security-requirements.md#a23).
#[tokio::test]
async fn created_token_works_is_shown_once_and_ends_when_revoked() {
    let bench = Bench::new().await;
    let mut browser = bench.browser("einstein");
    let created = browser.create("Phone <b>").await;
    assert_eq!(created.status, StatusCode::OK, "{}", created.page);
    let secret = created.secret();
    assert!(created.page.contains("curl -u einstein:TOKEN https://localhost:9200"), "{}", created.page);
    assert!(bench.accepts("einstein", &secret).await);

    let list = browser.get(TOKENS).await;
    assert!(!list.page.contains(&secret), "a list has no secret");
    for text in ["Phone &#60;b&#62;", "Everything that you may do", "29 November 2026", "29 December 2026"] {
        assert!(list.page.contains(text), "{text}: {}", list.page);
    }
    let (csrf, id) = (list.field("csrf", 2), list.field("id", 1));
    let revoked = browser.post("/account/tokens/revoke", &[("csrf", &csrf), ("id", &id)]).await;
    assert_eq!((revoked.status, revoked.location()), (StatusCode::SEE_OTHER, "/account/tokens?done=revoked"));
    assert!(!bench.accepts("einstein", &secret).await, "on the very next request");
    let list = browser.get(revoked.location()).await;
    assert!(list.page.contains("note success") && list.page.contains("You have no app tokens."), "{}", list.page);
    let again = browser.post("/account/tokens/revoke", &[("csrf", &csrf), ("id", &id)]).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn all_tokens_end_after_confirmation() {
    let bench = Bench::new().await;
    let mut browser = bench.browser("einstein");
    let secrets = [browser.create("one").await.secret(), browser.create("two").await.secret()];
    let of_marie = bench.browser("marie").create("hers").await.secret();
    let csrf = browser.get("/account/tokens/revoke-all").await.field("csrf", 1);
    let revoked = browser.post("/account/tokens/revoke-all", &[("csrf", &csrf)]).await;
    assert_eq!(revoked.location(), "/account/tokens?done=revoked-all");
    for secret in secrets {
        assert!(!bench.accepts("einstein", &secret).await);
    }
    assert!(bench.accepts("marie", &of_marie).await, "only the user's own");
}

/// Row [A24](../../../../docs/security-requirements.md#a24).
#[tokio::test]
async fn token_of_another_user_is_neither_listed_nor_revoked() {
    let bench = Bench::new().await;
    let mut marie = bench.browser("marie");
    let secret = marie.create("hers").await.secret();
    let id = marie.get(TOKENS).await.field("id", 1);

    let mut einstein = bench.browser("einstein");
    einstein.create("his").await;
    let list = einstein.get(TOKENS).await;
    assert!(!list.page.contains(&id) && !list.page.contains("hers"));
    let csrf = list.field("csrf", 2);
    for guess in [&*id, &secret, "", "x", "00000000-0000-0000-0000-000000000000"] {
        let reply = einstein.post("/account/tokens/revoke", &[("csrf", &csrf), ("id", guess)]).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND);
    }
    assert!(bench.accepts("marie", &secret).await);
}

/// Row [A21](../../../../docs/security-requirements.md#a21).
#[tokio::test]
async fn forged_form_changes_nothing() {
    let bench = Bench::new().await;
    let mut browser = bench.browser("einstein");
    let secret = browser.create("phone").await.secret();
    let list = browser.get(TOKENS).await;
    let (create, revoke, id) = (list.field("csrf", 1), list.field("csrf", 2), list.field("id", 1));
    let theirs = bench.browser("einstein").get(TOKENS).await.field("csrf", 2);
    let of_marie = {
        let mut marie = bench.browser("marie");
        marie.cookie.clone_from(&browser.cookie);
        marie.get(TOKENS).await.field("csrf", 1)
    };
    let path = "/account/tokens/revoke";
    for csrf in ["", "AAAAAAAAAAAAAAAAAAAAAA", &create, &theirs, &of_marie] {
        let reply = browser.post(path, &[("csrf", csrf), ("id", &id)]).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{csrf}");
    }
    let form = [("csrf", &*revoke), ("id", &id)];
    for origin in ["https://evil.example", "null", "http://localhost:9200", "https://localhost:9200.evil.example"] {
        assert_eq!(browser.post_from(origin, path, &form).await.status, StatusCode::FORBIDDEN, "{origin}");
    }
    browser.headers = vec![("sec-fetch-site", "cross-site".to_owned())];
    assert_eq!(browser.post_from("", path, &form).await.status, StatusCode::FORBIDDEN);
    browser.headers.clear();
    let cookie = browser.cookie.take();
    assert_eq!(browser.post(path, &form).await.status, StatusCode::FORBIDDEN, "a browser without the cookie");
    browser.cookie = cookie;
    assert!(bench.accepts("einstein", &secret).await);
    let forged = browser.post(TOKENS, &[("label", "x"), ("expiry", "30"), ("access", "user")]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let forged = browser.post("/account/tokens/revoke-all", &[("csrf", &revoke)]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "the token of another form");

    browser.headers = vec![("sec-fetch-site", "same-origin".to_owned())];
    let own = browser.post_from("null", path, &form).await;
    assert_eq!(own.status, StatusCode::SEE_OTHER, "a browser that hides the origin from its own pages");
}

#[tokio::test]
async fn cookie_is_for_this_host_and_no_script() {
    let bench = Bench::new().await;
    let mut browser = bench.browser("einstein");
    let reply = browser.get(TOKENS).await;
    let cookie = reply.headers[SET_COOKIE].to_str().expect("text");
    assert!(cookie.starts_with("__Host-doorward-account="), "{cookie}");
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!browser.get(TOKENS).await.headers.contains_key(SET_COOKIE), "once");
}

#[tokio::test]
async fn invalid_form_is_shown_again_with_what_was_entered() {
    let bench = Bench::new().await;
    let mut browser = bench.browser("einstein");
    let csrf = browser.get(TOKENS).await.field("csrf", 1);
    let form = [("csrf", &*csrf), ("label", "Phone"), ("expiry", "90"), ("access", "limited"), ("path", "photos")];
    let reply = browser.post(TOKENS, &form).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    for text in ["The path of a folder begins with /", "value=\"Phone\"", "value=\"photos\"", "value=\"90\" checked"] {
        assert!(reply.page.contains(text), "{text}: {}", reply.page);
    }
    // what auth-app alone refuses
    let form = [("csrf", &*csrf), ("label", "Phone"), ("expiry", "90"), ("access", "limited"), ("path", "/a/../b")];
    let reply = browser.post(TOKENS, &form).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(reply.page.contains("The token could not be created like this.") && reply.page.contains("/a/../b"));
    assert!(browser.get(TOKENS).await.page.contains("You have no app tokens."));
}

#[tokio::test]
async fn scopes_of_the_form_restrict_the_token() {
    let bench = Bench::new().await;
    let mut browser = bench.browser("einstein");
    let csrf = browser.get(TOKENS).await.field("csrf", 1);
    let form = [
        ("csrf", &*csrf),
        ("label", "Photos"),
        ("expiry", "date"),
        ("date", "2027-01-31"),
        ("access", "limited"),
        ("scope", "profile"),
        ("path", "/photos"),
        ("permission", "rw"),
    ];
    let created = browser.post(TOKENS, &form).await;
    assert_eq!(created.status, StatusCode::OK, "{}", created.page);
    let list = browser.get(TOKENS).await.page;
    for text in ["Folder /photos (read and write)", "See who you are", "31 January 2027"] {
        assert!(list.contains(text), "{text}: {list}");
    }
    assert!(!list.contains("<bdi>Everything that you may do</bdi>"));
}
