//! `ApplicationsAPI` as unmodified clients of CS3 use it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{Fixture, HOUR};
use auth_app::grpc::applications::Api;
use authn::testing::user;
use authn::{Authenticated, Scopes};
use proto::cs3::auth::applications::v1beta1::{
    AppPassword, GenerateAppPasswordRequest, GetAppPasswordRequest, InvalidateAppPasswordRequest,
    ListAppPasswordsRequest, applications_api_server::ApplicationsApi,
};
use proto::cs3::{identity::user::v1beta1::UserId, rpc::v1beta1::Status, types::v1beta1::Timestamp};
use secrecy::{ExposeSecret, SecretString};
use token::{KeyRing, METADATA_KEY, Minter, Verifier};
use tonic::{Code, Request};

struct Mesh {
    fixture: Fixture,
    api: Api,
    minter: Minter,
}

impl Mesh {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let secret = SecretString::from("an-adequate-secret-of-32-bytes-ok");
        let keys = Arc::new(KeyRing::new(&secret, None).expect("is long enough"));
        let minter = Minter::new(Arc::clone(&keys), HOUR, false);
        let api = Api::new(Arc::clone(&fixture.applications), Verifier::new(keys), fixture.clock.clone());
        Self { fixture, api, minter }
    }

    /// A request in the name of this person, who proved it by this method.
    fn by<T>(&self, name: &str, amr: &'static str, message: T) -> Request<T> {
        let who = Authenticated::full(Arc::new(user(name)), amr);
        let token = self.minter.mint(self.fixture.clock.now(), &who).expect("mints");
        let mut request = Request::new(message);
        request.metadata_mut().insert(METADATA_KEY, token.parse().expect("is ASCII"));
        request
    }

    async fn generate(&self, amr: &'static str, message: GenerateAppPasswordRequest) -> (i32, Option<AppPassword>) {
        let answer = self.api.generate_app_password(self.by("einstein", amr, message)).await.expect("answers");
        let answer = answer.into_inner();
        (code(answer.status), answer.app_password)
    }

    async fn list(&self) -> Vec<AppPassword> {
        let request = self.by("einstein", "pwd", ListAppPasswordsRequest::default());
        let answer = self.api.list_app_passwords(request).await.expect("answers").into_inner();
        assert_eq!(code(answer.status), 1);
        answer.app_passwords
    }

    async fn get(&self, id: &str, password: &str) -> (i32, Option<AppPassword>) {
        let user = Some(UserId { opaque_id: id.into(), ..UserId::default() });
        let request = GetAppPasswordRequest { user, password: password.into(), ..Default::default() };
        let answer = self.api.get_app_password(Request::new(request)).await.expect("needs no token").into_inner();
        (code(answer.status), answer.app_password)
    }

    async fn invalidate(&self, password: &str) -> i32 {
        let message = InvalidateAppPasswordRequest { password: password.into(), ..Default::default() };
        let answer = self.api.invalidate_app_password(self.by("einstein", "pwd", message)).await.expect("answers");
        code(answer.into_inner().status)
    }
}

fn code(status: Option<Status>) -> i32 {
    status.expect("a status").code
}

fn password_request() -> GenerateAppPasswordRequest {
    let token_scope = (&Scopes::full_user()).into();
    GenerateAppPasswordRequest { token_scope, label: "Generated via API".into(), ..Default::default() }
}

#[tokio::test]
async fn a_password_is_made_listed_verified_and_ended() {
    let mesh = Mesh::new().await;
    let (status, made) = mesh.generate("pwd", password_request()).await;
    let made = made.expect("a password");
    assert_eq!((status, made.label.as_str()), (1, "Generated via API"));
    assert_eq!(made.user.as_ref().map(|user| user.opaque_id.as_str()), Some("id-of-einstein"));
    assert_eq!(made.token_scope.keys().collect::<Vec<_>>(), ["user"]);

    let listed = mesh.list().await;
    let [one] = listed.as_slice() else { panic!("not one: {listed:?}") };
    assert_ne!(one.password, made.password, "a list carries the id");
    assert_eq!((one.ctime, one.expiration), (made.ctime, made.expiration));

    let (status, got) = mesh.get("id-of-einstein", &made.password).await;
    let mut got = got.expect("a password");
    // a Go authenticator answers these scopes to its gateway
    assert!(got.token_scope.remove("amr:app").is_some_and(|marker| marker.role == 0));
    assert_eq!((status, &got), (1, one));
    assert_eq!(mesh.get("id-of-marie", &made.password).await, (6, None));
    assert_eq!(mesh.get("id-of-einstein", &one.password).await, (6, None), "an id is no secret");
    assert_eq!(mesh.get("", &made.password).await, (6, None));

    assert_eq!(mesh.invalidate(&one.password).await, 1);
    assert_eq!(mesh.invalidate(&one.password).await, 6);
    assert_eq!(mesh.get("id-of-einstein", &made.password).await, (6, None));
    assert!(mesh.list().await.is_empty());

    let (_, again) = mesh.generate("pwd", password_request()).await;
    assert_eq!(mesh.invalidate(&again.expect("a password").password).await, 1, "the secret will do as well");
}

#[tokio::test]
async fn an_absent_or_zero_expiration_is_the_longest_allowed() {
    let mesh = Mesh::new().await;
    let latest = mesh.fixture.clock.now() + crate::support::YEAR;
    let latest = latest.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    for expiration in [None, Some(Timestamp::default())] {
        let (status, made) =
            mesh.generate("pwd", GenerateAppPasswordRequest { expiration, ..password_request() }).await;
        assert_eq!((status, made.and_then(|made| made.expiration).map(|end| end.seconds)), (1, Some(latest)));
    }
    let past = Timestamp { seconds: 1, nanos: 0 };
    let beyond = Timestamp { seconds: latest + 1, nanos: 0 };
    let absurd = Timestamp { seconds: u64::MAX, nanos: u32::MAX };
    for expiration in [past, beyond, absurd] {
        let message = GenerateAppPasswordRequest { expiration: Some(expiration), ..password_request() };
        assert_eq!(mesh.generate("pwd", message).await, (4, None));
    }
}

#[tokio::test]
async fn invalid_requests_are_refused() {
    let mesh = Mesh::new().await;
    let unscoped = GenerateAppPasswordRequest { token_scope: BTreeMap::new(), ..password_request() };
    assert_eq!(mesh.generate("pwd", unscoped).await.0, 4);
    let long = GenerateAppPasswordRequest { label: "x".repeat(129), ..password_request() };
    assert_eq!(mesh.generate("pwd", long).await.0, 4);
    assert_eq!(mesh.generate("app", password_request()).await.0, 8, "row A9");

    let without = mesh.api.generate_app_password(Request::new(password_request())).await.expect_err("needs a token");
    assert_eq!(without.code(), Code::Unauthenticated);
    let mut wrong = Request::new(password_request());
    wrong.metadata_mut().insert(METADATA_KEY, "junk".parse().expect("is ASCII"));
    let wrong = mesh.api.generate_app_password(wrong).await.expect_err("needs a good token");
    assert_eq!(wrong.code(), Code::PermissionDenied);
    let late = mesh.by("einstein", "pwd", password_request());
    mesh.fixture.clock.advance(HOUR + Duration::from_secs(6));
    let late = mesh.api.generate_app_password(late).await.expect_err("needs a token that is not over");
    assert_eq!(late.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn no_debug_form_shows_a_secret() {
    let mesh = Mesh::new().await;
    let (_, secret) = mesh.fixture.token("einstein", HOUR).await;
    let good = mesh.fixture.authenticate("einstein", secret.expose_secret()).await.expect("is good");
    assert!(!format!("{good:?} {secret:?}").contains(&secret.expose_secret()[4..]));
}
