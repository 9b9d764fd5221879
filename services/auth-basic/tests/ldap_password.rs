//! Users change their own passwords in a real LDAP server: row B22.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use auth_basic::{AuthBasic, Components};
use authn::testing::MemoryDirectory;
use authn::{Authenticated, Credentials, Directory, DirectoryError, User, UserId, amr, role};
use config::load;
use ldap::testing::{EINSTEIN, LISE, MARIE, Options, Person, Slapd};
use proto::doorward::passwords::v1::passwords_api_client::PasswordsApiClient;
use proto::doorward::passwords::v1::{
    ChangeOwnPasswordRequest, HasPasswordRequest, JudgePasswordRequest, NewUserNames, PasswordWeakness,
    RemovePasswordRequest, ResetPasswordRequest, SetPasswordRequest,
};
use runtime::{Clock, Context, Service};
use secrecy::SecretString;
use tempfile::TempDir;
use token::{KeyRing, METADATA_KEY, Minter, Verifier};
use tonic::service::Routes;
use tonic::{Code, Request, Status};

const JWT_SECRET: &str = "a secret of the tests, at least 32 bytes long";
const NEW: &str = "seven otters juggle lamps";

/// The service over a server, and the directory that it notifies.
struct Bench {
    opened: Components,
    client: PasswordsApiClient<Routes>,
    directory: Arc<MemoryDirectory>,
    clock: Clock,
    _folder: TempDir,
}

/// A server that lets users change their passwords.
fn permitted() -> Option<Slapd> {
    Slapd::start_with(Options { self_write: true, ..Options::default() })
}

fn user(person: &Person) -> User {
    let id = UserId { opaque_id: person.id.to_owned(), ..UserId::default() };
    User { id, username: person.uid.to_owned(), mail: person.mail.to_owned(), ..User::default() }
}

impl Bench {
    async fn start(slapd: &Slapd) -> Self {
        Self::start_with(slapd, &[]).await
    }

    async fn start_with(slapd: &Slapd, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut environment = slapd
            .environment()
            .with("AUTH_BASIC_AUTH_MANAGER", "ldap")
            .with("OCIS_JWT_SECRET", JWT_SECRET)
            .with("OCIS_BASE_DATA_PATH", folder.path().display().to_string());
        for (name, value) in more {
            environment = environment.with(*name, *value);
        }
        let config = load::<<AuthBasic as Service>::Config>(&AuthBasic::IDENTITY, &environment).expect("valid").config;
        let directory = MemoryDirectory::new([EINSTEIN, MARIE, LISE].iter().map(user));
        directory.fail_password_changes(None);
        let users: Arc<dyn Directory> = Arc::<MemoryDirectory>::clone(&directory);
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
        let context = Context { clock: clock.clone(), ..Context::new(environment) };
        let opened = auth_basic::open(&config, users, &context).await.expect("the service opens");
        let app = auth_basic::app(&opened, &config, &context).expect("the service is built");
        let client = PasswordsApiClient::new(app.grpc.expect("it serves gRPC"));
        Self { opened, client, directory, clock, _folder: folder }
    }

    fn request<T>(&self, caller: &Authenticated, message: T) -> Request<T> {
        let token = Minter::new(keys(), Duration::from_mins(5), false).mint(self.clock.now(), caller);
        let mut request = Request::new(message);
        request.metadata_mut().insert(METADATA_KEY, token.expect("a token").parse().expect("metadata"));
        request
    }

    async fn change(&self, caller: &Authenticated, old: &str, new: &str) -> Result<i64, Status> {
        let message = ChangeOwnPasswordRequest { old_password: old.into(), new_password: new.into() };
        Ok(self.client.clone().change_own_password(self.request(caller, message)).await?.into_inner().changed_at)
    }

    async fn judge(
        &self,
        caller: &Authenticated,
        message: JudgePasswordRequest,
    ) -> Result<Vec<PasswordWeakness>, Status> {
        let judged = self.client.clone().judge_password(self.request(caller, message)).await?.into_inner();
        Ok(judged.weaknesses().collect())
    }

    async fn signs_in(&self, login: &str, password: &str) -> bool {
        self.opened.authenticator.authenticate(&Credentials::new(login, password)).await.is_ok()
    }
}

fn keys() -> Arc<KeyRing> {
    Arc::new(KeyRing::new(&SecretString::from(JWT_SECRET), None).expect("a secret"))
}

fn caller(person: &Person) -> Authenticated {
    Authenticated::full(Arc::new(user(person)), "pwd")
}

fn own(password: &str) -> JudgePasswordRequest {
    JudgePasswordRequest { password: password.into(), ..JudgePasswordRequest::default() }
}

fn password_refusal(status: &Status) -> Option<&str> {
    status.metadata().get("password-refusal").and_then(|value| value.to_str().ok())
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn own_password_is_changed_with_the_old_one_and_the_directory_is_notified() {
    let Some(slapd) = permitted() else { return };
    let bench = Bench::start(&slapd).await;
    assert!(bench.judge(&caller(&EINSTEIN), own(NEW)).await.expect("is offered").is_empty());
    let changed_at = bench.change(&caller(&EINSTEIN), EINSTEIN.password, NEW).await.expect("is changed");
    assert!(bench.signs_in("einstein", NEW).await);
    let noted = bench.directory.password_changes();
    assert_eq!((noted.len(), noted[0].user_id.as_str()), (1, EINSTEIN.id));
    let micros = noted[0].at.duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
    assert_eq!(i64::try_from(micros).expect("fits"), changed_at);
    let claims = Verifier::new(keys()).verify(bench.clock.now(), &noted[0].token).expect("a token");
    assert!(claims.is_admin(), "the directory takes the change from an administrator only");
}

/// `docs/security-requirements.md#b3`
#[tokio::test]
async fn cached_old_password_ends_with_the_change() {
    let Some(slapd) = permitted() else { return };
    let bench = Bench::start_with(&slapd, &[("AUTH_BASIC_LDAP_LOGIN_ATTRIBUTES", "uid,mail")]).await;
    for login in ["einstein", EINSTEIN.mail] {
        assert!(bench.signs_in(login, EINSTEIN.password).await, "is cached from now on");
    }
    bench.change(&caller(&EINSTEIN), EINSTEIN.password, NEW).await.expect("is changed");
    for login in ["einstein", EINSTEIN.mail] {
        assert!(!bench.signs_in(login, EINSTEIN.password).await, "{login}");
    }
    assert!(bench.signs_in("einstein", NEW).await);
}

#[tokio::test]
async fn users_who_sign_in_by_mail_address_alone_change_their_passwords() {
    let Some(slapd) = permitted() else { return };
    let bench = Bench::start_with(&slapd, &[("AUTH_BASIC_LDAP_LOGIN_ATTRIBUTES", "mail")]).await;
    bench.change(&caller(&MARIE), MARIE.password, NEW).await.expect("is changed");
    assert!(bench.signs_in(MARIE.mail, NEW).await);
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn wrong_old_password_changes_nothing_and_is_counted() {
    let Some(slapd) = permitted() else { return };
    let bench = Bench::start(&slapd).await;
    let mut codes = Vec::new();
    for attempt in 0..7 {
        let wrong = format!("the wrong password {attempt}");
        let error = bench.change(&caller(&EINSTEIN), &wrong, NEW).await.expect_err("is refused");
        assert_eq!(error.metadata().contains_key("retry-after"), error.code() == Code::ResourceExhausted);
        codes.push(error.code());
    }
    assert_eq!(codes[..5], [Code::Unauthenticated; 5]);
    assert_eq!(codes[6], Code::ResourceExhausted, "as at sign-in: {codes:?}");
    assert!(bench.directory.password_changes().is_empty());
    bench.clock.advance(Duration::from_mins(1));
    assert!(bench.signs_in("einstein", EINSTEIN.password).await, "is still the password");
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn disabled_user_changes_no_password() {
    let Some(slapd) = permitted() else { return };
    let bench = Bench::start(&slapd).await;
    let error = bench.change(&caller(&LISE), LISE.password, NEW).await.expect_err("is refused");
    assert_eq!(error.code(), Code::Unauthenticated);
}

/// `docs/security-requirements.md#b20`
#[tokio::test]
async fn policy_judges_a_password_before_the_server_gets_it() {
    let Some(slapd) = permitted() else { return };
    let bench = Bench::start(&slapd).await;
    for weak in ["short", "einstein einstein", "qwertyuiopasdfghjkl", EINSTEIN.password] {
        let error = bench.change(&caller(&EINSTEIN), EINSTEIN.password, weak).await.expect_err("is weak");
        assert_eq!((error.code(), password_refusal(&error)), (Code::InvalidArgument, None), "{error}");
    }
    let weaknesses = bench.judge(&caller(&EINSTEIN), own("einstein1")).await.expect("is judged");
    assert!(weaknesses.contains(&PasswordWeakness::Short) && weaknesses.contains(&PasswordWeakness::Context));
    assert!(bench.signs_in("einstein", EINSTEIN.password).await);
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn refusal_of_the_server_has_its_reason_and_ends_no_session() {
    let Some(slapd) = Slapd::start() else { return };
    let bench = Bench::start(&slapd).await;
    let error = bench.change(&caller(&EINSTEIN), EINSTEIN.password, NEW).await.expect_err("no user may write there");
    assert_eq!((error.code(), password_refusal(&error)), (Code::FailedPrecondition, Some("not-permitted")), "{error}");
    assert!(bench.directory.password_changes().is_empty());
    assert!(bench.signs_in("einstein", EINSTEIN.password).await);
}

#[tokio::test]
async fn rules_of_the_server_are_reported() {
    let password_policy = "pwdInHistory: 3\npwdMinLength: 20\npwdCheckQuality: 2";
    let options = Options { self_write: true, password_policy, ..Options::default() };
    let Some(slapd) = Slapd::start_with(options) else { return };
    let bench = Bench::start(&slapd).await;
    let next = "eight herons paint doors";
    for (old, new, expected) in [
        (EINSTEIN.password, "seven otters juggle", Some("quality")),
        (EINSTEIN.password, NEW, None),
        (NEW, next, None),
        (next, NEW, Some("history")),
    ] {
        let outcome = bench.change(&caller(&EINSTEIN), old, new).await;
        assert_eq!(outcome.as_ref().err().and_then(password_refusal), expected, "{outcome:?}");
        assert_eq!(outcome.is_ok(), expected.is_none(), "{outcome:?}");
    }
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn stopped_server_is_unavailable_and_counts_no_wrong_password() {
    let Some(mut slapd) = permitted() else { return };
    let bench = Bench::start(&slapd).await;
    bench.judge(&caller(&EINSTEIN), own("")).await.expect("is offered");
    slapd.stop();
    for _ in 0..8 {
        let error = bench.change(&caller(&EINSTEIN), EINSTEIN.password, NEW).await.expect_err("no server answers");
        assert_eq!(error.code(), Code::Unavailable, "{error}");
    }
    slapd.restart();
    bench.change(&caller(&EINSTEIN), EINSTEIN.password, NEW).await.expect("is changed, and not throttled");
}

#[tokio::test]
async fn server_that_was_never_reached_offers_no_form() {
    let Some(mut slapd) = permitted() else { return };
    let bench = Bench::start(&slapd).await;
    slapd.stop();
    let error = bench.judge(&caller(&EINSTEIN), own("")).await.expect_err("no server answers");
    assert_eq!(error.code(), Code::Unavailable);
    slapd.restart();
    bench.judge(&caller(&EINSTEIN), own("")).await.expect("is offered");
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn password_stays_when_the_directory_is_not_notified() {
    let Some(slapd) = permitted() else { return };
    let bench = Bench::start(&slapd).await;
    bench.directory.fail_lookups(Some(|| DirectoryError::Unavailable("no server answers".into())));
    let error = bench.change(&caller(&EINSTEIN), EINSTEIN.password, NEW).await.expect_err("is not begun");
    assert_eq!(error.code(), Code::Unavailable);
    bench.directory.fail_lookups(None);
    bench.directory.fail_password_changes(Some(|| DirectoryError::Unavailable("no server answers".into())));
    let error = bench.change(&caller(&EINSTEIN), EINSTEIN.password, NEW).await.expect_err("is put back");
    assert_eq!(error.code(), Code::Unavailable);
    assert!(bench.signs_in("einstein", EINSTEIN.password).await && !bench.signs_in("einstein", NEW).await);
    bench.directory.fail_password_changes(None);
    bench.change(&caller(&EINSTEIN), EINSTEIN.password, NEW).await.expect("once more");
}

/// `docs/security-requirements.md#b21`
#[tokio::test]
async fn credentials_of_programs_and_restricted_ones_change_no_password() {
    let Some(slapd) = permitted() else { return };
    let bench = Bench::start(&slapd).await;
    let restricted = Authenticated { scopes: Arc::default(), ..caller(&EINSTEIN) };
    let acting = Authenticated { actor: Some("portal".into()), ..caller(&EINSTEIN) };
    let of_program = Authenticated { amr: amr::APP.into(), ..caller(&EINSTEIN) };
    for answer in [restricted, acting, of_program] {
        let error = bench.change(&answer, EINSTEIN.password, NEW).await.expect_err("is refused");
        assert_eq!(error.code(), Code::PermissionDenied);
        let error = bench.judge(&answer, own(NEW)).await.expect_err("is refused");
        assert_eq!(error.code(), Code::PermissionDenied);
    }
    assert!(bench.signs_in("einstein", EINSTEIN.password).await);
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn no_password_is_set_without_the_old_one() {
    let Some(slapd) = permitted() else { return };
    let bench = Bench::start(&slapd).await;
    let admin = Authenticated::full(Arc::new(User { roles: vec![role::ADMIN.to_owned()], ..user(&EINSTEIN) }), "pwd");
    let (mut client, user_id) = (bench.client.clone(), MARIE.id.to_owned());
    let set = SetPasswordRequest { user_id: user_id.clone(), password: NEW.to_owned() };
    let set = client.set_password(bench.request(&admin, set)).await.expect_err("of an administrator").code();
    let remove = RemovePasswordRequest { user_id: user_id.clone() };
    let remove = client.remove_password(bench.request(&admin, remove)).await.expect_err("of an administrator").code();
    let has = HasPasswordRequest { user_id: user_id.clone() };
    let has = client.has_password(bench.request(&admin, has)).await.expect_err("of an administrator").code();
    let reset = ResetPasswordRequest { user_id: user_id.clone(), new_password: NEW.to_owned(), first_password: false };
    let provider = token::password_resetter("idp");
    let reset = client.reset_password(bench.request(&provider, reset)).await.expect_err("of the provider").code();
    assert_eq!([set, remove, has, reset], [Code::Unimplemented; 4]);
    // by these answers the provider offers no link, and the administration no form
    let of_another = JudgePasswordRequest { user_id, ..own(NEW) };
    let of_new = JudgePasswordRequest { new_user: Some(NewUserNames::default()), ..own(NEW) };
    for (caller, message) in [(&provider, own("")), (&admin, of_another), (&admin, of_new)] {
        assert_eq!(bench.judge(caller, message).await.expect_err("is refused").code(), Code::Unimplemented);
    }
    assert!(bench.signs_in("marie", MARIE.password).await);
}

#[tokio::test]
async fn change_that_is_switched_off_is_not_offered() {
    let Some(slapd) = permitted() else { return };
    let bench = Bench::start_with(&slapd, &[("AUTH_BASIC_LDAP_PASSWORD_CHANGE", "false")]).await;
    let error = bench.judge(&caller(&EINSTEIN), own("")).await.expect_err("is not offered");
    assert_eq!(error.code(), Code::Unimplemented);
    let error = bench.change(&caller(&EINSTEIN), EINSTEIN.password, NEW).await.expect_err("is not offered");
    assert!(error.code() == Code::Unimplemented && error.message().contains("kept in LDAP"), "{error}");
    assert!(bench.signs_in("einstein", EINSTEIN.password).await);
}
