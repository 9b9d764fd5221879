use super::*;
use crate::ChallengeRequest;
use crate::testing::Recorder;

fn request(method: &str, uri: &str, hosts: &[&str]) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method.parse().expect("a method");
    *request.uri_mut() = uri.parse().expect("a URI");
    for host in hosts {
        request.headers_mut().append(HOST, HeaderValue::from_str(host).expect("a value"));
    }
    request
}

fn redirected(port: RedirectPort, uri: &str, hosts: &[&str]) -> Option<String> {
    let location = location(&request("GET", uri, hosts), port)?;
    Some(location.to_str().expect("text").to_owned())
}

fn to(uri: &str, hosts: &[&str]) -> Option<String> {
    redirected(RedirectPort::Same, uri, hosts)
}

/// `docs/security-requirements.md#e17`
#[test]
fn redirect_leads_to_the_same_host_and_path() {
    assert_eq!(to("/a?b=c", &["localhost:9200"]).as_deref(), Some("https://localhost:9200/a?b=c"));
    assert_eq!(to("//evil.example/", &["a.example"]).as_deref(), Some("https://a.example//evil.example/"));
    assert_eq!(to("http://[::1]:9200/x", &["[::1]:9200"]).as_deref(), Some("https://[::1]:9200/x"));
    for hosts in [&[][..], &["a", "b"], &["user@evil.example"], &[""], &["a b"], &["a/b"], &["a\"b"], &[":9200"]] {
        assert_eq!(to("/", hosts), None, "{hosts:?}");
    }
    assert_eq!(to("http://evil.example/", &["a.example"]), None);
    assert_eq!(to("*", &["a.example"]), None);
    assert_eq!(to("a.example:443", &["a.example:443"]), None, "CONNECT");
}

#[test]
fn redirect_from_a_port_of_its_own_has_the_port_of_https() {
    for (host, port, url) in [
        ("a.example", 443, "https://a.example/x"),
        ("a.example:80", 443, "https://a.example/x"),
        ("a.example:8080", 9200, "https://a.example:9200/x"),
        ("[::1]:80", 9200, "https://[::1]:9200/x"),
    ] {
        assert_eq!(redirected(RedirectPort::Of(port), "/x", &[host]).as_deref(), Some(url));
    }
}

/// `docs/security-requirements.md#e41`
#[tokio::test]
async fn challenge_path_answers_tokens_of_the_running_order_and_redirects_none() {
    let issued = IssuedCertificate::new("TEST", |request| async move {
        (request == ChallengeRequest::Http { token: "known".into() }).then(|| "known.thumbprint".to_owned())
    });
    let path = |rest: &str| format!("{CHALLENGES}{rest}");
    let respond = async |method: &str, uri: &str, issued| {
        let request = request(method, uri, &["a.example"]);
        let response = answer(&request, RedirectPort::Of(443), issued).await;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1024).await.expect("a body");
        (parts.status.as_u16(), parts.headers.get(LOCATION).cloned(), String::from_utf8_lossy(&body).into_owned())
    };
    let found = respond("GET", &path("known"), Some(&issued)).await;
    assert_eq!(found, (200, None, "known.thumbprint".to_owned()));
    for (method, rest) in
        [("GET", "other"), ("GET", ""), ("GET", "known/"), ("GET", "../known"), ("GET", "%6bnown"), ("POST", "known")]
    {
        let refused = respond(method, &path(rest), Some(&issued)).await;
        assert_eq!(refused, (404, None, String::new()), "{method} {rest}");
    }
    assert_eq!(respond("GET", "/x", Some(&issued)).await.0, 308);
    assert_eq!(respond("GET", &path("known"), None).await.0, 308, "another server may be the client of an authority");
}

/// `docs/security-requirements.md#t5`
#[tokio::test]
async fn line_of_the_access_log_has_nothing_of_the_path() {
    let plain_http = |logged| PlainHttp {
        service: "echo",
        port: RedirectPort::Same,
        issued: None,
        logged,
        source: Some("192.0.2.7".parse().expect("an address")),
    };
    for (uri, path) in [("/a-secret?code=a-secret", OTHER), ("/.well-known/acme-challenge/a-secret", CHALLENGE)] {
        let (recorder, _guard) = Recorder::here();
        let request = request("GET", uri, &["a.example"]);
        assert_eq!(plain_http(LoggedRequests::None).respond(&request).await.status(), 308);
        assert_eq!(recorder.values("path").len(), 0);
        assert_eq!(plain_http(LoggedRequests::AllButProbes).respond(&request).await.status(), 308);
        let line = ["service", "method", "path", "status", "source"].map(|field| recorder.values(field));
        assert_eq!(line, ["echo", "GET", path, "308", "192.0.2.7"].map(|value| [value]));
        assert!(!recorder.has("a-secret"));
    }
}
