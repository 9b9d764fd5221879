//! Invitations, over users and auth-basic themselves and a stand-in for idp.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use auth_basic::password::Cost;
use axum::http::header::{CONTENT_TYPE, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{Method, Request as HttpRequest, StatusCode};
use config::TokenManager;
use proto::doorward::idp::v1::{
    GetInvitationPolicyRequest, GetInvitationPolicyResponse, InviteUserRequest, InviteUserResponse,
    invitations_api_server::{InvitationsApi, InvitationsApiServer},
};
use runtime::Clock;
use secrecy::SecretString;
use serde_json::json;
use tempfile::TempDir;
use token::{KeyRing, Verifier, authorize_admin};
use tonic::{Request, Response, Status};

use super::super::support::{ORIGIN_OF_PAGES, SECRET, context};
use super::AdminBench;

const NEW_USER: &str = "/account/admin/users/new";
const USERS: &str = "/account/admin/api/v1/users";
const POLICY: &str = "/account/admin/api/v1/invitation-policy";
const PASSWORD: &str = "seven otters juggle lamps";

/// What the stand-in for idp does, and whom it has invited.
#[derive(Default)]
struct Known {
    sends_no_mail: bool,
    failure: Option<Status>,
    invited: Vec<String>,
}

#[derive(Clone)]
struct FakeInvitations {
    known: Arc<Mutex<Known>>,
    verifier: Verifier,
    clock: Clock,
}

impl FakeInvitations {
    fn new() -> Self {
        let keys = Arc::new(KeyRing::new(&SecretString::from(SECRET), None).expect("is long enough"));
        Self { known: Arc::default(), verifier: Verifier::new(keys), clock: context().clock }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no test has panicked")
    }
}

#[tonic::async_trait]
impl InvitationsApi for FakeInvitations {
    async fn invite_user(&self, request: Request<InviteUserRequest>) -> Result<Response<InviteUserResponse>, Status> {
        authorize_admin(&self.verifier, self.clock.now(), request.metadata())?;
        let mut known = self.known();
        if let Some(failure) = &known.failure {
            return Err(failure.clone());
        }
        known.invited.push(request.into_inner().user_id);
        Ok(Response::new(InviteUserResponse {}))
    }

    async fn get_invitation_policy(
        &self,
        request: Request<GetInvitationPolicyRequest>,
    ) -> Result<Response<GetInvitationPolicyResponse>, Status> {
        authorize_admin(&self.verifier, self.clock.now(), request.metadata())?;
        Ok(Response::new(GetInvitationPolicyResponse { enabled: !self.known().sends_no_mail }))
    }
}

/// The pages with the passwords of auth-basic and the invitations of the stand-in.
async fn bench() -> (AdminBench, FakeInvitations, TempDir) {
    let (folder, context, idp) = (tempfile::tempdir().expect("a folder"), context(), FakeInvitations::new());
    let config = auth_basic::Config {
        database_url: format!("sqlite://{}/auth-basic.db", folder.path().display()).into(),
        token_manager: TokenManager { jwt_secret: SECRET.into(), ..TokenManager::default() },
        argon2: Cost { memory: 64, iterations: 1, parallelism: 1 },
        ..auth_basic::Config::default()
    };
    let server = InvitationsApiServer::new(idp.clone());
    let bench = AdminBench::with(async |administration, directory| {
        let opened = auth_basic::open(&config, directory, &context).await.expect("opens");
        let routes = auth_basic::app(&opened, &config, &context).expect("is built").grpc.expect("gRPC");
        administration.with_auth_basic(routes).with_idp(server)
    });
    (Box::pin(bench).await, idp, folder)
}

#[tokio::test]
async fn new_user_is_invited_and_gets_no_password() {
    let (bench, idp, _folder) = bench().await;
    let mut admin = bench.browser("admin");
    let form = admin.get(NEW_USER).await;
    assert!(form.page.contains("name=\"invite\""), "{}", form.page);
    let csrf = form.field("csrf", 1);
    let fields = |mail, password| {
        [("csrf", &*csrf), ("username", "lise"), ("mail", mail), ("invite", "1"), ("password", password)]
    };
    for (mail, password, field) in [("", "", "mail"), ("lise@example.org", PASSWORD, "password")] {
        let refused = admin.post(NEW_USER, &fields(mail, password)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{field}");
        assert!(refused.page.contains(&format!("id=\"{field}-error\"")), "{}", refused.page);
        assert!(refused.page.contains("invite-hint\" checked"), "the choice stays: {}", refused.page);
        assert!(!refused.page.contains(PASSWORD), "no page contains a password");
    }
    let created = admin.post(NEW_USER, &fields("lise@example.org", "")).await;
    let path = created.location().strip_suffix("?done=invited").expect("an invited user").to_owned();
    assert_eq!(idp.known().invited, [path.rsplit('/').next().expect("an identifier")]);
    let page = admin.get(&format!("/account{}", created.location())).await.page;
    assert!(page.contains("the invitation is on its way"), "{page}");
}

#[tokio::test]
async fn failed_invitation_keeps_the_new_user_and_is_reported() {
    let (bench, idp, _folder) = bench().await;
    let mut admin = bench.browser("admin");
    let csrf = admin.get(NEW_USER).await.field("csrf", 1);
    idp.known().failure = Some(Status::failed_precondition("the mail cannot be sent"));
    let form = [("csrf", &*csrf), ("username", "lise"), ("mail", "lise@example.org"), ("invite", "1")];
    let created = admin.post(NEW_USER, &form).await;
    assert!(created.location().ends_with("?done=created-without-invitation"), "{}", created.location());
    let page = admin.get(&format!("/account{}", created.location())).await.page;
    assert!(page.contains("could not be sent") && page.contains("/invite\""), "{page}");
}

/// Row [N60](../../../../../../docs/security-requirements.md#n60).
#[tokio::test]
async fn invitation_needs_a_recent_sign_in_and_a_form_for_this_user() {
    let (bench, idp, _folder) = bench().await;
    let mut admin = bench.browser("admin");
    let marie = bench.path_of("marie", "");
    assert!(!admin.get(&marie).await.page.contains("/invite\""), "there is no address");
    let csrf = admin.get(&marie).await.field("csrf", 2);
    let change = [("csrf", &*csrf), ("display_name", "Marie"), ("mail", "marie@example.org")];
    assert_eq!(admin.post(&marie, &change).await.status, StatusCode::SEE_OTHER);
    assert!(admin.get(&marie).await.page.contains("Send invitation"));

    let (invite, other) = (bench.path_of("marie", "/invite"), bench.path_of("einstein", "/invite"));
    let csrf = admin.get(&invite).await.field("csrf", 1);
    let of_another_user = admin.get(&other).await.field("csrf", 1);
    assert_eq!(admin.post(&invite, &[("csrf", &of_another_user)]).await.status, StatusCode::FORBIDDEN);
    bench.signed_in(Duration::from_mins(10), "1", false);
    assert_eq!(admin.get(&invite).await.status, StatusCode::SEE_OTHER, "to the sign-in");
    assert_eq!(admin.post(&invite, &[("csrf", &csrf)]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(bench.browser("marie").post(&invite, &[("csrf", &csrf)]).await.status, StatusCode::FORBIDDEN);
    assert!(idp.known().invited.is_empty());

    bench.signed_in(Duration::ZERO, "1", false);
    let sent = admin.post(&invite, &[("csrf", &csrf)]).await;
    assert!(sent.location().ends_with("?done=invite"), "{}", sent.location());
    assert_eq!(idp.known().invited, [bench.user("marie").id.opaque_id]);
    let page = admin.get(&format!("/account{}", sent.location())).await.page;
    assert!(page.contains("The invitation is on its way."), "{page}");
}

#[tokio::test]
async fn nothing_is_offered_where_no_mail_is_sent_or_the_user_has_a_password() {
    let (bench, idp, _folder) = bench().await;
    let mut admin = bench.browser("admin");
    let marie = bench.path_of("marie", "");
    let csrf = admin.get(&marie).await.field("csrf", 2);
    let change = [("csrf", &*csrf), ("display_name", "Marie"), ("mail", "marie@example.org")];
    assert_eq!(admin.post(&marie, &change).await.status, StatusCode::SEE_OTHER);
    idp.known().sends_no_mail = true;
    assert!(!admin.get(NEW_USER).await.page.contains("name=\"invite\""));
    assert!(!admin.get(&marie).await.page.contains("/invite\""));
    idp.known().sends_no_mail = false;
    assert!(admin.get(&marie).await.page.contains("/invite\""));
    let password = bench.path_of("marie", "/password");
    let csrf = admin.get(&password).await.field("csrf", 1);
    let set = admin.post(&password, &[("csrf", &csrf), ("password", PASSWORD)]).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.page);
    assert!(!admin.get(&marie).await.page.contains("/invite\""), "the user has a password");
}

#[tokio::test]
async fn new_user_is_invited_by_the_api() {
    let (bench, idp, _folder) = bench().await;
    let mut admin = bench.browser("admin");
    for (change, parameter) in [
        (json!({ "username": "lise", "invite": true }), "mail"),
        (json!({ "username": "lise", "mail": "lise@example.org", "password": PASSWORD, "invite": true }), "password"),
    ] {
        let refused = admin.call(Method::POST, USERS, &change).await;
        assert_eq!((refused.status, &refused.json()["parameter"]), (StatusCode::BAD_REQUEST, &json!(parameter)));
    }
    idp.known().sends_no_mail = true;
    assert_eq!(admin.read(POLICY).await.json(), json!({ "enabled": false }));
    let new = json!({ "username": "lise", "mail": "lise@example.org", "invite": true });
    let refused = admin.call(Method::POST, USERS, &new).await;
    assert_eq!((refused.status, &refused.json()["parameter"]), (StatusCode::BAD_REQUEST, &json!("invite")));
    assert!(!admin.read(USERS).await.page.contains("lise"), "a request that is refused creates no user");

    idp.known().sends_no_mail = false;
    assert_eq!(admin.read(POLICY).await.json(), json!({ "enabled": true }));
    let created = admin.call(Method::POST, USERS, &new).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.page);
    let body = created.json();
    assert_eq!((&body["invited"], &body["password_set"]), (&json!(true), &json!(false)));
    assert_eq!(idp.known().invited, [body["user"]["id"].as_str().expect("an identifier")]);

    idp.known().failure = Some(Status::failed_precondition("the mail cannot be sent"));
    let other = json!({ "username": "otto", "mail": "otto@example.org", "invite": true });
    let created = admin.call(Method::POST, USERS, &other).await;
    assert_eq!((created.status, &created.json()["invited"]), (StatusCode::CREATED, &json!(false)), "the user stays");
    let with_password = json!({ "username": "anna", "mail": "anna@example.org", "password": PASSWORD });
    let created = admin.call(Method::POST, USERS, &with_password).await.json();
    assert_eq!((&created["invited"], &created["password_set"]), (&json!(false), &json!(true)));
}

/// Rows [N60](../../../../../../docs/security-requirements.md#n60) and [N51](../../../../../../docs/security-requirements.md#n51).
#[tokio::test]
async fn invitation_by_the_api_needs_a_recent_sign_in_and_a_request_of_no_other_site() {
    let (bench, idp, _folder) = bench().await;
    let mut admin = bench.browser("admin");
    let path = format!("{USERS}/{}/invitation", bench.user("marie").id.opaque_id);
    for (content_type, origin, status) in [
        ("text/plain", ORIGIN_OF_PAGES, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json", "https://evil.example", StatusCode::FORBIDDEN),
    ] {
        let request = HttpRequest::post(&path).header(CONTENT_TYPE, content_type).header(ORIGIN, origin);
        assert_eq!(admin.send(request, "{}".to_owned()).await.status, status);
    }
    let unknown = admin.call(Method::POST, &path, &json!({ "mail": "other@example.org" })).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST, "{}", unknown.page);
    assert_eq!(bench.browser("marie").call(Method::POST, &path, &json!({})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(bench.browser("marie").read(POLICY).await.status, StatusCode::FORBIDDEN);
    bench.signed_in(Duration::from_mins(11), "1", false);
    let refused = admin.call(Method::POST, &path, &json!({})).await;
    let challenge = refused.headers[WWW_AUTHENTICATE].to_str().expect("text");
    assert!(refused.status == StatusCode::FORBIDDEN && challenge.contains("max_age=\"600\""), "{challenge}");
    assert!(idp.known().invited.is_empty());

    bench.signed_in(Duration::ZERO, "1", false);
    let sent = admin.call(Method::POST, &path, &json!({})).await;
    assert_eq!(sent.status, StatusCode::NO_CONTENT, "{}", sent.page);
    assert_eq!(idp.known().invited, [bench.user("marie").id.opaque_id]);
    idp.known().failure = Some(Status::failed_precondition("the user has a password"));
    let refused = admin.call(Method::POST, &path, &json!({})).await;
    let detail = refused.json()["detail"].clone();
    assert_eq!((refused.status, detail), (StatusCode::PRECONDITION_FAILED, json!("the user has a password")));
}

#[tokio::test]
async fn invitations_need_an_idp() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    assert_eq!(admin.read(POLICY).await.json(), json!({ "enabled": false }));
    let path = format!("{USERS}/{}/invitation", bench.user("marie").id.opaque_id);
    assert_eq!(admin.call(Method::POST, &path, &json!({})).await.status, StatusCode::NOT_FOUND);
}
