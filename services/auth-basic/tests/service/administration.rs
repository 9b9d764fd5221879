//! `PasswordsAPI`.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Bench, JWT_SECRET, PASSWORD, cheap};
use authn::{Authenticated, DirectoryError, User, UserId, role};
use proto::doorward::passwords::v1::passwords_api_client::PasswordsApiClient;
use proto::doorward::passwords::v1::{HasPasswordRequest, RemovePasswordRequest, SetPasswordRequest};
use secrecy::SecretString;
use token::{KeyRing, METADATA_KEY, Minter};
use tonic::service::Routes;
use tonic::{Code, Request};

fn client(bench: &Bench) -> PasswordsApiClient<Routes> {
    let app = auth_basic::app(&bench.opened, &bench.config, &bench.context).expect("the service is built");
    PasswordsApiClient::new(app.grpc.expect("it serves gRPC"))
}

/// A request of someone with these roles.
fn request<T>(bench: &Bench, roles: &[&str], message: T) -> Request<T> {
    let keys = Arc::new(KeyRing::new(&SecretString::from(JWT_SECRET), None).expect("a secret"));
    let id = UserId { opaque_id: "id-of-moss".into(), ..UserId::default() };
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    let answer = Authenticated::full(Arc::new(User { id, roles, ..User::default() }), "pwd");
    let minter = Minter::new(keys, Duration::from_mins(5), false);
    let token = minter.mint(bench.context.clock.now(), &answer).expect("a token");
    let mut request = Request::new(message);
    request.metadata_mut().insert(METADATA_KEY, token.parse().expect("metadata"));
    request
}

fn set(user_id: &str, password: &str) -> SetPasswordRequest {
    SetPasswordRequest { user_id: user_id.into(), password: password.into() }
}

#[tokio::test]
async fn an_administrator_sets_and_removes_passwords() {
    let bench = Bench::start(cheap()).await;
    let mut client = client(&bench);
    let new = "a password that is new";
    bench.directory.password_changes();
    let setting = request(&bench, &[role::ADMIN], set("id-of-marie", new));
    let token = token::from_metadata(setting.metadata()).expect("a token").to_owned();
    client.set_password(setting).await.expect("set");
    let noted = bench.directory.password_changes();
    assert_eq!(
        (noted.len(), noted[0].user_id.as_str(), &noted[0].token),
        (1, "id-of-marie", &token),
        "the caller's own"
    );
    bench.sign_in("marie", new).await.expect("the new password");
    bench.sign_in("marie", PASSWORD).await.expect_err("the old one");
    let has = |user_id: &str| HasPasswordRequest { user_id: user_id.into() };
    let answer = client.has_password(request(&bench, &[role::ADMIN], has("id-of-marie"))).await.expect("an answer");
    assert!(answer.into_inner().has_password);
    for removed in [true, false] {
        let message = RemovePasswordRequest { user_id: "id-of-marie".into() };
        let answer = client.remove_password(request(&bench, &[role::ADMIN], message)).await.expect("an answer");
        assert_eq!(answer.into_inner().removed, removed);
    }
    let answer = client.has_password(request(&bench, &[role::ADMIN], has("id-of-marie"))).await.expect("an answer");
    assert!(!answer.into_inner().has_password);
}

#[tokio::test]
async fn invalid_password_is_refused_with_the_reason() {
    let bench = Bench::start(cheap()).await;
    let mut client = client(&bench);
    let long = "x".repeat(1025);
    for (user_id, password, code) in [
        ("id-of-marie", "short", Code::InvalidArgument),
        ("id-of-marie", "Password123!", Code::InvalidArgument),
        ("id-of-marie", "marie-marie", Code::InvalidArgument),
        ("id-of-marie", "", Code::InvalidArgument),
        ("id-of-marie", &long, Code::InvalidArgument),
        ("", "a password that is new", Code::InvalidArgument),
        ("id-of-unknown", "a password that is new", Code::NotFound),
    ] {
        let error =
            client.set_password(request(&bench, &[role::ADMIN], set(user_id, password))).await.expect_err(password);
        assert_eq!(error.code(), code, "{error}");
        assert!(password.is_empty() || !error.message().contains(password));
    }
    bench.sign_in("marie", PASSWORD).await.expect("nothing has changed");
}

#[tokio::test]
async fn callers_without_administrator_token_are_refused() {
    let bench = Bench::start(cheap()).await;
    let mut client = client(&bench);
    let message = || set("id-of-marie", "a password that is new");
    let error = client.set_password(Request::new(message())).await.expect_err("no token");
    assert_eq!(error.code(), Code::Unauthenticated);
    for roles in [&[][..], &[role::USER], &[role::SPACE_ADMIN]] {
        let error = client.set_password(request(&bench, roles, message())).await.expect_err("no administrator");
        assert_eq!(error.code(), Code::PermissionDenied);
    }
    let late = request(&bench, &[role::ADMIN], message());
    bench.context.clock.advance(Duration::from_mins(10));
    assert_eq!(client.set_password(late).await.expect_err("an old token").code(), Code::PermissionDenied);
}

#[tokio::test]
async fn password_change_without_notification_of_the_directory_fails() {
    let bench = Bench::start(cheap()).await;
    let mut client = client(&bench);
    bench.directory.fail_password_changes(Some(|| DirectoryError::Unavailable("no server answers".into())));
    let setting = request(&bench, &[role::ADMIN], set("id-of-marie", "a password that is new"));
    let error = client.set_password(setting).await.expect_err("the directory was not notified");
    assert!(status::is_partly_done(&error), "the password is changed: {error}");
    assert_eq!(error.code(), Code::Unavailable);
    let message = RemovePasswordRequest { user_id: "id-of-marie".into() };
    let removing = request(&bench, &[role::ADMIN], message);
    let error = client.remove_password(removing).await.expect_err("the directory was not notified");
    assert_eq!((error.code(), error.message().contains("do it again")), (Code::Unavailable, true), "{error}");
}
