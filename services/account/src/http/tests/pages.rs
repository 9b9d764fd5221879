use authn::User;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, REFERRER_POLICY, WWW_AUTHENTICATE, X_FRAME_OPTIONS,
};

use super::support::Bench;

const PAGES: [&str; 9] = [
    "/account",
    "/account/applications",
    "/account/tokens",
    "/account/tokens/revoke-all",
    "/account/sessions",
    "/account/sessions/end-all",
    "/account/connected",
    "/account/activity",
    "/account/nothing",
];

/// Row [A20](../../../../docs/security-requirements.md#a20).
#[tokio::test]
async fn request_without_internal_token_is_401() {
    let bench = Bench::new().await;
    for path in PAGES {
        let reply = bench.stranger().get(path).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(reply.headers[WWW_AUTHENTICATE], "Bearer");
        let mut forger = bench.stranger();
        forger.headers = vec![("x-access-token", "eyJhbGciOiJub25lIn0.e30.".to_owned())];
        assert_eq!(forger.get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
        forger.headers = vec![("authorization", "Basic ZWluc3RlaW46cmVsYXRpdml0eQ==".to_owned())];
        assert_eq!(forger.get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let forged = bench.stranger().post("/account/tokens", &[("label", "a"), ("expiry", "30")]).await;
    assert_eq!(forged.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.stranger().get("/account/style.css").await.status, StatusCode::OK, "the stylesheet is public");
}

/// Row [A20](../../../../docs/security-requirements.md#a20).
#[tokio::test]
async fn restricted_credentials_see_no_page_and_app_tokens_no_tokens() {
    let bench = Bench::new().await;
    for scopes in [&["profile"][..], &["path:/photos:rw"], &["tokens:write"]] {
        for path in PAGES {
            let reply = bench.restricted("app", scopes).get(path).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{scopes:?} {path}");
        }
    }
    let mut with_app_token = bench.restricted("app", &["user"]);
    assert_eq!(with_app_token.get("/account").await.status, StatusCode::OK);
    assert_eq!(with_app_token.get("/account/tokens").await.status, StatusCode::FORBIDDEN);
}

/// Row [A22](../../../../docs/security-requirements.md#a22).
#[tokio::test]
async fn pages_are_in_no_frame_and_in_no_cache() {
    let bench = Bench::new().await;
    let mut browser = bench.browser("einstein");
    for path in PAGES {
        let reply = browser.get(path).await;
        assert_eq!(reply.headers[CACHE_CONTROL], "no-store", "{path}");
        assert_eq!(reply.headers[X_FRAME_OPTIONS], "DENY", "{path}");
        assert_eq!(reply.headers[REFERRER_POLICY], "same-origin", "{path}");
        let policy = reply.headers[CONTENT_SECURITY_POLICY].to_str().expect("text");
        let directives = ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"];
        assert!(directives.iter().all(|directive| policy.contains(directive)), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
    let created = browser.create("phone").await;
    assert_eq!((created.status, &created.headers[CACHE_CONTROL]), (StatusCode::OK, &"no-store".parse().expect("text")));
}

#[tokio::test]
async fn overview_shows_what_the_directory_knows() {
    let bench = Bench::new().await;
    bench.change("einstein", |user| User {
        display_name: "Albert <Einstein>".to_owned(),
        mail: "einstein@example.org".to_owned(),
        groups: vec!["physicists".to_owned()],
        roles: vec![authn::role::USER.to_owned(), "a-role-of-another-system".to_owned()],
        ..user
    });
    let reply = bench.browser("einstein").get("/account").await;
    assert_eq!(reply.status, StatusCode::OK);
    for text in ["Albert &#60;Einstein&#62;", "einstein@example.org", "physicists", "User", "a-role-of-another-system"]
    {
        assert!(reply.page.contains(text), "{text}: {}", reply.page);
    }
    assert!(reply.page.contains("href=\"/_doorward/logout\"") && reply.page.contains("aria-current=\"page\">Overview"));
}

#[tokio::test]
async fn overview_falls_back_to_the_internal_token() {
    let bench = Bench::new().await;
    bench.directory.remove("einstein");
    assert!(bench.browser("einstein").get("/account").await.page.contains("<bdi>einstein</bdi>"));
    bench.directory.fail_lookups(Some(|| authn::DirectoryError::Unavailable("gone".into())));
    assert!(bench.browser("marie").get("/account").await.page.contains("<bdi>marie</bdi>"));
}

#[tokio::test]
async fn front_page_lists_the_applications_of_the_user() {
    let applications = "applications:\n\
                        - { name: Files, url: /files, description: Your <files> }\n\
                        - { name: Lab, url: 'https://lab.example', groups: [physicists] }\n";
    let bench = Bench::with(true, applications).await;
    bench.change("marie", |user| User { groups: vec!["physicists".to_owned()], ..user });
    let of_marie = bench.browser("marie").get("/account/applications").await.page;
    assert!(of_marie.contains("<a href=\"/files\">") && of_marie.contains("<a href=\"https://lab.example\">"));
    assert!(of_marie.contains("Your &#60;files&#62;"));
    let of_einstein = bench.browser("einstein").get("/account/applications").await.page;
    assert!(of_einstein.contains("<a href=\"/files\">") && !of_einstein.contains("lab.example"));
}

#[tokio::test]
async fn without_auth_app_there_are_no_token_pages() {
    let bench = Bench::with(false, "").await;
    let mut browser = bench.browser("einstein");
    let overview = browser.get("/account").await;
    assert_eq!(overview.status, StatusCode::OK);
    assert!(!overview.page.contains("/account/tokens"));
    assert_eq!(browser.get("/account/tokens").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn navigation_leads_to_sign_in_methods_where_idp_has_them() {
    const LINK: &str = "<a href=\"/signin/v1/security\">Sign-in methods</a>";
    let overview = async |bench: Bench| bench.browser("einstein").get("/account").await.page;
    assert!(overview(Bench::new().await).await.contains(LINK));
    assert!(!overview(Bench::with(false, "").await).await.contains(LINK), "without idp");
}

#[tokio::test]
async fn pages_speak_the_language_of_the_browser() {
    let bench = Bench::new().await;
    for (language, title) in [("de-AT,en;q=0.5", "Ihr Konto"), ("fr", "Votre compte"), ("nl", "Your account")] {
        let mut browser = bench.browser("einstein");
        browser.headers = vec![("accept-language", language.to_owned())];
        let reply = browser.get("/account").await;
        assert!(reply.page.contains(&format!("<h1>{title}</h1>")), "{language}");
        let tag = if language == "nl" { "en" } else { &language[..2] };
        assert_eq!(reply.headers[CONTENT_LANGUAGE], tag);
    }
}
