//! The own provider is an issuer like others: a user signs in there, and the gateway accepts the access token.

mod claims;
mod foreign_issuer;

use std::path::Path;
use std::time::Duration;

use doorward::ServiceId;
use oidc::jose::UnverifiedJwt;
use proto::cs3::auth::applications::v1beta1::GenerateAppPasswordRequest;
use proto::cs3::gateway::v1beta1::gateway_api_client::GatewayApiClient;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use status::Kind;
use testkit::{Browser, Layout, Mode, TestFamily, authorization_query, code_redemption, log_on, note_secret};
use tonic::Request;

const CALLBACK: &str = "http://127.0.0.1:9/callback";

/// Signs a user in at a client, consents where the page asks, and redeems the code.
async fn sign_in_at(
    browser: &mut Browser,
    issuer: &str,
    (client, scope): (&str, &str),
    (login, password): (&str, &str),
) -> Value {
    let query = authorization_query(client, CALLBACK, scope, &[("state", "s")]);
    let begin = browser.open(&format!("{issuer}/signin/v1/identifier/_/authorize?{query}")).await.expect("answers");
    let mut back = log_on(browser, issuer, &begin.location, (login, password)).await.expect("a sign-in page");
    while back.parameter("code").is_none() {
        back = if back.location.is_empty() {
            let mut form = vec![("flow", back.field("flow")), ("csrf", back.field("csrf")), ("decision", "allow")];
            // the boxes are ticked at first
            form.extend(scope.split(' ').map(|token| ("scope", token)));
            browser.submit(&format!("{issuer}/signin/v1/identifier/_/consent"), issuer, &form).await
        } else {
            browser.open(&format!("{issuer}{}", back.location.trim_start_matches(issuer))).await
        }
        .expect("answers");
    }
    let code = back.parameter("code").unwrap_or_else(|| panic!("no code: {back:?}"));
    let form = [&code_redemption(&code, CALLBACK)[..], &[("client_id", client)]].concat();
    let answer = browser.submit(&format!("{issuer}/konnect/v1/token"), issuer, &form).await.expect("answers");
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let tokens: Value = serde_json::from_str(&answer.page).expect("JSON");
    for name in ["access_token", "id_token"] {
        tokens[name].as_str().inspect(|token| note_secret(token));
    }
    tokens
}

async fn sign_in(browser: &mut Browser, issuer: &str, login: &str, password: &str) -> Value {
    sign_in_at(browser, issuer, ("e2e", "openid profile"), (login, password)).await
}

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().unwrap_or_else(|| panic!("there is no {name}: {tokens}"))
}

/// Clients that are not trusted: a plain one, and one whose registration lists scopes of the API.
fn third_parties() -> String {
    let client = |id: &str, more: &str| {
        format!(
            "  - id: {id}\n    redirect_uris: [\"{CALLBACK}\"]\n    application_type: native\n    \
             token_endpoint_auth_method: none\n    access_token_claims: [preferred_username]\n{more}"
        )
    };
    let api =
        "    scope: openid profile user tokens:write path:/photos:r\n    resources: [\"https://photos.example\"]\n";
    client("third", "") + &client("asking", api)
}

/// Makes the file of clients, of which the first is notified of logouts at this address.
fn set_clients(layout: &mut Layout, logout: &str) {
    let clients = layout.folder().join("clients.yaml");
    let file = format!(
        "clients:\n  - id: e2e\n    trusted: true\n    redirect_uris: [\"{CALLBACK}\"]\n    \
         application_type: native\n    token_endpoint_auth_method: none\n    \
         access_token_claims: [preferred_username]\n    backchannel_logout_uri: {logout}\n{}",
        third_parties()
    );
    std::fs::write(&clients, file).expect("writes");
    layout.set("IDP_CLIENTS_FILE", &clients.display().to_string());
}

/// A family with auth-bearer in it, whose issuer is its own provider; and that issuer.
async fn start(name: &str, mode: Mode) -> (TestFamily, String) {
    start_with(name, mode, |_| ()).await
}

/// The same with further settings.
async fn start_with(name: &str, mode: Mode, settle: impl FnOnce(&mut Layout)) -> (TestFamily, String) {
    let mut layout = Layout::new(name, false);
    let port = layout.variables()["IDP_HTTP_ADDR"].rsplit_once(':').expect("a port").1.to_owned();
    let issuer = format!("http://localhost:{port}");
    let logout = format!("http://{}/backchannel_logout", layout.variables()["AUTH_BEARER_HTTP_ADDR"]);
    set_clients(&mut layout, &logout);
    layout.set("IDP_ISS", &issuer);
    layout.set("IDP_ALLOW_PRIVATE_ADDRESSES", "true");
    layout.set("AUTH_BEARER_OIDC_ISSUER", &issuer);
    // in a process of its own nothing else says that its issuer is our own provider
    if mode == Mode::Processes {
        layout.set("AUTH_BEARER_OIDC_OWN_ISSUERS", &issuer);
    }
    layout.set("AUTH_BEARER_OIDC_AT_JWT_ONLY", "true");
    layout.set("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer");
    let bearer = layout.address(ServiceId::AuthBearer).to_string();
    layout.set("GATEWAY_AUTH_BEARER_ENDPOINT", &bearer);
    settle(&mut layout);
    let family = TestFamily::start_with(layout, mode, |context| context).await;
    (family, issuer)
}

/// `docs/security-requirements.md#d1`
#[tokio::test(flavor = "multi_thread")]
async fn idp_answers_only_callers_with_a_certificate_of_the_family() {
    let mut layout = Layout::new("bearer-http-certificates", true);
    let variables = layout.variables().clone();
    let at = |scheme: &str, name: &str| variables[name].replace("127.0.0.1", &format!("{scheme}://localhost"));
    let (edge, idp) = (at("http", "PROXY_HTTP_ADDR"), at("https", "IDP_HTTP_ADDR"));
    let names = ["OCIS_GRPC_TLS_CLIENT_CA", "OCIS_GRPC_TLS_CERTIFICATE", "OCIS_GRPC_TLS_KEY"];
    let [authority, certificate, key] = names.map(|name| variables[name].as_str());
    let bearer = layout.address(ServiceId::AuthBearer).to_string();
    for (name, value) in variables.iter().filter(|(name, _)| name.ends_with("_BACKEND")) {
        layout.set(name, &value.replace("http://127.0.0.1", "https://localhost"));
    }
    set_clients(&mut layout, &format!("{edge}/backchannel_logout"));
    for (name, value) in [
        ("OCIS_HTTP_TLS_ENABLED", "true"),
        ("OCIS_HTTP_TLS_CERTIFICATE", certificate),
        ("OCIS_HTTP_TLS_KEY", key),
        ("OCIS_HTTP_TLS_CLIENT_CA", authority),
        ("OCIS_HTTP_CLIENT_TLS_CERTIFICATE", certificate),
        ("OCIS_HTTP_CLIENT_TLS_KEY", key),
        ("PROXY_HTTPS_CACERT", authority),
        ("PROXY_TLS", "false"),
        ("OCIS_URL", &edge),
        ("OCIS_OIDC_ISSUER", &edge),
        ("IDP_ISS", &edge),
        ("IDP_TRUSTED_PROXIES", "127.0.0.0/8"),
        ("AUTH_BEARER_OIDC_OWN_ISSUERS", &edge),
        ("AUTH_BEARER_OIDC_AT_JWT_ONLY", "true"),
        ("AUTH_BEARER_OUTBOUND_CACERT", authority),
        ("AUTH_BEARER_IDP_BACKEND", &idp),
        ("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer"),
        ("GATEWAY_AUTH_BEARER_ENDPOINT", &bearer),
    ] {
        layout.set(name, value);
    }
    let family = TestFamily::start_with(layout, Mode::ProcessesWithTls, |context| context).await;

    // the edge shows its certificate when it passes requests on, and auth-bearer when it reads the keys
    let tokens = sign_in(&mut Browser::new(), &edge, "einstein", &family.layout.password).await;
    let (user, _) = family.authenticate("bearer", "", text(&tokens, "access_token")).await.expect("it is let in");
    assert_eq!(user.username, "einstein");

    let discovery = format!("{idp}/.well-known/openid-configuration");
    let refused = Browser::trusting(Path::new(authority)).open(&discovery).await;
    assert!(refused.is_err(), "it shows no certificate: {refused:?}");
    assert!(family.stop().await.into_iter().all(|code| code == 0), "every process ends with 0");
}

async fn a_token_of_our_provider_opens_the_gateway(name: &str, mode: Mode) {
    let (family, issuer) = start(name, mode).await;
    let mut browser = Browser::new();
    let tokens = sign_in(&mut browser, &issuer, "einstein", &family.layout.password).await;
    let access = text(&tokens, "access_token");
    let (user, jwt) = family.authenticate("bearer", "", access).await.expect("it is let in");
    assert_eq!(user.username, "einstein");
    assert_eq!(family.who_am_i(&jwt).await.expect("the token is good").username, "einstein");

    let refused = Err((Kind::Unauthenticated, "invalid credentials".to_owned()));
    let id_token = text(&tokens, "id_token");
    // not the last character of the signature, most bits of which say nothing
    let middle = access.rfind('.').expect("a signature") + 100;
    let other = if access[middle..].starts_with('A') { "B" } else { "A" };
    let changed = format!("{}{other}{}", &access[..middle], &access[middle + 1..]);
    assert_ne!(changed, access);
    for wrong in [id_token, &changed, "junk", ""] {
        let answer = family.authenticate("bearer", "", wrong).await;
        assert_eq!(answer.map(drop), refused.clone().map(|(): ()| ()), "{wrong:.20}");
    }

    let end = format!("{issuer}/signin/v1/identifier/_/endsession?id_token_hint={id_token}");
    let answer = browser.open(&end).await.expect("answers");
    assert!(answer.status.is_success() || answer.status.is_redirection(), "{answer:?}");
    let ended = async {
        while family.authenticate("bearer", "", access).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended)
        .await
        .expect("the session has ended, and its tokens are refused");
    let again = sign_in(&mut browser, &issuer, "einstein", &family.layout.password).await;
    family.authenticate("bearer", "", text(&again, "access_token")).await.expect("another session");
    assert!(family.stop().await.into_iter().all(|code| code == 0), "every process ends with 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_our_provider_opens_the_gateway_inside_this_process() {
    a_token_of_our_provider_opens_the_gateway("bearer-inside", Mode::Inside).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_our_provider_opens_the_gateway_in_a_process_a_service() {
    a_token_of_our_provider_opens_the_gateway("bearer-processes", Mode::Processes).await;
}

/// A client that idp does not notify: auth-bearer learns of the end of a session from idp. Row
/// [R10](../../../docs/security-requirements.md#r10).
#[tokio::test(flavor = "multi_thread")]
async fn session_ends_its_tokens_in_another_process() {
    let (mut family, issuer) = start("bearer-ended", Mode::Processes).await;
    let password = family.layout.password.clone();
    let access_token = async || {
        let client = ("asking", "openid profile user");
        let tokens = sign_in_at(&mut Browser::new(), &issuer, client, ("einstein", &password)).await;
        text(&tokens, "access_token").to_owned()
    };
    let ended = access_token().await;
    family.authenticate("bearer", "", &ended).await.expect("is accepted");
    let done = family.command(&["session", "end", "--user", "einstein", "--yes"], "").await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let is_refused = async {
        while family.authenticate("bearer", "", &ended).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), is_refused).await.expect("is refused within a second");
    // what is issued in the second of the end, or the next, ends too
    tokio::time::sleep(Duration::from_secs(2)).await;
    let other = access_token().await;
    family.authenticate("bearer", "", &other).await.expect("another session");

    family.kill(ServiceId::Idp);
    tokio::time::sleep(Duration::from_secs(6)).await;
    family.authenticate("bearer", "", &ended).await.expect_err("what has ended stays so while idp is away");
    family.authenticate("bearer", "", &other).await.expect("no session ends while idp is away");
}

/// Whether an app token can be made with an internal token; else the message.
async fn make_app_token(family: &TestFamily, jwt: &str) -> Result<(), String> {
    let scopes = authn::Grants::parse(["path:/photos:r"]).expect("a scope").to_cs3();
    let message = GenerateAppPasswordRequest { token_scope: (&scopes).into(), ..GenerateAppPasswordRequest::default() };
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-access-token", jwt.parse().expect("a token"));
    let answer = GatewayApiClient::new(family.channel(ServiceId::Gateway)).generate_app_password(request).await;
    let answer = answer.expect("answers").into_inner();
    if let Some(made) = &answer.app_password {
        note_secret(&made.password);
    }
    let status = answer.status.expect("a status");
    if testkit::is_ok(Some(&status)) { Ok(()) } else { Err(status.message) }
}

/// An access token with `openid profile` says who the user is, and is no login of the user.
#[tokio::test(flavor = "multi_thread")]
async fn token_of_third_party_client_is_refused_without_an_api_scope() {
    let (family, issuer) = start("bearer-third", Mode::Inside).await;
    let who = ("einstein", family.layout.password.as_str());
    let token = async |client: &str, scope: &str| {
        let tokens = sign_in_at(&mut Browser::new(), &issuer, (client, scope), who).await;
        text(&tokens, "access_token").to_owned()
    };
    let refused = Err((Kind::Unauthenticated, "invalid credentials".to_owned()));
    // the scope is not granted: its registration does not name it
    for scope in ["openid profile", "openid user tokens:write"] {
        let answer = family.authenticate("bearer", "", &token("third", scope).await).await;
        assert_eq!(answer.map(drop), refused.clone().map(|(): ()| ()), "{scope}");
    }
    let answer = family.authenticate("bearer", "", &token("asking", "openid profile").await).await;
    assert_eq!(answer.map(drop), refused.clone().map(|(): ()| ()));

    let (user, whole) =
        family.authenticate("bearer", "", &token("asking", "openid profile user").await).await.expect("whole");
    assert_eq!(user.username, "einstein");
    let problem = make_app_token(&family, &whole).await.expect_err("the whole user is not enough");
    assert!(problem.contains("tokens:write"), "{problem}");
    let narrow = token("asking", "openid profile path:/photos:r tokens:write").await;
    let (_, narrow) = family.authenticate("bearer", "", &narrow).await.expect("narrow");
    make_app_token(&family, &narrow).await.expect("its scope says so");

    let (_, own) = family.authenticate("bearer", "", &token("e2e", "openid profile").await).await.expect("trusted");
    make_app_token(&family, &own).await.expect("the user has signed in at the installation's own client");
    let (_, own) =
        family.authenticate("bearer", "", &token("e2e", "openid profile path:/photos:r").await).await.expect("trusted");
    make_app_token(&family, &own).await.expect_err("the token is for the photos alone");
}

/// Row [R24](../../../docs/security-requirements.md#r24).
#[tokio::test(flavor = "multi_thread")]
async fn access_token_without_the_scope_profile_passes_the_edge() {
    let backend = claims::application().await;
    let mut edge = String::new();
    let (family, issuer) = start_with("bearer-subject", Mode::Inside, |layout| {
        let routes = layout.folder().join("routes.yaml");
        let text = format!(
            "routes:\n  - {{ path: /, backend: 'http://{backend}' }}\naccess:\n  \
             - {{ path: /photos, scopes: ['path:/photos:r'], action: authenticate }}\n"
        );
        std::fs::write(&routes, text).expect("writes");
        for (name, value) in [
            ("PROXY_ROUTES_FILE", routes.display().to_string().as_str()),
            ("PROXY_TLS", "false"),
            ("PROXY_URL", "http://cloud.example"),
        ] {
            layout.set(name, value);
        }
        edge = format!("http://{}", layout.variables()["PROXY_HTTP_ADDR"]);
    })
    .await;
    let who = ("einstein", family.layout.password.as_str());
    for (client, scope, path) in
        [("e2e", "openid", "/a"), ("asking", "user", "/a"), ("asking", "openid path:/photos:r", "/photos/a")]
    {
        let tokens = sign_in_at(&mut Browser::new(), &issuer, (client, scope), who).await;
        let access = text(&tokens, "access_token");
        let jwt = UnverifiedJwt::parse(access).expect("a JWT");
        assert!(jwt.claims().get("preferred_username").is_none(), "{scope}");
        let authorization = format!("Bearer {access}");
        let headers = [("authorization", authorization.as_str())];
        let answer = Browser::new().request(Method::GET, &format!("{edge}{path}"), &headers).await.expect("answers");
        assert_eq!(answer.status, StatusCode::OK, "{scope}: {answer:?}");
        assert_eq!(family.claims_of(&answer.page).user.username, "einstein", "{scope}");
    }
}
