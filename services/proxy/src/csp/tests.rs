use super::*;
use crate::config::{ContentSecurityPolicy, ProxyYaml};

/// The policy of a file with this text, by these settings.
fn policy_of(text: &str, change: impl FnOnce(&mut Config, &str)) -> Result<String, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("csp.yaml");
    std::fs::write(&file, text).expect("writes");
    let mut config = Config { url: "https://cloud.example".to_owned(), ..Config::default() };
    change(&mut config, &file.display().to_string());
    let headers = Source::of(&config).expect("it is configured").read().map_err(|problem| problem.to_string())?;
    Ok(headers.policy.to_str().expect("text").to_owned())
}

fn added(text: &str) -> Result<String, String> {
    policy_of(text, |config, file| {
        config.proxy_yaml.default_policies = "ocis".to_owned();
        config.csp.files = vec![file.to_owned()];
        config.csp.collabora_domain = "office.example".to_owned();
        config.csp.companion_domain = "a;b".to_owned();
        config.csp.external_port = ":1;".to_owned();
    })
}

#[test]
fn files_add_to_the_default_and_others_replace_it() {
    let policy = added("directives: { frame-src: ['https://office.example/', 'blob:'], worker-src: ['''self'''] }");
    let policy = policy.expect("a policy");
    assert!(policy.contains("frame-src 'self' blob: https://embed.diagrams.net/ https://office.example/;"), "{policy}");
    assert!(policy.contains("default-src 'none'; ") && policy.ends_with("; worker-src 'self'"), "{policy}");
    assert!(policy.contains("img-src 'self' data: blob:;"), "{policy}");
    let replaced = policy_of("directives: { img-src: ['*'], default-src: ['''self'''] }", |config, file| {
        config.csp.files = vec!["/nonexistent".to_owned()];
        config.csp.override_files = vec![file.to_owned()];
    });
    assert_eq!(replaced.as_deref(), Ok("default-src 'self'; img-src *"));
    let default = policy_of("", |config, file| config.proxy_yaml.file = Some(file.into())).expect("a policy");
    assert!(default.contains("img-src *;") && default.contains("connect-src 'self' blob: https://"), "{default}");
    assert!(Source::of(&Config::default()).is_none(), "nothing is sent where nothing is configured");
}

/// Values of config/opencloud/csp.yaml of opencloud-compose, in which a variable is that of an older or a newer release.
const COMPOSE: &str = r"
directives:
  connect-src:
    - '''self'''
    - 'https://${COMPANION_DOMAIN|companion.opencloud.test}${TRAEFIK_EXTERNAL_PORT}/'
    - 'wss://${COMPANION_DOMAIN|companion.opencloud.test}${TRAEFIK_EXTERNAL_PORT}/'
    - 'https://${IDP_DOMAIN|keycloak.opencloud.test}${TRAEFIK_EXTERNAL_PORT}/'
  frame-src:
    - 'https://${COLLABORA_DOMAIN|collabora.opencloud.test}${TRAEFIK_EXTERNAL_PORT}/'
    - 'https://docs.opencloud.eu'
  script-src:
    - '''unsafe-inline'''
    - 'https://${IDP_DOMAIN|keycloak.opencloud.test}${TRAEFIK_EXTERNAL_PORT}/'
";

#[test]
fn files_of_opencloud_compose_are_read_with_and_without_a_port() {
    for text in [COMPOSE.to_owned(), COMPOSE.replace("TRAEFIK_EXTERNAL_PORT", "TRAEFIK_PORT_HTTPS")] {
        let with_port = |port: &str| {
            let policy = policy_of(&text, |config, file| {
                config.csp.override_files = vec![file.to_owned()];
                config.csp.collabora_domain = "office.example".to_owned();
                config.csp.external_port = port.to_owned();
            });
            policy.expect("a policy")
        };
        for (setting, port) in [("", ""), (":8443", ":8443"), ("8443", ":8443")] {
            let (companion, idp) =
                (format!("companion.opencloud.test{port}"), format!("keycloak.opencloud.test{port}"));
            let expected = format!(
                "connect-src 'self' https://{companion}/ wss://{companion}/ https://{idp}/; \
                 frame-src https://office.example{port}/ https://docs.opencloud.eu; \
                 script-src 'unsafe-inline' https://{idp}/"
            );
            assert_eq!(with_port(setting), expected);
        }
    }
}

/// Row [E48](../../../../docs/security-requirements.md#e48).
#[test]
fn values_cannot_end_a_directive_and_name_only_listed_variables() {
    let frame = |value: &str| added(&format!("directives: {{ frame-src: ['{value}'] }}"));
    let policy = frame("https://${COLLABORA_DOMAIN|other.example}/").expect("a policy");
    assert!(policy.contains(" https://office.example/;"), "{policy}");
    let policy = frame("https://${ONLYOFFICE_DOMAIN|other.example}/${OCIS_URL}").expect("a policy");
    assert!(policy.contains(" https://other.example/https://cloud.example;"), "{policy}");
    for (value, expected) in [
        ("a; script-src *", "is not one value"),
        ("a b", "is not one value"),
        ("a,b", "is not one value"),
        ("", "is not one value"),
        ("ü", "is not one value"),
        ("https://${COMPANION_DOMAIN}/", "frame-src: \"https://${COMPANION_DOMAIN}/\" is not one value"),
        ("https://a${TRAEFIK_PORT_HTTPS}/", "is not one value"),
        ("https://${ONLYOFFICE_DOMAIN}/", "the variable ONLYOFFICE_DOMAIN is not set"),
        ("https://${OCIS_JWT_SECRET}/", "the variable OCIS_JWT_SECRET cannot be used there"),
        ("https://${HOME|a}/", "the variable HOME cannot be used there"),
        ("https://${COLLABORA_DOMAIN", "has no }"),
    ] {
        let problem = frame(value).expect_err(value);
        assert!(
            problem.contains(expected) && problem.starts_with("PROXY_CSP_CONFIG_FILE_LOCATION names "),
            "{problem}"
        );
    }
    for (text, expected) in [
        ("directives: { 'img-src; script-src': ['*'] }", "is not a directive"),
        ("directives: { Img-Src: ['*'] }", "is not a directive"),
        ("directive: { img-src: ['*'] }", "directive"),
        ("directives: { img-src: '*' }", "img-src"),
    ] {
        let problem = added(text).expect_err(text);
        assert!(problem.contains(expected), "{text}: {problem}");
    }
}

#[test]
fn issuer_on_another_host_may_be_called() {
    let with_issuer = |issuer: &str, text: &str| {
        policy_of(text, |config, file| {
            config.issuer = issuer.to_owned();
            config.csp.override_files = vec![file.to_owned()];
        })
    };
    let text = "directives: { connect-src: ['''none'''] }";
    assert_eq!(with_issuer("https://login.example/realms/a", text).as_deref(), Ok("connect-src https://login.example"));
    assert_eq!(with_issuer("https://cloud.example", text).as_deref(), Ok("connect-src 'none'"));
    assert_eq!(with_issuer("", text).as_deref(), Ok("connect-src 'none'"));
    let text = "directives: { default-src: ['''self'''] }";
    let policy = with_issuer("https://login.example", text);
    assert_eq!(policy.as_deref(), Ok("connect-src 'self' https://login.example; default-src 'self'"));
}

#[test]
fn headers_of_the_backend_stay() {
    let settings = ProxyYaml { file: Some("proxy.yaml".into()), ..::config::defaults() };
    let config = Config { proxy_yaml: settings, url: "https://cloud.example".to_owned(), ..Config::default() };
    let security = Source::of(&config).expect("it is configured").read().expect("a policy");
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    security.apply(&mut headers);
    assert_eq!(
        (headers.len(), &headers[CONTENT_SECURITY_POLICY], &headers[X_FRAME_OPTIONS]),
        (7, &HeaderValue::from_static("sandbox"), &HeaderValue::from_static("DENY"))
    );
    let mut none = HeaderMap::new();
    security.apply(&mut none);
    assert_eq!(none[CONTENT_SECURITY_POLICY], security.policy);
    let text: ContentSecurityPolicy = ::config::defaults();
    assert!(text.paths().is_empty());
}
