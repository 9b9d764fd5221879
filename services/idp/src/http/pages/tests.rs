use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};

use authn::User;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::to_bytes;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oidc::error::ErrorCode;
use oidc::request::RequestError;
use web::date::LocalizedTime;
use web::page::{Assets, PageSettings};

use super::*;
use crate::endpoints::page::PASSKEY_SCRIPT;
use crate::endpoints::{EndpointProfile, page};
use crate::engine::authorize::prompt::Reauthentication;
use crate::engine::clients::{
    AuthMethod, Client, ConsentPolicy, ExchangePolicy, LogoutSettings, Presentation, RoleNames, SecurityProfile,
    Signatures, Source, SubjectType, TokenFormat,
};
use crate::engine::factors::enrolment::Enrolment;
use crate::engine::factors::passkey::CeremonyOptions;
use crate::engine::scopes::RequestedScope;
use crate::lifetimes::ClientLifetimes;

mod html;
mod interaction;
mod samples;
mod security;

use samples::{enrolment, pages};

/// Text that tries to escape its context: markup, quotes of both kinds, an entity, and a right-to-left override.
const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&quot;\u{202e}שלום";

fn client(name: &str, source: Source) -> Client {
    let presentation = Presentation {
        name: name.to_owned(),
        home: None,
        logo: Some("https://app.example/logo.svg".to_owned()),
        policy: Some("https://app.example/privacy?a=1&b=2".to_owned()),
        terms: Some("https://app.example/terms".to_owned()),
        contacts: Vec::new(),
    };
    Client {
        id: "client-id".to_owned(),
        source,
        presentation,
        profile: SecurityProfile::Standard,
        is_native: false,
        auth: AuthMethod::None,
        secrets: Vec::new(),
        sealed_secret: None,
        keys: None,
        tls_name: None,
        spiffe_id: None,
        redirects: oidc::redirect::RedirectRules::default(),
        grants: BTreeSet::new(),
        responses: BTreeSet::new(),
        response_modes: None,
        pkce: oidc::pkce::Policy::default(),
        consent: ConsentPolicy::Remembered,
        scopes: None,
        implicit_scopes: oidc::scope::Scopes::default(),
        groups: Vec::new(),
        format: TokenFormat::Jwt,
        lifetimes: ClientLifetimes::default(),
        signatures: Signatures::default(),
        subject: SubjectType::Public,
        roles: RoleNames::Plain,
        access_token_claims: Vec::new(),
        id_token_claims: Vec::new(),
        max_age: None,
        needs_auth_time: false,
        acr_values: Vec::new(),
        needs_pushed: false,
        needs_signed_request: false,
        needs_dpop: false,
        binds_certificate: false,
        initiate_login: None,
        request_uris: Vec::new(),
        logout: LogoutSettings::default(),
        resources: Vec::new(),
        exchange: ExchangePolicy::default(),
        transaction_tokens: None,
        service_account: None,
        introspects_all: false,
        management: None,
        created: None,
    }
}

fn site() -> IssuerEndpoints {
    IssuerEndpoints::new(EndpointProfile::OpenCloud, "https://cloud.example")
}

fn installation(name: &str) -> Installation {
    let settings = PageSettings { name: name.to_owned(), ..PageSettings::default() };
    Installation::new(&settings, &Assets::new(page::STATIC, &settings))
}

static CLOUD: LazyLock<Installation> = LazyLock::new(|| installation("Cloud"));
/// An id that a client may send.
const REQUEST_ID: &str = "0123456789abcdef";

fn english(endpoints: &IssuerEndpoints) -> PageContext<'_> {
    PageContext { endpoints, installation: &CLOUD, language: Language::English, request_id: Some(REQUEST_ID) }
}

fn user(text: &str) -> User {
    User {
        username: text.to_owned(),
        display_name: format!("{text} Name"),
        mail: format!("{text}@a"),
        ..User::default()
    }
}

/// A page, read to its end.
struct Shown {
    status: StatusCode,
    headers: HeaderMap,
    html: String,
}

impl Shown {
    async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Self { status: parts.status, headers: parts.headers, html: String::from_utf8(body.to_vec()).unwrap() }
    }

    fn policy(&self) -> &str {
        self.headers[CONTENT_SECURITY_POLICY].to_str().unwrap()
    }
}

const REDIRECT: &str = "https://app.example/cb";

async fn shown(context: &PageContext<'_>, text: &str) -> Vec<Shown> {
    let mut all = Vec::new();
    for response in pages(context, text) {
        all.push(Shown::read(response).await);
    }
    all
}

#[tokio::test]
async fn i18_every_page_has_the_headers_of_a_page() {
    for language in Language::ALL {
        let endpoints = site();
        for page in shown(&PageContext { language, ..english(&endpoints) }, "text").await {
            let header = |name| page.headers.get(name).and_then(|value| value.to_str().ok());
            assert_eq!(header(CONTENT_TYPE), Some("text/html; charset=utf-8"));
            assert_eq!(header(CONTENT_LANGUAGE), Some(language.tag()));
            assert_eq!(header(X_FRAME_OPTIONS), Some("DENY"));
            assert_eq!(header(REFERRER_POLICY), Some("no-referrer"));
            assert_eq!(header(CACHE_CONTROL), Some("no-store"));
            assert_eq!(header(X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
            assert!(header(STRICT_TRANSPORT_SECURITY).is_some_and(|value| value.starts_with("max-age=")));
            let policy: BTreeSet<_> = page.policy().split("; ").collect();
            for directive in ["default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
                assert!(policy.contains(directive), "{policy:?}");
            }
            let mut forms = policy.iter().filter(|directive| directive.starts_with("form-action"));
            assert!(forms.all(|directive| *directive == "form-action 'self'"), "{policy:?}");
            assert!(!page.policy().contains("unsafe"), "{policy:?}");
            let scripts: Vec<_> = policy.iter().filter(|directive| directive.starts_with("script-src")).collect();
            let has_script = page.html.contains("<script");
            assert_eq!(scripts, if has_script { vec![&"script-src 'self'"] } else { vec![] }, "{policy:?}");
        }
    }
}

#[tokio::test]
async fn i18_a_site_without_tls_does_not_demand_it() {
    let endpoints = IssuerEndpoints::new(EndpointProfile::Cells, "http://localhost:9130");
    for page in shown(&english(&endpoints), "text").await {
        assert!(!page.headers.contains_key(STRICT_TRANSPORT_SECURITY));
    }
}

#[tokio::test]
async fn what_others_write_stays_text() {
    let endpoints = site();
    let installation = installation(HOSTILE);
    let context = PageContext { installation: &installation, request_id: Some(HOSTILE), ..english(&endpoints) };
    for Shown { html, headers, .. } in shown(&context, HOSTILE).await {
        let elements = html::elements(&html);
        let expected: BTreeSet<_> = html::KNOWN.into_iter().collect();
        for element in &elements {
            assert!(expected.contains(&*element.name), "{}: {html}", element.name);
            let attributes: BTreeSet<_> = element.attributes.iter().map(|(name, _)| &**name).collect();
            assert_eq!(attributes.len(), element.attributes.len(), "an attribute is there twice: {element:?}");
            assert!(!attributes.iter().any(|name| name.starts_with("on") || *name == "style"), "{element:?}");
        }
        assert!(!html.contains("<style") && !html.contains("<img src=x") && !html.contains("<script>"));
        let scripts: Vec<_> = elements.iter().filter(|element| element.name == "script").collect();
        let own = [context.installation.script_url(), PASSKEY_SCRIPT];
        assert!(scripts.iter().all(|script| script.get("src").is_some_and(|src| own.contains(&src))), "{html}");
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(!policy.contains("'sha256-") && !policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn pages_are_well_formed_and_say_what_they_are() {
    let endpoints = site();
    for language in Language::ALL {
        for Shown { html, .. } in shown(&PageContext { language, ..english(&endpoints) }, "Ünïcode & <b>").await {
            let elements = html::elements(&html);
            let count = |name: &str| elements.iter().filter(|element| element.name == name).count();
            assert_eq!([count("main"), count("h1"), count("title"), count("header")], [1; 4], "{html}");
            assert!(html.starts_with("<!DOCTYPE html>\n"));
            assert_eq!(elements[0].get("lang"), Some(language.tag()));
            let ids: Vec<_> = elements.iter().filter_map(|element| element.get("id")).collect();
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
            for element in &elements {
                let refers =
                    ["for", "aria-describedby", "aria-labelledby"].into_iter().filter_map(|name| element.get(name));
                for id in refers.flat_map(str::split_whitespace) {
                    assert!(ids.contains(&id), "nothing has the id {id}: {html}");
                }
                if element.name == "input" && element.get("type") == Some("text") {
                    let labelled =
                        elements.iter().any(|label| label.name == "label" && label.get("for") == element.get("id"));
                    assert!(labelled, "{element:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn i17_every_form_is_posted_here_and_carries_the_token() {
    let endpoints = site();
    let here = [
        page::LOGON,
        page::PASSKEY,
        page::PASSKEYS,
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
    let mut seen = BTreeSet::new();
    for Shown { html, .. } in shown(&english(&endpoints), HOSTILE).await {
        for form in html.split("<form ").skip(1) {
            let form = format!("<form {}", form.split("</form>").next().unwrap());
            let elements = html::elements_of(&form);
            let action = elements[0].get("action").unwrap().to_owned();
            assert_eq!(elements[0].get("method"), Some("post"));
            assert!(here.contains(&&*action), "{action}");
            let tokens = elements.iter().filter(|field| field.get("name") == Some("csrf")).count();
            assert_eq!(tokens, 1, "{form}");
            seen.insert(action);
        }
    }
    assert_eq!(seen, here.map(str::to_owned).into());
}

#[tokio::test]
async fn signing_in_shows_what_the_client_says_of_itself() {
    let endpoints = site();
    let client = client("Photos", Source::Configured);
    let form = SignIn { client: Some(&client), flow: "f", csrf: "c", ..SignIn::default() };
    let Shown { html, status, .. } = Shown::read(sign_in(&english(&endpoints), &form)).await;
    assert_eq!(status, StatusCode::OK);
    let elements = html::elements(&html);
    let logo = elements.iter().find(|element| element.name == "img").unwrap();
    assert_eq!(logo.get("src"), Some("https://app.example/logo.svg"));
    assert_eq!(logo.get("referrerpolicy"), Some("no-referrer"));
    let links: Vec<_> = elements.iter().filter(|element| element.name == "a").filter_map(|a| a.get("href")).collect();
    assert_eq!(links, ["https://app.example/privacy?a=1&b=2", "https://app.example/terms"]);
    assert!(html.contains("to continue to <strong><bdi>Photos</bdi></strong>"));
    let field = |name| elements.iter().find(|element| element.get("name") == Some(name)).unwrap();
    assert_eq!(field("username").get("autocomplete"), Some("username"));
    assert_eq!(field("password").get("autocomplete"), Some("current-password"));
    assert!(field("remember").get("checked").is_none());
    assert!(!html.contains("not verified"));
}

#[tokio::test]
async fn links_of_a_client_lead_to_the_web_only() {
    let endpoints = site();
    let mut client = client("", Source::Configured);
    for address in ["javascript:alert(1)", "data:text/html,x", " https://x.example", "//x.example", "file:///etc"] {
        let address = Some(address.to_owned());
        client.presentation.logo.clone_from(&address);
        client.presentation.policy.clone_from(&address);
        client.presentation.terms.clone_from(&address);
        let form = SignIn { client: Some(&client), ..SignIn::default() };
        let Shown { html, .. } = Shown::read(sign_in(&english(&endpoints), &form)).await;
        assert!(!html.contains("<img") && !html.contains("<a "), "{html}");
        assert!(html.contains("client-id"), "a client without a name is called by its identifier");
    }
    let Shown { html, .. } = Shown::read(signed_out(&english(&endpoints), &[], Some("javascript:alert(1)"))).await;
    assert!(!html.contains("javascript"), "{html}");
}

#[tokio::test]
async fn i33_people_are_warned_of_a_client_that_registered_itself() {
    let endpoints = site();
    let context = english(&endpoints);
    for source in [Source::BuiltIn, Source::Configured, Source::Added, Source::Registered, Source::Document] {
        let client = client("Photos", source);
        let scopes = [RequestedScope { name: "openid", optional: false }];
        let redirect_uri = Some(REDIRECT);
        let consented = Consent { flow: "f", csrf: "c", client: &client, person: "p", scopes: &scopes, redirect_uri };
        let confirm = DeviceConfirm { csrf: "c", user_code: "u", client: &client, scopes: &scopes, person: "p" };
        let user = user("p");
        let chosen = Account { flow: "f", csrf: "c", cancel: "x", user: &user, client: &client, redirect_uri };
        let pages = [
            sign_in(&context, &SignIn { client: Some(&client), ..SignIn::default() }),
            consent(&context, &consented),
            device_confirm(&context, &confirm),
            account(&context, &chosen),
        ];
        for page in pages {
            let warned = Shown::read(page).await.html.contains(context.words().unverified);
            let is_unchecked = matches!(source, Source::Registered | Source::Document);
            assert_eq!(warned, is_unchecked, "{source:?}");
        }
    }
}

/// Row [I77](../../../../../docs/security-requirements.md#i77).
#[tokio::test]
async fn client_of_a_document_is_shown_with_the_host_of_it() {
    let endpoints = site();
    let context = english(&endpoints);
    let scopes = [RequestedScope { name: "openid", optional: false }];
    for host in ["notes.example:8443", "a_b.notes.example", "[2606:4700::1]:8443"] {
        for (source, is_shown) in [(Source::Document, true), (Source::Registered, false)] {
            let client = Client { id: format!("https://{host}/client.json"), ..client("Cloud Storage", source) };
            let back = format!("https://{host}/back");
            let redirect_uri = Some(back.as_str());
            let consented =
                Consent { flow: "f", csrf: "c", client: &client, person: "p", scopes: &scopes, redirect_uri };
            let html = Shown::read(consent(&context, &consented)).await.html;
            let described = format!("It is described by <strong><bdi>{host}</bdi></strong>");
            assert_eq!(html.contains(&described), is_shown, "{html}");
            let destination = format!("You will then be sent to <strong><bdi>{host}</bdi></strong>");
            assert!(html.contains(&destination), "{html}");
        }
    }
}

#[tokio::test]
async fn errors_of_signing_in_are_told_and_have_their_status() {
    let endpoints = site();
    let errors = [
        (SignInError::WrongCredentials, 401, "Wrong username or password."),
        (SignInError::TooMany { retry_after: 120 }, 429, "Try again in 2 min."),
        (SignInError::Unavailable, 503, "not possible right now"),
        (SignInError::Expired, 400, "form has expired"),
    ];
    for (error, status, told) in errors {
        let form = SignIn { error: Some(error), username: "einstein", ..SignIn::default() };
        let shown = Shown::read(sign_in(&english(&endpoints), &form)).await;
        assert_eq!(shown.status.as_u16(), status);
        assert!(shown.html.contains(told), "{}", shown.html);
        let waits = shown.headers.get(RETRY_AFTER).map(|value| value.to_str().unwrap());
        assert_eq!(waits, (status == 429).then_some("120"));
        let elements = html::elements(&shown.html);
        let alert = elements.iter().find(|element| element.get("role") == Some("alert")).unwrap();
        let password = elements.iter().find(|element| element.get("name") == Some("password")).unwrap();
        assert_eq!(password.get("aria-describedby"), alert.get("id"));
        assert_eq!(password.get("aria-invalid").is_some(), status == 401);
        assert_eq!(password.get("value"), None);
    }
}

#[tokio::test]
async fn a_form_stays_here_unless_its_answer_leads_to_a_client() {
    let endpoints = site();
    let cases = [(None, Some("'self'")), (Some(REDIRECT), None), (Some("oc://android.opencloud.eu"), None)];
    for (redirect_uri, expected) in cases {
        let form = SignIn { redirect_uri, ..SignIn::default() };
        let shown = Shown::read(sign_in(&english(&endpoints), &form)).await;
        let mut directives = shown.policy().split("; ");
        let forms = directives.find_map(|directive| directive.strip_prefix("form-action "));
        assert_eq!(forms, expected, "{redirect_uri:?}");
    }
}

#[tokio::test]
async fn consent_names_every_scope_and_sends_the_optional_ones() {
    let endpoints = site();
    let client = client("Photos", Source::Configured);
    let scopes = [("openid", false), ("email", true), ("offline_access", true), ("urn:x:files", true)]
        .map(|(name, optional)| RequestedScope { name, optional });
    let redirect_uri = Some("https://www.app.example:8443/cb");
    let form = Consent { flow: "f", csrf: "c", client: &client, person: "Albert", scopes: &scopes, redirect_uri };
    let Shown { html, .. } = Shown::read(consent(&english(&endpoints), &form)).await;
    for text in ["Know who you are", "See your e-mail address", "until you remove it", "urn:x:files", "Albert"] {
        assert!(html.contains(text), "{text}");
    }
    assert!(html.contains("www.app.example:8443"), "the page names the destination");
    let elements = html::elements(&html);
    let boxes = elements.iter().filter(|element| element.get("name") == Some("scope"));
    let boxes: Vec<_> = boxes.map(|scope| (scope.get("value").unwrap(), scope.get("checked").is_some())).collect();
    assert_eq!(boxes, [("email", true), ("offline_access", true), ("urn:x:files", true)]);
    let decisions = elements.iter().filter(|element| element.get("name") == Some("decision"));
    assert_eq!(decisions.filter_map(|button| button.get("value")).collect::<Vec<_>>(), [ALLOW, DENY]);
}

#[tokio::test]
async fn a_form_that_sends_itself_runs_one_script_and_may_be_framed() {
    let endpoints = site();
    let fields = [("code", HOSTILE), ("state", "s")];
    let shown = Shown::read(form_post(&english(&endpoints), "https://app.example/cb?x=\"1", &fields)).await;
    assert!(!shown.headers.contains_key(X_FRAME_OPTIONS));
    assert!(!shown.policy().contains("frame-ancestors") && !shown.policy().contains("form-action"));
    assert_eq!(shown.headers[CACHE_CONTROL], "no-store");
    let (_, script) = shown.html.split_once("<script>").unwrap();
    let script = script.split_once("</script>").unwrap().0;
    let hash = STANDARD.encode(digest(&SHA256, script.as_bytes()));
    assert!(shown.policy().ends_with(&format!("; script-src 'sha256-{hash}'")), "{}", shown.policy());
    let elements = html::elements(&shown.html);
    let form = elements.iter().find(|element| element.name == "form").unwrap();
    assert_eq!((form.get("action"), form.get("method")), (Some("https://app.example/cb?x=\"1"), Some("post")));
    let sent = elements.iter().filter(|element| element.name == "input");
    let sent: Vec<_> = sent.map(|field| (field.get("name").unwrap(), field.get("value").unwrap())).collect();
    assert_eq!(sent, fields);
    assert!(elements.iter().any(|element| element.name == "noscript"));
}
