use axum::body::to_bytes;
use http::HeaderName;
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, ETAG, STRICT_TRANSPORT_SECURITY,
    WWW_AUTHENTICATE,
};

use super::*;

const HTML: (HeaderName, &str) = (ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8");

fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
}

fn pages() -> Pages {
    Pages::new(&PageSettings::default())
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.expect("a body").to_vec()).expect("text")
}

#[test]
fn only_a_browser_that_shows_a_page_is_a_viewer() {
    let fetch_mode = |mode| (HeaderName::from_static("sec-fetch-mode"), mode);
    let script = (HeaderName::from_static("x-requested-with"), "XMLHttpRequest");
    let is_viewer = |method: &str, pairs: &[(HeaderName, &'static str)]| {
        Viewer::of(&method.parse().expect("a method"), &headers(pairs)).is_some()
    };
    for method in ["GET", "HEAD", "POST"] {
        assert!(is_viewer(method, &[HTML]) && is_viewer(method, &[HTML, fetch_mode("navigate")]), "{method}");
        assert!(!is_viewer(method, &[HTML, fetch_mode("cors")]) && !is_viewer(method, &[HTML, script.clone()]));
    }
    for method in ["PUT", "DELETE", "PROPFIND", "OPTIONS", "MKCOL"] {
        assert!(!is_viewer(method, &[HTML]), "{method}");
    }
    for accept in ["*/*", "", "application/json", "text/*", "application/xhtml+xml", "text/html;q=0, */*"] {
        assert!(!is_viewer("GET", &[(ACCEPT, accept)]), "{accept}");
    }
    assert!(!is_viewer("GET", &[]), "programs without Accept");
    assert!(is_viewer("GET", &[(ACCEPT, "application/json, Text/HTML;q=0.5")]));
}

#[tokio::test]
async fn refusal_is_a_page_for_browsers_and_stays_as_it_is_for_programs() {
    let refusal = || {
        let mut refusal = Refusal::new(StatusCode::UNAUTHORIZED, "authentication is required\n");
        for challenge in ["Bearer realm=\"a\"", "Basic realm=\"a\""] {
            refusal.headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        refusal
    };
    let program = pages().refuse(refusal(), None);
    assert_eq!(program.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(text(program).await, "authentication is required\n");

    let id = (HeaderName::from_static("x-request-id"), "request-7");
    for (language, title) in
        [("en", "Sign-in is required"), ("de-AT", "Anmeldung erforderlich"), ("fr", "Une connexion est nécessaire")]
    {
        let headers = headers(&[HTML, (ACCEPT_LANGUAGE, language), id.clone()]);
        let viewer = Viewer::of(&Method::GET, &headers);
        let page = pages().refuse(refusal(), viewer.as_ref());
        assert_eq!(page.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(page.headers().get_all(WWW_AUTHENTICATE).iter().count(), 2, "challenges are the same");
        assert_eq!(page.headers().get_all(CONTENT_TYPE).iter().collect::<Vec<_>>(), ["text/html; charset=utf-8"]);
        assert_eq!(page.headers()[CONTENT_LANGUAGE], language[..2]);
        assert_eq!(page.headers()[CACHE_CONTROL], "no-store");
        assert!(!page.headers().contains_key(STRICT_TRANSPORT_SECURITY));
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().expect("text").to_owned();
        assert!(policy.contains("form-action 'self'") && !policy.contains("script-src"), "{policy}");
        let html = text(page).await;
        for part in [title, "request-7", "authentication is required", "/_doorward/static/style.css?v="] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}

#[tokio::test]
async fn unknown_page_leads_to_the_front_page() {
    let viewer = Viewer::of(&Method::GET, &headers(&[HTML]));
    let html = text(pages().refuse(Refusal::not_found(), viewer.as_ref())).await;
    assert!(html.contains("Page not found") && html.contains("<a class=\"button\" href=\"/\">"), "{html}");
}

#[tokio::test]
async fn redirects_and_answers_to_dav_clients_are_not_replaced() {
    let viewer = Viewer::of(&Method::GET, &headers(&[HTML]));
    let redirect = pages().refuse(Refusal::redirect("https://a.example/login"), viewer.as_ref());
    assert_eq!(
        (redirect.status(), &redirect.headers()[CONTENT_TYPE]),
        (StatusCode::FOUND, &"text/plain; charset=utf-8".parse().expect("a value"))
    );
    let mut dav = Refusal::new(StatusCode::UNAUTHORIZED, "<d:error/>");
    dav.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    assert_eq!(text(pages().refuse(dav, viewer.as_ref())).await, "<d:error/>");
}

#[tokio::test]
async fn question_about_signing_out_says_where_its_form_comes_from() {
    let response = pages().sign_out(&headers(&[(ACCEPT_LANGUAGE, "fr")]));
    assert_eq!(response.headers()[REFERRER_POLICY], "same-origin");
    let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().expect("text").to_owned();
    assert!(!policy.contains("form-action") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let html = text(response).await;
    assert!(html.contains("<form method=\"post\" action=\"/_doorward/logout\">") && html.contains("Se déconnecter"));
}

#[tokio::test]
async fn notices_have_their_status_and_link() {
    let cases = [
        (Notice::SignInUnavailable, 503, None),
        (Notice::SignInFailed(StatusCode::FORBIDDEN), 403, Some("/_doorward/login")),
        (Notice::SignInUnknown, 400, Some("/_doorward/login")),
        (Notice::SignedOut, 200, Some("/")),
        (Notice::CrossSite, 403, None),
        (Notice::SignOutFailed, 503, None),
    ];
    let headers = headers(&[(HeaderName::from_static("x-request-id"), "request-7")]);
    for (notice, status, link) in cases {
        let response = pages().notice(notice, &headers);
        assert_eq!(response.status(), status, "{notice:?}");
        let html = text(response).await;
        let found = html.split("class=\"button\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
        assert_eq!((found, html.contains("request-7")), (link, status != 200), "{notice:?}: {html}");
    }
}

#[tokio::test]
async fn files_are_read_only() {
    let pages = pages();
    let get = |path: &str| pages.file(path, &Method::GET, None, &HeaderMap::new());
    assert!(get("/_doorward/static/style.css").headers().contains_key(ETAG));
    assert_eq!(get("/_doorward/static/icon.svg").headers()[CONTENT_TYPE], "image/svg+xml");
    assert_eq!(get("/_doorward/static/none").status(), StatusCode::NOT_FOUND);
    let posted = pages.file("/_doorward/static/style.css", &Method::POST, None, &HeaderMap::new());
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn every_text_is_there_and_translated() {
    let all = Language::ALL.map(|language| {
        let table = format!("{:#?}", texts(language));
        let lines = table.lines().filter_map(|line| line.split_once('"')).map(|(_, rest)| rest.to_owned());
        lines.collect::<Vec<_>>()
    });
    let [english, others @ ..] = &all;
    assert!(english.len() > 30);
    for other in others {
        assert_eq!(other.len(), english.len());
        for (text, english) in other.iter().zip(english) {
            assert!(text != english && text.len() > 5, "{text:?}");
        }
    }
}
