//! Claims of another provider that decide who a user is, and where.

use axum::Router;
use axum::extract::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ldap::testing::{EINSTEIN, GUEST, Slapd};
use proto::cs3::identity::user::v1beta1::{FindUsersRequest, GetUserByClaimRequest};
use reqwest::{Method, StatusCode};
use serde_json::json;
use status::Kind;
use testkit::{Browser, Layout, Mode, TestFamily};
use tokio::net::TcpListener;

use crate::bearer::foreign_issuer::ForeignIssuer;
use crate::bearer::{set_clients, sign_in};

/// An application that answers with the internal token of a request.
pub(super) async fn application() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("an address").to_string();
    let answer = |request: Request| {
        let token = request.headers().get(token::METADATA_KEY).and_then(|value| value.to_str().ok());
        std::future::ready(token.unwrap_or_default().to_owned())
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    address
}

/// `docs/security-requirements.md#x11`
#[tokio::test(flavor = "multi_thread")]
async fn chain_of_actors_of_an_access_token_is_in_the_internal_token() {
    let issuer = ForeignIssuer::start().await;
    for (mode, name) in [(Mode::Inside, "bearer-act-inside"), (Mode::Processes, "bearer-act-processes")] {
        let family = TestFamily::start_with(issuer.layout(name), mode, |context| context).await;
        let act = json!({ "sub": "office", "act": { "sub": "scanner" } });
        let alone = issuer.token(json!({ "preferred_username": "einstein" }));
        let access = issuer.token(json!({ "preferred_username": "einstein", "act": act }));
        for _ in 0..2 {
            let (_, token) = family.authenticate("bearer", "", &access).await.expect("is accepted");
            let actor = serde_json::to_value(family.claims_of(&token).actor).expect("is written");
            assert_eq!(actor, act, "{mode:?}");
            let (_, token) = family.authenticate("bearer", "", &alone).await.expect("is accepted");
            assert_eq!(family.claims_of(&token).actor, None, "{mode:?}");
        }
        family.stop().await;
    }
}

/// A claim of its own names the user of OpenID Connect tokens; passwords and app tokens have no claims.
#[tokio::test(flavor = "multi_thread")]
async fn custom_claim_leaves_passwords_and_app_tokens_alone() {
    let issuer = ForeignIssuer::start().await;
    let mut layout = issuer.layout("bearer-custom-claim");
    let routes = layout.folder().join("routes.yaml");
    let backend = application().await;
    std::fs::write(&routes, format!("routes:\n  - {{ path: /, backend: 'http://{backend}' }}\n")).expect("writes");
    for (name, value) in [
        ("PROXY_USER_OIDC_CLAIM", "employee.number"),
        ("PROXY_USER_CS3_CLAIM", "userid"),
        ("PROXY_ROUTES_FILE", &routes.display().to_string()),
        ("PROXY_TLS", "false"),
        ("PROXY_URL", "http://cloud.example"),
        ("PROXY_ENABLE_BASIC_AUTH", "true"),
    ] {
        layout.set(name, value);
    }
    let edge = format!("http://{}/a", layout.variables()["PROXY_HTTP_ADDR"]);
    let family = TestFamily::start_with(layout, Mode::Inside, |context| context).await;
    let password = family.layout.password.clone();
    let (einstein, _) = family.authenticate("basic", "einstein", &password).await.expect("the password is right");
    let id = einstein.id.expect("an identifier").opaque_id;
    let app = family.app_token("einstein").await;
    let access = issuer.token(json!({ "preferred_username": "somebody-else", "employee": { "number": id } }));

    let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("einstein:{secret}")));
    let mut roles = Vec::new();
    for authorization in [basic(&password), basic(&app), format!("Bearer {app}"), format!("Bearer {access}")] {
        let headers = [("authorization", authorization.as_str())];
        let answer = Browser::new().request(Method::GET, &edge, &headers).await.expect("answers");
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let user = family.claims_of(&answer.page).user;
        assert_eq!((user.id.opaque_id.as_str(), user.username.as_str()), (id.as_str(), "einstein"));
        roles.push(user.roles);
    }
    assert!(!roles[0].is_empty() && roles.iter().all(|of_one| *of_one == roles[0]), "{roles:?}");
    let unknown = issuer.token(json!({ "preferred_username": "einstein", "employee": { "number": "nobody" } }));
    assert!(family.authenticate("bearer", "", &unknown).await.is_err(), "the usual claim does not count");
}

/// `docs/security-requirements.md#g24`, `#r23`
#[tokio::test(flavor = "multi_thread")]
async fn instance_refuses_basic_and_app_tokens_and_admits_its_members() {
    let issuer = ForeignIssuer::start().await;
    let mut layout = issuer.layout("bearer-instance");
    let port = layout.variables()["IDP_HTTP_ADDR"].rsplit_once(':').expect("a port").1.to_owned();
    let idp = format!("http://localhost:{port}");
    set_clients(&mut layout, "http://127.0.0.1:9/backchannel_logout");
    for (name, value) in [
        ("IDP_ISS", idp.as_str()),
        ("IDP_ALLOW_PRIVATE_ADDRESSES", "true"),
        ("OCIS_MULTI_INSTANCE_ENABLED", "true"),
        ("OCIS_MULTI_INSTANCE_INSTANCEID", "cloud-1"),
        ("OCIS_MULTI_INSTANCE_MEMBER_CLAIM", "owncloudMemberOf"),
        ("OCIS_MULTI_INSTANCE_GUEST_CLAIM", "owncloudGuestOf"),
    ] {
        layout.set(name, value);
    }
    let family = TestFamily::start_with(layout, Mode::Inside, |context| context).await;
    let password = family.layout.password.clone();
    let app = family.app_token("einstein").await;
    for (kind, secret) in [("basic", &password), ("appauth", &app)] {
        let refused = family.authenticate(kind, "einstein", secret).await.expect_err(kind);
        assert_eq!(refused, (Kind::Unauthenticated, "invalid credentials".to_owned()));
    }
    let token =
        |claim: &str, instances: &[&str]| issuer.token(json!({ "preferred_username": "einstein", claim: instances }));
    let (member, _) =
        family.authenticate("bearer", "", &token("owncloudMemberOf", &["cloud-0", "cloud-1"])).await.expect("a member");
    let (guest, jwt) =
        family.authenticate("bearer", "", &token("owncloudGuestOf", &["cloud-1"])).await.expect("a guest");
    let kind = |user: proto::cs3::identity::user::v1beta1::User| user.id.expect("an identifier").r#type;
    assert_eq!((kind(member), kind(guest)), (1, 5), "a primary user, and a guest");
    assert_eq!(family.claims_of(&jwt).user.id.kind, authn::UserType::Guest);
    let other = family.authenticate("bearer", "", &token("owncloudMemberOf", &["cloud-2"])).await;
    assert_eq!(other.map(drop), Err((Kind::Unauthenticated, "invalid credentials".to_owned())));
    let machine = family.layout.machine_key.clone();
    family.authenticate("machine", "username:einstein", &machine).await.expect("services act for users all the same");
    // the page of idp takes passwords: idp does not call the gateway for that
    sign_in(&mut Browser::new(), &idp, "einstein", &password).await;
}

/// The logins that the bearer of a token finds at the gateway: by a search for all, and by look-ups of a member and a guest.
async fn found_by(family: &TestFamily, jwt: &str) -> [Vec<String>; 2] {
    fn with<T>(jwt: &str, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert(token::METADATA_KEY, jwt.parse().expect("metadata"));
        request
    }
    let mut gateway = family.gateway();
    let searched = gateway.find_users(with(jwt, FindUsersRequest::default())).await.expect("answers").into_inner();
    let mut looked_up = Vec::new();
    for login in [EINSTEIN.uid, GUEST.uid] {
        let (claim, value) = ("username".to_owned(), login.to_owned());
        let request = GetUserByClaimRequest { claim, value, ..GetUserByClaimRequest::default() };
        let answer = gateway.get_user_by_claim(with(jwt, request)).await.expect("answers").into_inner();
        looked_up.extend(answer.user);
    }
    [searched.users, looked_up].map(|users| users.into_iter().map(|user| user.username).collect())
}

/// `docs/security-requirements.md#d43`: the gateway has the directory itself, which answers with users of every tenant.
async fn users_find_those_of_their_tenant_at_the_gateway(family: &TestFamily) {
    let [searched, looked_up] = found_by(family, &family.token_of(GUEST.uid).await).await;
    assert_eq!((searched, looked_up), (vec![GUEST.uid.to_owned()], vec![GUEST.uid.to_owned()]));
    let [searched, looked_up] = found_by(family, &family.token_of(EINSTEIN.uid).await).await;
    assert_eq!(looked_up, [EINSTEIN.uid]);
    let is_found = |login: &str| searched.iter().any(|found| found == login);
    assert!(is_found(EINSTEIN.uid) && !is_found(GUEST.uid), "{searched:?}");
    let request = GetUserByClaimRequest {
        claim: "username".to_owned(),
        value: EINSTEIN.uid.to_owned(),
        ..GetUserByClaimRequest::default()
    };
    let mut request = tonic::Request::new(request);
    request.metadata_mut().insert(token::METADATA_KEY, "a.b.c".parse().expect("metadata"));
    let answer = family.gateway().get_user_by_claim(request).await.expect("answers").into_inner();
    let kind = Kind::from_cs3(answer.status.unwrap_or_default().code);
    assert_eq!((kind, answer.user), (Some(Kind::Unauthenticated), None), "not as if he were deleted");
}

/// A family with users of the tenants `Guest` and `Member`.
fn layout_with_tenants(name: &str, issuer: &ForeignIssuer, slapd: &Slapd) -> Layout {
    let mut layout = issuer.layout(name);
    for name in slapd.environment().names() {
        layout.set(name, slapd.environment().get(name).unwrap_or_default());
    }
    for (name, value) in [
        ("USERS_DRIVER", "ldap"),
        ("AUTH_BASIC_AUTH_MANAGER", "ldap"),
        ("OCIS_MULTI_TENANT_ENABLED", "true"),
        // the attribute that is Guest for the visitor and Member for all others
        ("OCIS_LDAP_USER_SCHEMA_TENANT_ID", "ownCloudUserType"),
        ("PROXY_TENANT_OIDC_CLAIM", "organization.tenant"),
        // the tree knows no roles, and users are found with tokens that the machine key opens
        ("AUTH_MACHINE_ALLOW_IMPERSONATION", "*=users,*=admins"),
    ] {
        layout.set(name, value);
    }
    layout
}

/// `docs/security-requirements.md#r22`, `#g23`, `#d43`
#[tokio::test(flavor = "multi_thread")]
async fn user_of_another_tenant_is_refused() {
    let Some(slapd) = Slapd::start() else { return };
    let issuer = ForeignIssuer::start().await;
    let layout = layout_with_tenants("bearer-tenants", &issuer, &slapd);
    let family = TestFamily::start_empty(layout, Mode::Inside).await;
    let token = |tenant: &str| {
        issuer.token(json!({ "preferred_username": EINSTEIN.uid, "organization": { "tenant": tenant } }))
    };
    let (user, jwt) = family.authenticate("bearer", "", &token("Member")).await.expect("his tenant");
    assert_eq!(user.id.expect("an identifier").tenant_id, "Member");
    assert_eq!(family.claims_of(&jwt).user.id.tenant_id, "Member");
    for other in ["Guest", "member", ""] {
        let refused = family.authenticate("bearer", "", &token(other)).await.expect_err(other);
        assert_eq!(refused, (Kind::Unauthenticated, "invalid credentials".to_owned()), "{other:?}");
    }
    family.authenticate("basic", EINSTEIN.uid, EINSTEIN.password).await.expect("a password says nothing of tenants");
    users_find_those_of_their_tenant_at_the_gateway(&family).await;
    let other = |layout: &mut Layout| layout.set("OCIS_LDAP_USER_SCHEMA_TENANT_ID", "departmentNumber");
    let family = family.restart(Mode::Inside, other).await;
    let refused = family.authenticate("basic", EINSTEIN.uid, EINSTEIN.password).await;
    assert_eq!(refused.expect_err("no user has a tenant").0, Kind::Unauthenticated);
}

/// `docs/security-requirements.md#r22`
#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_looked_up_where_the_users_are() {
    let Some(slapd) = Slapd::start() else { return };
    let issuer = ForeignIssuer::start().await;
    let mut layout = layout_with_tenants("bearer-mapped-tenants", &issuer, &slapd);
    for (name, value) in [
        ("PROXY_TENANT_ID_MAPPING_ENABLED", "true"),
        // users are the tenants of this test: by the mail address of one, his tenant is found
        ("OCIS_LDAP_TENANT_BASE_DN", "ou=people,dc=example,dc=org"),
        ("OCIS_LDAP_TENANT_OBJECTCLASS", "inetOrgPerson"),
        ("OCIS_LDAP_TENANT_SCHEMA_ID", "ownCloudUserType"),
        ("OCIS_LDAP_TENANT_SCHEMA_EXTERNAL_ID", "mail"),
        ("OCIS_LDAP_TENANT_SCHEMA_NAME", "displayName"),
        // of another system, at which nothing answers
        ("AUTH_BEARER_USERS_ENDPOINT", ""),
        ("OCIS_REVA_GATEWAY", "127.0.0.1:9"),
    ] {
        layout.set(name, value);
    }
    let family = TestFamily::start_empty(layout, Mode::Inside).await;
    let token = |tenant: &str| {
        issuer.token(json!({ "preferred_username": EINSTEIN.uid, "organization": { "tenant": tenant } }))
    };
    let (user, _) = family.authenticate("bearer", "", &token(EINSTEIN.mail)).await.expect("his tenant");
    assert_eq!(user.id.expect("an identifier").tenant_id, "Member");
    for other in ["Member", "unknown"] {
        let refused = family.authenticate("bearer", "", &token(other)).await.expect_err(other);
        assert_eq!(refused.0, Kind::Unauthenticated, "{other:?}");
    }
}
