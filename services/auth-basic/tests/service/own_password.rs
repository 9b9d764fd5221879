//! `JudgePassword` and `ChangeOwnPassword`.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Bench, HOME, JWT_SECRET, PASSWORD, cheap};
use authn::{Authenticated, DirectoryError, Scopes, User, UserId, amr, role};
use proto::doorward::passwords::v1::passwords_api_client::PasswordsApiClient;
use proto::doorward::passwords::v1::{
    ChangeOwnPasswordRequest, HasPasswordRequest, JudgePasswordRequest, JudgePasswordResponse, NewUserNames,
    PasswordWeakness, ResetPasswordRequest, SetPasswordRequest,
};
use secrecy::SecretString;
use token::{KeyRing, METADATA_KEY, Minter, Verifier};
use tonic::service::Routes;
use tonic::{Code, Request, Status};

const NEW: &str = "a new phrase for tests";

fn client(bench: &Bench) -> PasswordsApiClient<Routes> {
    let app = auth_basic::app(&bench.opened, &bench.config, &bench.context).expect("the service is built");
    PasswordsApiClient::new(app.grpc.expect("it serves gRPC"))
}

fn keys() -> Arc<KeyRing> {
    Arc::new(KeyRing::new(&SecretString::from(JWT_SECRET), None).expect("a secret"))
}

/// What marie may do with the password.
fn marie(roles: &[&str]) -> Authenticated {
    let id = UserId { opaque_id: "id-of-marie".into(), ..UserId::default() };
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    Authenticated::full(Arc::new(User { id, username: "marie".into(), roles, ..User::default() }), "pwd")
}

fn request<T>(bench: &Bench, answer: &Authenticated, message: T) -> Request<T> {
    let token = Minter::new(keys(), Duration::from_mins(5), false).mint(bench.context.clock.now(), answer);
    let mut request = Request::new(message);
    request.metadata_mut().insert(METADATA_KEY, token.expect("a token").parse().expect("metadata"));
    request
}

async fn change(bench: &Bench, answer: &Authenticated, old: &str, new: &str) -> Result<i64, Status> {
    let message = ChangeOwnPasswordRequest { old_password: old.into(), new_password: new.into() };
    let changed = client(bench).change_own_password(request(bench, answer, message)).await?;
    Ok(changed.into_inner().changed_at)
}

async fn judge(bench: &Bench, roles: &[&str], message: JudgePasswordRequest) -> Result<JudgePasswordResponse, Status> {
    Ok(client(bench).judge_password(request(bench, &marie(roles), message)).await?.into_inner())
}

/// `docs/security-requirements.md#b21`
#[tokio::test]
async fn own_password_is_changed_with_the_old_one_and_the_directory_is_notified() {
    let bench = Bench::start(cheap()).await;
    bench.directory.password_changes();
    let changed_at = change(&bench, &marie(&[role::USER]), PASSWORD, NEW).await.expect("is changed");
    bench.sign_in("marie", NEW).await.expect("the new password");
    bench.sign_in("marie", PASSWORD).await.expect_err("the old one");
    let noted = bench.directory.password_changes();
    assert_eq!((noted.len(), noted[0].user_id.as_str()), (1, "id-of-marie"));
    let micros = noted[0].at.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_micros();
    assert_eq!(i64::try_from(micros).expect("fits"), changed_at);
    let claims = Verifier::new(keys()).verify(bench.context.clock.now(), &noted[0].token).expect("a token");
    assert!(claims.is_admin(), "the directory takes the change from an administrator only");
}

/// `docs/security-requirements.md#b21`
#[tokio::test]
async fn own_password_stays_when_the_directory_is_not_notified() {
    let bench = Bench::start(cheap()).await;
    bench.directory.fail_password_changes(Some(|| DirectoryError::Unavailable("no server answers".into())));
    let error = change(&bench, &marie(&[]), PASSWORD, NEW).await.expect_err("the directory was not notified");
    assert_eq!(error.code(), Code::Unavailable);
    bench.sign_in("marie", PASSWORD).await.expect("the old password");
    bench.directory.fail_password_changes(None);
    change(&bench, &marie(&[]), PASSWORD, NEW).await.expect("once more");
    bench.sign_in("marie", NEW).await.expect("the new password");
}

/// `docs/security-requirements.md#b21`
#[tokio::test]
async fn wrong_old_password_changes_nothing_and_is_counted() {
    let bench = Bench::start(cheap()).await;
    bench.directory.password_changes();
    let mut codes = Vec::new();
    for attempt in 0..7 {
        let wrong = format!("the wrong password {attempt}");
        codes.push(change(&bench, &marie(&[]), &wrong, NEW).await.expect_err("is refused").code());
    }
    assert_eq!(codes[..5], [Code::Unauthenticated; 5]);
    assert_eq!(codes[6], Code::ResourceExhausted, "as at sign-in: {codes:?}");
    assert!(bench.directory.password_changes().is_empty());
    bench.sign_in_from(HOME, "marie", PASSWORD).await.expect("is still the password");
}

/// `docs/security-requirements.md#b21`
#[tokio::test]
async fn credentials_of_programs_and_restricted_ones_change_no_password() {
    let bench = Bench::start(cheap()).await;
    let restricted = Authenticated { scopes: Arc::new(Scopes::default()), ..marie(&[role::ADMIN]) };
    let acting = Authenticated { actor: Some("portal".into()), ..marie(&[role::ADMIN]) };
    let of_program = Authenticated { amr: amr::APP.into(), ..marie(&[role::ADMIN]) };
    for answer in [restricted, acting, of_program] {
        let error = change(&bench, &answer, PASSWORD, NEW).await.expect_err("is refused");
        assert_eq!(error.code(), Code::PermissionDenied);
        let message = JudgePasswordRequest { password: NEW.into(), ..JudgePasswordRequest::default() };
        let error = client(&bench).judge_password(request(&bench, &answer, message)).await.expect_err("is refused");
        assert_eq!(error.code(), Code::PermissionDenied);
    }
    bench.sign_in("marie", PASSWORD).await.expect("is still the password");
}

/// `docs/security-requirements.md#b20`
#[tokio::test]
async fn every_door_that_sets_a_password_judges_it() {
    let bench = Bench::start(cheap()).await;
    for weak in ["short", "relativity2026", "marie marie marie", "qwertyuiopasdfghjkl"] {
        let error = change(&bench, &marie(&[]), PASSWORD, weak).await.expect_err("is weak");
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        let message = SetPasswordRequest { user_id: "id-of-marie".into(), password: weak.into() };
        let error = client(&bench).set_password(request(&bench, &marie(&[role::ADMIN]), message)).await;
        assert_eq!(error.expect_err("is weak").code(), Code::InvalidArgument);
    }
    let error = change(&bench, &marie(&[]), PASSWORD, PASSWORD).await.expect_err("is the old one");
    assert_eq!(error.code(), Code::InvalidArgument);
    bench.sign_in("marie", PASSWORD).await.expect("is still the password");
}

/// `docs/security-requirements.md#b20`
#[tokio::test]
async fn stored_weak_password_is_accepted_at_sign_in() {
    let bench = Bench::start(cheap()).await;
    let administration = bench.opened.administration.as_ref().expect("passwords are kept here");
    let weak = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    administration.import("id-of-marie", weak).await.expect("is imported");
    bench.sign_in("marie", "password").await.expect("goes on working");
    change(&bench, &marie(&[]), "password", NEW).await.expect("is changed, and was replaced by the sign-in before");
}

#[tokio::test]
async fn judgement_names_every_weakness() {
    let bench = Bench::start(cheap()).await;
    let message =
        |password: &str| JudgePasswordRequest { password: password.into(), ..JudgePasswordRequest::default() };
    let weak = judge(&bench, &[], message("marie1")).await.expect("is judged");
    let expected = [PasswordWeakness::Short, PasswordWeakness::Context, PasswordWeakness::Guessable];
    assert_eq!(weak.weaknesses().collect::<Vec<_>>(), expected);
    assert_eq!((weak.score, weak.min_characters, weak.min_score), (1, 15, 3));
    let good = judge(&bench, &[], message(NEW)).await.expect("is judged");
    assert!(good.weaknesses.is_empty() && good.score >= 3, "{good:?}");
}

#[tokio::test]
async fn only_administrators_judge_passwords_of_others() {
    let bench = Bench::start(cheap()).await;
    let of_einstein = JudgePasswordRequest {
        password: "einstein einstein".into(),
        user_id: "id-of-einstein".into(),
        ..JudgePasswordRequest::default()
    };
    let names = NewUserNames { username: "einstein".into(), ..NewUserNames::default() };
    let of_new = JudgePasswordRequest { user_id: String::new(), new_user: Some(names), ..of_einstein.clone() };
    for message in [of_einstein, of_new] {
        let error = judge(&bench, &[role::USER], message.clone()).await.expect_err("is refused");
        assert_eq!(error.code(), Code::PermissionDenied);
        let judged = judge(&bench, &[role::ADMIN], message).await.expect("is judged");
        assert!(judged.weaknesses().any(|weakness| weakness == PasswordWeakness::Context), "{judged:?}");
    }
}

/// [Row L7](../../../../docs/security-requirements.md#l7).
#[tokio::test]
async fn lost_password_is_reset_by_the_provider_alone_and_judged_by_the_policy() {
    let bench = Bench::start(cheap()).await;
    bench.directory.password_changes();
    let message = |password: &str| reset_of_marie(password, false);
    let provider = token::password_resetter("idp");
    for other in [marie(&[role::ADMIN]), token::provisioner("idp"), token::profile_reader("idp")] {
        let refused = client(&bench).reset_password(request(&bench, &other, message(NEW))).await;
        assert_eq!(refused.expect_err("only the provider").code(), Code::PermissionDenied, "{other:?}");
    }
    let weak = client(&bench).reset_password(request(&bench, &provider, message("short"))).await;
    assert_eq!(weak.expect_err("too short").code(), Code::InvalidArgument);
    bench.sign_in("marie", PASSWORD).await.expect("nothing has changed");

    let judgement = JudgePasswordRequest { password: "short".into(), user_id: "id-of-marie".into(), new_user: None };
    let judged = client(&bench).judge_password(request(&bench, &provider, judgement)).await.expect("is judged");
    assert!(judged.into_inner().weaknesses().any(|weakness| weakness == PasswordWeakness::Short));

    client(&bench).reset_password(request(&bench, &provider, message(NEW))).await.expect("is set");
    bench.sign_in("marie", NEW).await.expect("the new password");
    bench.sign_in("marie", PASSWORD).await.expect_err("the old one");
    assert!(!bench.directory.password_changes().is_empty(), "the directory is notified");

    let set = SetPasswordRequest { user_id: "id-of-marie".into(), password: PASSWORD.into() };
    let refused = client(&bench).set_password(request(&bench, &provider, set)).await;
    refused.expect_err("the token opens nothing else");
}

fn reset_of_marie(password: &str, is_first: bool) -> ResetPasswordRequest {
    ResetPasswordRequest { user_id: "id-of-marie".into(), new_password: password.into(), first_password: is_first }
}

async fn reset(bench: &Bench, message: ResetPasswordRequest) -> Result<(), Status> {
    client(bench).reset_password(request(bench, &token::password_resetter("idp"), message)).await.map(drop)
}

async fn has_password(bench: &Bench, who: &Authenticated) -> Result<bool, Status> {
    let message = HasPasswordRequest { user_id: "id-of-marie".into() };
    Ok(client(bench).has_password(request(bench, who, message)).await?.into_inner().has_password)
}

/// [Row L8](../../../../docs/security-requirements.md#l8).
#[tokio::test]
async fn only_an_invitation_gives_a_user_the_first_password() {
    let bench = Bench::start(cheap()).await;
    let provider = token::password_resetter("idp");
    let error = reset(&bench, reset_of_marie(NEW, true)).await.expect_err("there is one already");
    assert_eq!(error.code(), Code::FailedPrecondition);
    bench.sign_in("marie", PASSWORD).await.expect("nothing has changed");
    assert!(has_password(&bench, &provider).await.expect("the provider may ask"));

    let administration = bench.opened.administration.as_ref().expect("passwords are kept here");
    administration.remove_password("id-of-marie", "").await.expect("is removed");
    let error = reset(&bench, reset_of_marie(NEW, false)).await.expect_err("there is none to replace");
    assert_eq!(error.code(), Code::FailedPrecondition);
    bench.sign_in("marie", NEW).await.expect_err("there is no password");
    assert!(!has_password(&bench, &provider).await.expect("the provider may ask"));
    has_password(&bench, &marie(&[role::USER])).await.expect_err("users may not ask");

    reset(&bench, reset_of_marie(NEW, true)).await.expect("is set");
    bench.sign_in("marie", NEW).await.expect("the first password");
}

#[tokio::test]
async fn reset_that_the_directory_is_not_notified_of_is_undone() {
    let bench = Bench::start(cheap()).await;
    let away = || DirectoryError::Unavailable("no server answers".into());
    bench.directory.fail_password_changes(Some(away));
    let error = reset(&bench, reset_of_marie(NEW, false)).await.expect_err("the directory was not notified");
    assert_eq!(error.code(), Code::Unavailable);
    bench.sign_in("marie", PASSWORD).await.expect("the old password");

    bench.directory.fail_password_changes(None);
    let administration = bench.opened.administration.as_ref().expect("passwords are kept here");
    administration.remove_password("id-of-marie", "").await.expect("is removed");
    bench.directory.fail_password_changes(Some(away));
    reset(&bench, reset_of_marie(NEW, true)).await.expect_err("the directory was not notified");
    bench.sign_in("marie", NEW).await.expect_err("there is no password");
    bench.directory.fail_password_changes(None);
    reset(&bench, reset_of_marie(NEW, true)).await.expect("once more");
}
