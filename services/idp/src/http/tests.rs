use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, COOKIE, ORIGIN,
};
use axum::http::{HeaderMap, Request};
use tower::ServiceExt;

use super::*;
use crate::endpoints::page;
use crate::testing::Bench;

const EVIL: &str = "https://evil.example";

/// The headers of the answers to a preflight and to the request itself.
async fn answers(router: &Router, method: &str, path: &str, origin: &str) -> [HeaderMap; 2] {
    let request = |method: &str| Request::builder().method(method).uri(path).header(ORIGIN, origin);
    let preflight = request("OPTIONS")
        .header(ACCESS_CONTROL_REQUEST_METHOD, method)
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type,dpop,mcp-protocol-version");
    let plain = request(method).header(COOKIE, "__Host-doorward-session=x");
    let mut answered = Vec::new();
    for request in [preflight, plain] {
        let request = request.body(Body::empty()).expect("a request");
        answered.push(router.clone().oneshot(request).await.expect("answers").into_parts().0.headers);
    }
    answered.try_into().expect("two answers")
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

/// What programs call at every site, by what method.
fn of_programs(provider: &Provider) -> Vec<(&'static str, String)> {
    let mut all = vec![("GET", page::WEBFINGER.to_owned())];
    for endpoints in &provider.issuers {
        let paths = endpoints.paths;
        all.extend([paths.discovery, paths.metadata, paths.jwks, paths.userinfo].map(|path| ("GET", path.to_owned())));
        all.extend(paths.inserted_discovery.map(|path| ("GET", path.to_owned())));
        let posted = [paths.token, paths.userinfo, paths.revocation, paths.pushed, paths.device, paths.registration];
        all.extend(posted.map(|path| ("POST", path.to_owned())));
        all.extend(["GET", "PUT", "DELETE"].map(|method| (method, format!("{}/x", paths.registration))));
    }
    all
}

/// What people see, and what is no page's business.
fn of_people(provider: &Provider) -> Vec<(&'static str, &'static str)> {
    let mut all = vec![("GET", page::SIGN_IN), ("GET", page::GOODBYE), ("GET", page::CONSENTS), ("GET", page::DEVICE)];
    all.extend([page::SECURITY, page::SECURITY_APP, page::SECURITY_REMOVE].map(|path| ("GET", path)));
    all.extend(page::OUT_OF_BAND.map(|path| ("GET", path)));
    all.extend(["/signin/v1/static/style.css", "/signin/v1/static/icon.svg"].map(|path| ("GET", path)));
    let forms = [
        page::LOGON,
        page::CANCEL,
        page::FACTOR,
        page::ENROL,
        page::CONSENT,
        page::ACCOUNT,
        page::SIGN_OUT,
        page::CONSENTS,
        page::DEVICE,
        page::SECURITY_APP,
        page::SECURITY_REMOVE,
        page::SECURITY_CODES,
        page::SECURITY_DEVICES,
    ];
    all.extend(forms.map(|path| ("POST", path)));
    for endpoints in &provider.issuers {
        let paths = endpoints.paths;
        for path in [paths.authorization, paths.end_session] {
            all.extend([("GET", path), ("POST", path)]);
        }
        all.extend([("GET", paths.check_session), ("POST", paths.introspection)]);
    }
    all.push(("GET", "/nothing"));
    all
}

#[tokio::test]
async fn i20_no_page_may_call_the_authorization_endpoint_or_what_people_see() {
    for origins in [vec!["*"], vec![EVIL]] {
        let bench = Bench::with(|config| {
            config.open_registration = true;
            config.http.cors.allow_origins = origins.into_iter().map(str::to_owned).collect();
        });
        let bench = bench.await;
        let router = all(&bench.provider, "idp");
        for (method, path) in of_people(&bench.provider) {
            for headers in answers(&router, method, path, EVIL).await {
                let granted = headers.keys().find(|name| name.as_str().starts_with("access-control-"));
                assert_eq!(granted, None, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn i20_pages_may_call_what_programs_call_and_never_with_credentials() {
    for (origins, allowed) in [(vec!["*"], "*"), (vec!["https://app.example", EVIL], EVIL)] {
        let bench = Bench::with(|config| {
            config.open_registration = true;
            config.http.cors.allow_origins = origins.into_iter().map(str::to_owned).collect();
            config.http.cors.allow_credentials = true;
        });
        let bench = bench.await;
        let router = all(&bench.provider, "idp");
        for (method, path) in of_programs(&bench.provider) {
            let [preflight, plain] = answers(&router, method, &path, EVIL).await;
            for headers in [&preflight, &plain] {
                assert_eq!(text(headers, &ACCESS_CONTROL_ALLOW_ORIGIN), allowed, "{method} {path}");
                assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS), "{method} {path}");
            }
            assert!(text(&preflight, &ACCESS_CONTROL_ALLOW_METHODS).contains(method), "{method} {path}");
            let sent = text(&preflight, &ACCESS_CONTROL_ALLOW_HEADERS);
            let needed = ["authorization", "content-type", "dpop", "mcp-protocol-version"];
            assert!(needed.iter().all(|name| sent.contains(name)), "{sent}");
            let read = text(&plain, &ACCESS_CONTROL_EXPOSE_HEADERS);
            assert!(["www-authenticate", "dpop-nonce"].iter().all(|name| read.contains(name)), "{read}");
        }
    }
}

#[tokio::test]
async fn i20_other_origins_than_the_named_ones_are_granted_nothing() {
    let bench = Bench::with(|config| config.http.cors.allow_origins = vec!["https://app.example".to_owned()]).await;
    let router = all(&bench.provider, "idp");
    let token = bench.endpoints().paths.token;
    for headers in answers(&router, "POST", token, EVIL).await {
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}

async fn json_of(router: &Router, method: &str, path: &str) -> (u16, serde_json::Value) {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(Body::empty());
    let response = router.clone().oneshot(request.expect("a request")).await.expect("answers");
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn json_error_of_cells_has_status_code_and_that_of_the_other_profile_has_none() {
    let bench = Bench::with(|config| config.open_registration = true).await;
    for router in [all(&bench.provider, "idp"), for_certificates(&bench.provider)] {
        for endpoints in &bench.provider.issuers {
            let paths = endpoints.paths;
            let posted = [paths.token, paths.revocation, paths.introspection, paths.pushed, paths.device];
            let posted = posted.map(|path| ("POST", path.to_owned()));
            let managed = format!("{}/x", paths.registration);
            for (method, path) in posted.into_iter().chain([("GET", paths.userinfo.to_owned()), ("GET", managed)]) {
                let (status, body) = json_of(&router, method, &path).await;
                if status == 404 {
                    // registration is not served to clients with certificates
                    continue;
                }
                let wanted = path.starts_with("/oidc/").then(|| serde_json::json!(status));
                assert_eq!((body.get("status_code").cloned(), body["error"].is_string()), (wanted, true), "{path}");
                assert!(status >= 400, "{path}");
            }
            let (status, body) = json_of(&router, "GET", paths.discovery).await;
            assert!(status != 200 || body.get("status_code").is_none(), "what is no error stays as it is");
        }
    }
}

#[tokio::test]
async fn get_on_the_url_of_a_form_leads_to_the_sign_in() {
    let bench = Bench::new().await;
    for path in [page::LOGON, page::CANCEL, page::FACTOR, page::ENROL, page::CONSENT, page::ACCOUNT, page::SIGN_OUT] {
        let reply = bench.get(&mut crate::testing::Browser::default(), path, &[]).await;
        let led = reply.location().is_some_and(|to| to.starts_with("https://cloud.example/signin/v1/identifier?flow="));
        assert!(reply.status == 303 && led, "{path}: {reply:?}");
    }
}
