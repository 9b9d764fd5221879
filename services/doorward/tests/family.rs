//! The same questions and the same answers, however the family runs.

use proto::cs3::{
    auth::registry::v1beta1::ListAuthProvidersRequest,
    identity::user::v1beta1::{FindUsersRequest, GetUserByClaimRequest, UserType},
};
use proto::find_users::encode_query_old;
use status::Kind;
use testkit::{Mode, TestFamily, is_ok};
use tonic::{Request, metadata::MetadataValue};

#[tokio::test(flavor = "multi_thread")]
async fn inside_this_process() {
    questions(TestFamily::start("inside", Mode::Inside).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_one_process() {
    questions(TestFamily::start("one-process", Mode::OneProcess).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_process_a_service() {
    questions(TestFamily::start("processes", Mode::Processes).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_process_a_service_with_tls() {
    questions(TestFamily::start("processes-tls", Mode::ProcessesWithTls).await).await;
}

async fn questions(family: TestFamily) {
    every_credential_opens(&family).await;
    every_bad_credential_is_refused_alike(&family).await;
    the_gateway_passes_on(&family).await;
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
        ("basic", "nobody", password),
        ("basic", "", password),
        ("appauth", "marie", "dwa_wrong"),
        ("appauth", "einstein", &token),
        ("appauth", "nobody", &token),
        ("machine", "einstein", "wrong"),
        ("serviceaccounts", "jobs", "wrong"),
        ("serviceaccounts", "nobody", family.layout.service_secret.as_str()),
        ("basic", "einstein", ""),
        ("appauth", "marie", ""),
        ("machine", "einstein", ""),
        ("serviceaccounts", "jobs", ""),
    ] {
        let answer = family.authenticate(kind, client_id, secret).await;
        assert_eq!(answer.map(|_| ()), refused.clone().map(|(): ()| ()), "{kind} {client_id:?}");
    }
    let unknown = family.authenticate("machine", "nobody", machine).await.expect_err("nobody");
    assert_eq!(unknown.0, Kind::NotFound, "only auth-machine tells, and only whoever has the key");
    let admin = family.authenticate("machine", "admin", machine).await.expect_err("the default policy");
    assert_eq!(admin.0, Kind::PermissionDenied);
    assert_eq!(family.who_am_i("not a token").await.expect_err("no token"), Kind::Unauthenticated);
}

async fn the_gateway_passes_on(family: &TestFamily) {
    let mut gateway = family.gateway();
    let types = gateway.list_auth_providers(ListAuthProvidersRequest::default()).await.unwrap().into_inner().types;
    assert_eq!(types, ["appauth", "basic", "machine", "serviceaccounts"]);

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
