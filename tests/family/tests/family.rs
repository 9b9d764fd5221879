//! The same questions and the same answers, however the family runs.

use authn::caller::CALLER_KEY;
use doorward::ServiceId;
use proto::cs3::{
    auth::provider::v1beta1::{AuthenticateRequest, provider_api_client::ProviderApiClient},
    auth::registry::v1beta1::ListAuthProvidersRequest,
    gateway::v1beta1 as gateway,
    identity::user::v1beta1::{FindUsersRequest, GetUserByClaimRequest, UserType},
};
use proto::find_users::encode_query_old;
use status::Kind;
use testkit::{Certificates, Layout, Mode, TestFamily, is_ok};
use tonic::{Request, metadata::MetadataValue};

#[tokio::test(flavor = "multi_thread")]
async fn inside_this_process() {
    questions(TestFamily::start("inside", Mode::Inside).await, &WITH_BEARER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_one_process() {
    questions(TestFamily::start("one-process", Mode::OneProcess).await, &WITH_BEARER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_process_a_service() {
    questions(TestFamily::start("processes", Mode::Processes).await, &CONFIGURED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_process_a_service_with_tls() {
    questions(TestFamily::start("processes-tls", Mode::ProcessesWithTls).await, &CONFIGURED).await;
}

/// The types that a gateway of its own process routes: those that its configuration has an endpoint for.
const CONFIGURED: [&str; 4] = ["appauth", "basic", "machine", "serviceaccounts"];
/// In one process, those of all services that run.
const WITH_BEARER: [&str; 5] = ["appauth", "basic", "bearer", "machine", "serviceaccounts"];

async fn questions(family: TestFamily, types: &[&str]) {
    every_credential_opens(&family).await;
    every_bad_credential_is_refused_alike(&family).await;
    the_gateway_passes_on(&family, types).await;
    assert!(family.stop().await.into_iter().all(|code| code == 0), "every process ends with 0");
}

async fn every_credential_opens(family: &TestFamily) {
    let token = family.app_token("marie").await;
    let (password, machine) = (family.layout.password.as_str(), family.layout.machine_key.as_str());
    for (kind, client_id, secret, login) in [
        ("basic", "einstein", password, "einstein"),
        ("basic", "einstein@example.org", password, "einstein"),
        ("appauth", "marie", &token, "marie"),
        ("machine", "richard", machine, "richard"),
        ("machine", "mail:richard@example.org", machine, "richard"),
    ] {
        let (user, jwt) = family.authenticate(kind, client_id, secret).await.expect(kind);
        assert_eq!(user.username, login, "{kind}");
        assert_eq!(family.who_am_i(&jwt).await.expect("the token is good").username, login, "{kind}");
    }
    let (user, _) = family.authenticate("serviceaccounts", "jobs", &family.layout.service_secret).await.expect("jobs");
    let id = user.id.expect("a service account has an identity");
    assert_eq!((id.opaque_id.as_str(), id.r#type()), ("jobs", UserType::Service));
}

async fn every_bad_credential_is_refused_alike(family: &TestFamily) {
    let token = family.app_token("marie").await;
    let (password, machine) = (family.layout.password.as_str(), family.layout.machine_key.as_str());
    let refused = Err((Kind::Unauthenticated, "invalid credentials".to_owned()));
    for (kind, client_id, secret) in [
        ("basic", "einstein", "wrong"),
        ("basic", "unknown", password),
        ("basic", "", password),
        ("appauth", "marie", "dwa_wrong"),
        ("appauth", "einstein", &token),
        ("appauth", "unknown", &token),
        ("machine", "einstein", "wrong"),
        ("serviceaccounts", "jobs", "wrong"),
        ("serviceaccounts", "unknown", family.layout.service_secret.as_str()),
        ("basic", "einstein", ""),
        ("appauth", "marie", ""),
        ("machine", "einstein", ""),
        ("serviceaccounts", "jobs", ""),
    ] {
        let answer = family.authenticate(kind, client_id, secret).await;
        assert_eq!(answer.map(|_| ()), refused.clone().map(|(): ()| ()), "{kind} {client_id:?}");
    }
    let unknown = family.authenticate("machine", "unknown", machine).await.expect_err("there is no such user");
    assert_eq!(unknown.0, Kind::NotFound, "only auth-machine reveals it, and only to a holder of the key");
    let admin = family.authenticate("machine", "admin", machine).await.expect_err("the default policy");
    assert_eq!(admin.0, Kind::PermissionDenied);
    assert_eq!(family.who_am_i("not a token").await.expect_err("no token"), Kind::Unauthenticated);
}

async fn the_gateway_passes_on(family: &TestFamily, types: &[&str]) {
    let mut gateway = family.gateway();
    let listed = gateway.list_auth_providers(ListAuthProvidersRequest::default()).await.unwrap().into_inner().types;
    assert_eq!(listed, types);

    let claim = GetUserByClaimRequest { claim: "username".into(), value: "marie".into(), ..Default::default() };
    let found = gateway.get_user_by_claim(claim).await.unwrap().into_inner();
    assert!(is_ok(found.status.as_ref()));
    assert_eq!(found.user.expect("marie").mail, "marie@example.org");

    let search = FindUsersRequest { filters: encode_query_old("ein"), ..Default::default() };
    let denied = gateway.find_users(search.clone()).await.expect_err("a search needs a token");
    assert_eq!(denied.code(), tonic::Code::Unauthenticated);
    let mut request = Request::new(search);
    let token = MetadataValue::try_from(family.token_of("marie").await).unwrap();
    request.metadata_mut().insert("x-access-token", token);
    let found = gateway.find_users(request).await.unwrap().into_inner();
    assert_eq!(found.users.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(), ["einstein"]);
}

/// A family in which only the service `proxy` may act as users, behind gateways with the family's own certificate.
async fn family_with_named_callers(name: &str, mode: Mode) -> (TestFamily, [Certificates; 2]) {
    let mut layout = Layout::new(name, true);
    layout.set("AUTH_MACHINE_ALLOW_IMPERSONATION", "spiffe://doorward.test/proxy=users");
    layout.set("AUTH_MACHINE_TRUSTED_GATEWAYS", "spiffe://doorward.test/service");
    let issue = |name: &str| Certificates::issue(layout.folder(), name, &format!("spiffe://doorward.test/{name}"));
    let certificates = ["proxy", "other"].map(issue);
    (TestFamily::start_with(layout, mode, |context| context).await, certificates)
}

/// Whether a peer with this certificate, or with the family's own, becomes einstein by the machine key, if it forwards this name.
async fn may_act(
    family: &TestFamily,
    service: ServiceId,
    certificates: Option<&Certificates>,
    forwarded: Option<&'static str>,
) -> bool {
    let channel = match certificates {
        Some(certificates) => family.channel_with(service, certificates),
        None => family.channel(service),
    };
    let (client_id, client_secret) = ("username:einstein".to_owned(), family.layout.machine_key.clone());
    let name = forwarded.map(MetadataValue::from_static);
    let status = if service == ServiceId::Gateway {
        let message = gateway::AuthenticateRequest {
            r#type: "machine".to_owned(),
            client_id,
            client_secret,
            ..Default::default()
        };
        let mut request = Request::new(message);
        if let Some(name) = name {
            request.metadata_mut().insert(CALLER_KEY, name);
        }
        let mut client = gateway::gateway_api_client::GatewayApiClient::new(channel);
        client.authenticate(request).await.expect("the gateway answers").into_inner().status
    } else {
        let message = AuthenticateRequest { client_id, client_secret, ..Default::default() };
        let mut request = Request::new(message);
        if let Some(name) = name {
            request.metadata_mut().insert(CALLER_KEY, name);
        }
        ProviderApiClient::new(channel).authenticate(request).await.expect("auth-machine answers").into_inner().status
    };
    match Kind::from_cs3(status.unwrap_or_default().code) {
        None => true,
        Some(kind) => {
            assert_eq!(kind, Kind::PermissionDenied);
            false
        }
    }
}

const PROXY: Option<&str> = Some("spiffe://doorward.test/proxy");

/// Row M7.
#[tokio::test(flavor = "multi_thread")]
async fn caller_name_is_accepted_from_the_gateway_only() {
    let (family, [proxy, other]) = family_with_named_callers("named-callers", Mode::ProcessesWithTls).await;
    for (service, certificates, forwarded, expected) in [
        (ServiceId::Gateway, Some(&proxy), None, true),
        (ServiceId::Gateway, Some(&other), None, false),
        (ServiceId::Gateway, Some(&other), PROXY, false),
        (ServiceId::AuthMachine, Some(&proxy), None, true),
        (ServiceId::AuthMachine, Some(&other), None, false),
        (ServiceId::AuthMachine, Some(&other), PROXY, false),
        (ServiceId::AuthMachine, None, PROXY, true),
        (ServiceId::AuthMachine, None, None, false),
    ] {
        let may = may_act(&family, service, certificates, forwarded).await;
        let shown = certificates.map(|certificates| certificates.certificate.display());
        assert_eq!(may, expected, "{} {shown:?} {forwarded:?}", service.name());
    }
    family.stop().await;
}

/// Whether a peer with this certificate, or with the family's own, may authenticate at auth-service: its secret is refused as wrong.
async fn may_use_service_accounts(family: &TestFamily, certificates: Option<&Certificates>) -> bool {
    let channel = match certificates {
        Some(certificates) => family.channel_with(ServiceId::AuthService, certificates),
        None => family.channel(ServiceId::AuthService),
    };
    let message = AuthenticateRequest {
        client_id: "unknown".to_owned(),
        client_secret: "wrong".to_owned(),
        ..Default::default()
    };
    let answer = ProviderApiClient::new(channel).authenticate(Request::new(message)).await.expect("it answers");
    match Kind::from_cs3(answer.into_inner().status.unwrap_or_default().code) {
        Some(Kind::PermissionDenied) => false,
        Some(Kind::Unauthenticated) => true,
        other => panic!("{other:?}"),
    }
}

/// The status of the token endpoint for a service account with its secret.
async fn token_for_the_service_account(family: &TestFamily) -> u16 {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("http://{}/konnect/v1/token", family.layout.variables()["IDP_HTTP_ADDR"]);
    let request = http.post(url).basic_auth("jobs", Some(&family.layout.service_secret));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = request.body("grant_type=client_credentials");
    request.send().await.expect("idp answers").status().as_u16()
}

/// Row M11.
#[tokio::test(flavor = "multi_thread")]
async fn machine_keys_and_service_accounts_are_for_callers_with_a_listed_name() {
    let mut layout = Layout::new("listed-callers", true);
    layout.set("GATEWAY_MACHINE_CALLERS", "spiffe://doorward.test/web/*");
    layout.set("AUTH_MACHINE_CALLERS", "gateway.example,spiffe://doorward.test/service");
    layout.set("AUTH_SERVICE_CALLERS", "spiffe://doorward.test/service");
    let issue =
        |name: &str, id: &str| Certificates::issue(layout.folder(), name, &format!("spiffe://doorward.test/{id}"));
    let (proxy, other) = (issue("proxy", "web/proxy"), issue("other", "webs/proxy"));
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    for (service, certificates, expected) in [
        (ServiceId::Gateway, Some(&proxy), true),
        (ServiceId::Gateway, Some(&other), false),
        (ServiceId::Gateway, None, false),
        // the answer that the first caller had is not for others
        (ServiceId::Gateway, Some(&other), false),
        (ServiceId::AuthMachine, None, true),
        (ServiceId::AuthMachine, Some(&proxy), false),
        (ServiceId::AuthMachine, Some(&other), false),
    ] {
        let shown = certificates.map(|certificates| certificates.certificate.display());
        assert_eq!(may_act(&family, service, certificates, None).await, expected, "{} {shown:?}", service.name());
    }
    assert!(!may_act(&family, ServiceId::Gateway, Some(&other), Some("spiffe://doorward.test/web/proxy")).await);
    assert!(may_use_service_accounts(&family, None).await);
    assert!(!may_use_service_accounts(&family, Some(&proxy)).await);
    assert_eq!(token_for_the_service_account(&family).await, 401, "the token endpoint is no way around the lists");
    family.stop().await;
}

/// Row M7: where the gateway is in the same process, its caller is the peer. Row M11: without lists for them, service accounts are clients.
#[tokio::test(flavor = "multi_thread")]
async fn name_of_a_caller_is_that_of_its_certificate_in_one_process() {
    let (family, [proxy, other]) = family_with_named_callers("named-callers-process", Mode::OneProcess).await;
    for (certificates, forwarded, expected) in
        [(&proxy, None, true), (&other, None, false), (&other, PROXY, false), (&proxy, Some("spiffe://a/b"), false)]
    {
        let may = may_act(&family, ServiceId::Gateway, Some(certificates), forwarded).await;
        assert_eq!(may, expected, "{} {forwarded:?}", certificates.certificate.display());
    }
    assert_eq!(token_for_the_service_account(&family).await, 200);
    family.stop().await;
}
