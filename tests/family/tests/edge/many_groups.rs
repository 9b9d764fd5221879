//! A user in a thousand groups, from the sign-in to the backend: no token holds them, and nothing takes that for no groups.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::{Environment, TokenManager};
use doorward::ServiceId;
use proto::doorward::users::v1::{
    AddMemberRequest, CreateGroupRequest, GroupRef, PersonRef, group_ref, person_ref,
    users_admin_api_client::UsersAdminApiClient,
};
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use testkit::{Browser, Layout, authorization_query, code_redemption, log_on, note_secret};
use tonic::Request;

use crate::edge::backend::{Backend, header};
use crate::edge::raw;
use crate::edge::world::{World, basic, client};

const MANY: usize = 1000;
const CALLBACK: &str = "http://127.0.0.1:9/callback";
const SECRET: &str = "f2c17c0be4d94a52a8e3c6b1f2947d58";
const REVIEW_SECRET: &str = "an-api-server-proves-itself-with-this-one";

fn group(number: usize) -> String {
    format!("5f0c1f7e-0000-4000-8000-{number:012}")
}

/// A family whose edge allows members of the last group on one path, and no user on another.
async fn world(issuer: &mut String) -> (World, Backend) {
    for secret in [SECRET, REVIEW_SECRET] {
        note_secret(secret);
    }
    let backend = Backend::start().await;
    let routes = format!(
        "routes:\n  - {{ path: /, backend: 'http://{}' }}\naccess:\n  - {{ path: /members, groups: [{}], action: authenticate }}\n  \
         - {{ path: /others, groups: [{}], action: authenticate }}\n",
        backend.address,
        group(MANY - 1),
        group(MANY)
    );
    let world = World::start_with("edge-many-groups", |layout| {
        let port = layout.variables()["IDP_HTTP_ADDR"].rsplit_once(':').expect("a port").1.to_owned();
        *issuer = format!("http://localhost:{port}");
        tell(layout, issuer, &routes);
    })
    .await;
    (world, backend)
}

fn tell(layout: &mut Layout, issuer: &str, routes: &str) {
    let (rules, clients) = (layout.folder().join("rules.yaml"), layout.folder().join("clients.yaml"));
    std::fs::write(&rules, routes).expect("writes");
    let file = format!(
        "clients:\n  - id: cloud\n    secret: {SECRET}\n    trusted: true\n    application_type: native\n    \
         redirect_uris: [\"{CALLBACK}\"]\n    token_endpoint_auth_method: client_secret_basic\n    \
         implicit_scopes: [groups]\n    access_token_claims: [preferred_username, groups]\n"
    );
    std::fs::write(&clients, file).expect("writes");
    let bearer = layout.address(ServiceId::AuthBearer).to_string();
    for (name, value) in [
        ("PROXY_ROUTES_FILE", rules.display().to_string().as_str()),
        ("PROXY_OIDC_ISSUER", issuer),
        ("PROXY_TOKEN_REVIEW_SECRET", REVIEW_SECRET),
        ("PROXY_VERIFY_PROXY", "nginx"),
        ("PROXY_TRUSTED_PROXIES", "127.0.0.1"),
        ("PROXY_VERIFY_HEADERS", "X-Access-Token,Remote-Groups"),
        ("IDP_CLIENTS_FILE", clients.display().to_string().as_str()),
        ("IDP_ISS", issuer),
        ("AUTH_BEARER_OIDC_ISSUER", issuer),
        ("AUTH_BEARER_OIDC_AUDIENCE", "cloud"),
        ("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer"),
        ("GATEWAY_AUTH_BEARER_ENDPOINT", &bearer),
    ] {
        layout.set(name, value);
    }
}

/// Makes the groups, and one more, and puts einstein into all but that one.
async fn join(world: &World) {
    let tokens = TokenManager { jwt_secret: world.family.layout.jwt_secret.as_str().into(), ..TokenManager::default() };
    let context = runtime::Context::new(Environment::default());
    let mut users = UsersAdminApiClient::new(world.family.channel(ServiceId::Users));
    let einstein = PersonRef { by: Some(person_ref::By::Username("einstein".to_owned())) };
    for number in 0..=MANY {
        let token = runtime::operator_token(&tokens, &context).expect("is minted");
        let mut create = Request::new(CreateGroupRequest {
            name: format!("group {number}"),
            id: Some(group(number)),
            ..CreateGroupRequest::default()
        });
        create.metadata_mut().insert(token::METADATA_KEY, token.clone());
        users.create_group(create).await.expect("is made");
        if number < MANY {
            let which = GroupRef { by: Some(group_ref::By::Id(group(number))) };
            let mut add = Request::new(AddMemberRequest { group: Some(which), user: Some(einstein.clone()) });
            add.metadata_mut().insert(token::METADATA_KEY, token);
            users.add_member(add).await.expect("is added");
        }
    }
}

/// Signs einstein in at the provider; the answer of the token endpoint.
async fn sign_in(world: &World, issuer: &str) -> Value {
    let mut browser = Browser::new();
    let request = [("claims", r#"{"id_token":{"groups":null}}"#)];
    let query = authorization_query("cloud", CALLBACK, "openid profile", &request);
    let begin = browser.open(&format!("{issuer}/signin/v1/identifier/_/authorize?{query}")).await.expect("answers");
    let credentials = ("einstein", world.family.layout.password.as_str());
    let back = log_on(&mut browser, issuer, &begin.location, credentials).await.expect("a sign-in page");
    assert!(back.location.starts_with(CALLBACK), "{back:?}");
    let code = back.parameter("code").expect("a code");
    note_secret(&code);
    let form = code_redemption(&code, CALLBACK);
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = client().post(format!("{issuer}/konnect/v1/token")).basic_auth("cloud", Some(SECRET));
    let answer = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).send().await;
    let answer: Value = answer.expect("answers").json().await.expect("JSON");
    for name in ["access_token", "id_token"] {
        note_secret(answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}")));
    }
    answer
}

/// What a JWT says.
fn claims(jwt: &str) -> Value {
    let claims = jwt.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}

fn count(groups: &Value) -> usize {
    groups.as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn user_in_a_thousand_groups_signs_in_and_stays_a_member_of_each() {
    let mut issuer = String::new();
    let (world, backend) = world(&mut issuer).await;
    join(&world).await;
    let tokens = sign_in(&world, &issuer).await;

    let userinfo = format!("{issuer}/konnect/v1/userinfo");
    let access_token = tokens["access_token"].as_str().expect("text");
    for token in [access_token, tokens["id_token"].as_str().expect("text")] {
        assert!(token.len() < 8 * 1024, "{} bytes", token.len());
        let said = claims(token);
        assert_eq!(said["groups"], Value::Null, "{said}");
        assert_eq!(said["_claim_names"], json!({"groups": "userinfo"}));
        assert_eq!(said["_claim_sources"], json!({"userinfo": {"endpoint": userinfo}}));
    }
    // through the edge, with the valid token
    let answer =
        client().get(world.url("/konnect/v1/userinfo")).bearer_auth(access_token).send().await.expect("answers");
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(count(&answer["groups"]), MANY);

    let made = client().post(world.url("/auth-app/tokens?expiry=1h")).bearer_auth(access_token).send().await;
    let made: Value = made.expect("answers").json().await.expect("JSON");
    let app_token = made["token"].as_str().unwrap_or_else(|| panic!("no app token: {made}"));
    note_secret(app_token);

    for (credential, has_groups) in [
        (format!("Bearer {access_token}"), true),
        (format!("Bearer {app_token}"), true),
        (basic("einstein", app_token), true),
        (world.password(), true),
        (basic("marie", &world.family.layout.password), false),
    ] {
        let line = format!("Authorization: {credential}");
        let shown = credential.split(' ').next().unwrap_or_default();
        let status = async |path: &str| raw::request(world.edge, &format!("GET {path}"), &[&line]).await.status();
        assert_eq!(status("/members").await, if has_groups { 200 } else { 403 }, "{shown}");
        assert_eq!(status("/others").await, 403, "{shown}");
        assert_eq!(status("/a").await, 200, "{shown}");
        let seen = backend.take();
        let token = &header(seen.last().expect("it has passed"), "x-access-token")[0];
        assert!(token.len() < 28 * 1024, "{} bytes", token.len());
        assert_eq!(claims(token)["groups_omitted"], if has_groups { json!(true) } else { Value::Null });
        let user = world.family.who_am_i(token).await.expect("the token is good");
        assert_eq!(user.groups.len(), if has_groups { MANY } else { 0 }, "{shown}");
        // an application behind another proxy gets all groups or no answer
        let verify = [&*line, "X-Original-URI: /a", "X-Original-Method: GET", "X-Original-Host: cloud.example"];
        let verify = [&verify[..], &["X-Original-Proto: https"]].concat();
        let verified = raw::request(world.edge, "GET /verify", &verify).await.status();
        assert_eq!(verified, if has_groups { 403 } else { 200 }, "{shown}");
    }

    let question =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": app_token}});
    let review = client().post(world.url("/tokenreview")).bearer_auth(REVIEW_SECRET).json(&question).send().await;
    let review = review.expect("answers");
    assert_eq!(review.status(), StatusCode::OK);
    let review: Value = review.json().await.expect("JSON");
    assert_eq!(count(&review["status"]["user"]["groups"]), MANY, "{review}");
}
