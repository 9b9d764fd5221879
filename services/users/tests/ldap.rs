//! Users in a real LDAP server, and the times of their password changes in a database of this service.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authn::{
    Authenticated, Claim, Directory, DirectoryError, Filter, Groups, MailChange, MailChangeError, User, UserId,
    UserType, role,
};
use config::load;
use ldap::testing::{EINSTEIN, GUEST, MARIE, Person, Slapd};
use proto::cs3::identity::tenant::v1beta1::{
    GetTenantByClaimRequest, GetTenantRequest, tenant_api_client::TenantApiClient,
};
use proto::cs3::identity::user::v1beta1::{
    FindUsersRequest, GetUserByClaimRequest, GetUserGroupsRequest, GetUserRequest as GetUserOfIdRequest,
    user_api_client::UserApiClient,
};
use proto::doorward::users::v1::{
    GetMailChangePolicyRequest, GetUserRequest, ListUserNamesRequest, NotePasswordChangeRequest, PersonRef,
    SetVerifiedMailRequest, person_ref, profiles_api_client::ProfilesApiClient,
    users_admin_api_client::UsersAdminApiClient,
};
use runtime::{Clock, Context, Service as _};
use token::{KeyRing, METADATA_KEY, Minter};
use tonic::service::Routes;
use tonic::{Code, Request};
use users::{Config, Users};

const SECRET: &str = "an internal secret of at least 32 bytes";
const NOW: Duration = Duration::from_hours(500_000);

/// The service, with its data in this folder.
async fn start(slapd: &Slapd, data: &str) -> (Arc<dyn Directory>, Routes) {
    start_with(slapd, data, &[]).await
}

async fn start_with(slapd: &Slapd, data: &str, variables: &[(&str, &str)]) -> (Arc<dyn Directory>, Routes) {
    let mut environment = slapd
        .environment()
        .with("USERS_DRIVER", "ldap")
        .with("OCIS_JWT_SECRET", SECRET)
        .with("OCIS_BASE_DATA_PATH", data.to_owned());
    for (name, value) in variables {
        environment = environment.with(*name, *value);
    }
    let config = load::<Config>(&Users::IDENTITY, &environment).expect("valid").config;
    let context = Context { clock: Clock::manual(UNIX_EPOCH + NOW), ..Context::new(environment) };
    let opened = users::open(&config, &context).await.expect("the service opens");
    let app = users::app(&opened, &config, &context).expect("the service is built");
    (opened.directory.clone(), app.grpc.expect("it speaks gRPC"))
}

fn id(opaque_id: &str) -> UserId {
    UserId { opaque_id: opaque_id.to_owned(), ..UserId::default() }
}

fn request<T>(roles: &[&str], message: T) -> Request<T> {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    let caller = User { id: id("operator"), username: "operator".to_owned(), roles, ..User::default() };
    request_of(&Authenticated::full(Arc::new(caller), "pwd"), message)
}

fn request_of<T>(caller: &Authenticated, message: T) -> Request<T> {
    request_with(Some(&token_of(caller, UNIX_EPOCH + NOW)), message)
}

fn token_of(caller: &Authenticated, at: SystemTime) -> String {
    let keys = KeyRing::new(&SECRET.to_owned().into(), None).expect("a secret");
    Minter::new(Arc::new(keys), Duration::from_mins(1), false).mint(at, caller).expect("a token")
}

fn request_with<T>(token: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        request.metadata_mut().insert(METADATA_KEY, token.parse().expect("metadata"));
    }
    request
}

/// The codes with which a user is looked up: by identifier, by login, and for the groups.
async fn look_ups(client: &mut UserApiClient<Routes>, token: Option<&str>, person: &Person) -> [i32; 3] {
    let user_id = || Some((&id(person.id)).into());
    let by_id = GetUserOfIdRequest { user_id: user_id(), ..GetUserOfIdRequest::default() };
    let (claim, value) = ("username".to_owned(), person.uid.to_owned());
    let by_claim = GetUserByClaimRequest { claim, value, ..GetUserByClaimRequest::default() };
    let groups = GetUserGroupsRequest { user_id: user_id(), ..GetUserGroupsRequest::default() };
    let by_id = client.get_user(request_with(token, by_id)).await.expect("answers").into_inner();
    let by_claim = client.get_user_by_claim(request_with(token, by_claim)).await.expect("answers").into_inner();
    let groups = client.get_user_groups(request_with(token, groups)).await.expect("answers").into_inner();
    let is_same = by_id.user.is_some() == by_claim.user.is_some();
    assert!(is_same, "{:?} {:?}", by_id.user, by_claim.user);
    [by_id.status, by_claim.status, groups.status].map(|status| status.unwrap_or_default().code)
}

async fn changed(directory: &Arc<dyn Directory>, login: &str) -> Option<SystemTime> {
    let user = directory.user_by_claim(&Claim::Username(login.to_owned()), Groups::Skip).await;
    user.expect("the user exists").password_changed
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn noted_password_change_is_in_every_answer_and_survives_a_restart() {
    let Some(slapd) = Slapd::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let (directory, routes) = start(&slapd, &data).await;
    assert_eq!(changed(&directory, "einstein").await, None);
    let at = UNIX_EPOCH + NOW - Duration::from_secs(1);
    // the server compares these identifiers regardless of case
    directory.note_password_change(&id(&EINSTEIN.id.to_uppercase()), at, "").await.expect("is noted");
    assert_eq!(changed(&directory, "einstein").await, Some(at));
    assert_eq!(directory.user(&id(EINSTEIN.id), Groups::Include).await.expect("is there").password_changed, Some(at));
    assert_eq!(changed(&directory, "marie").await, None);
    directory.note_password_change(&id(EINSTEIN.id), UNIX_EPOCH, "").await.expect("changes nothing");
    let found = directory.find(&[Filter::Query("einstein".to_owned())], Groups::Skip, "").await.expect("answers");
    assert_eq!((found.len(), found[0].password_changed), (1, Some(at)));
    let unknown = directory.note_password_change(&id("unknown"), at, "").await;
    assert!(matches!(unknown, Err(DirectoryError::NotFound)), "{unknown:?}");
    drop(routes);
    let (directory, _routes) = start(&slapd, &data).await;
    assert_eq!(changed(&directory, "einstein").await, Some(at));
}

#[tokio::test]
async fn administrators_alone_note_password_changes() {
    let Some(slapd) = Slapd::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (directory, routes) = start(&slapd, &folder.path().display().to_string()).await;
    let mut client = UsersAdminApiClient::new(routes);
    let micros = i64::try_from(NOW.as_micros()).expect("fits");
    let message = |user_id: &str, at_micros| NotePasswordChangeRequest { user_id: user_id.to_owned(), at_micros };
    let refused = client.note_password_change(request(&[role::USER], message(MARIE.id, micros))).await;
    assert_eq!(refused.expect_err("is no administrator").code(), Code::PermissionDenied);
    let early = message(MARIE.id, micros + 2 * 3_600 * 1_000_000);
    let refused = client.note_password_change(request(&[role::ADMIN], early)).await;
    assert_eq!(refused.expect_err("lies in the future").code(), Code::InvalidArgument);
    assert_eq!(changed(&directory, "marie").await, None);
    client.note_password_change(request(&[role::ADMIN], message(MARIE.id, micros))).await.expect("is noted");
    assert_eq!(changed(&directory, "marie").await, Some(UNIX_EPOCH + NOW));
    let user = Some(PersonRef { by: Some(person_ref::By::Username("marie".to_owned())) });
    let shown = client.get_user(request(&[role::ADMIN], GetUserRequest { user })).await.expect("is shown");
    assert_eq!(shown.into_inner().user.expect("marie").id, MARIE.id);
}

#[tokio::test]
async fn names_of_many_users_are_found_at_once() {
    let Some(slapd) = Slapd::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (_directory, routes) = start(&slapd, &folder.path().display().to_string()).await;
    let mut client = UsersAdminApiClient::new(routes);
    let message = || ListUserNamesRequest { ids: [EINSTEIN.id, MARIE.id, "unknown"].map(str::to_owned).into() };
    let found = client.list_user_names(request(&[role::ADMIN], message())).await.expect("are found");
    let mut names: Vec<_> = found.into_inner().usernames.into_values().collect();
    names.sort_unstable();
    assert_eq!(names, ["einstein", "marie"]);
    let refused = client.list_user_names(request(&[role::USER], message())).await;
    assert_eq!(refused.expect_err("is no administrator").code(), Code::PermissionDenied);
}

#[tokio::test]
async fn without_a_database_users_are_answered_and_changes_are_not_noted() {
    let Some(slapd) = Slapd::start() else { return };
    let (directory, _routes) = start(&slapd, "/dev/null/data").await;
    assert_eq!(changed(&directory, "einstein").await, None);
    let refused = directory.note_password_change(&id(EINSTEIN.id), UNIX_EPOCH + NOW, "").await;
    assert!(matches!(refused, Err(DirectoryError::ReadOnly)), "{refused:?}");
}

/// [Row L9](../../../docs/security-requirements.md#l9).
#[tokio::test]
async fn mail_addresses_in_ldap_are_only_read() {
    let Some(slapd) = Slapd::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (directory, routes) = start(&slapd, &folder.path().display().to_string()).await;
    let change = MailChange { address: "albert@cloud.example", expected: "" };
    let refused = directory.set_verified_mail(&id(EINSTEIN.id), change).await;
    assert!(matches!(refused, Err(MailChangeError::Directory(DirectoryError::ReadOnly))), "{refused:?}");
    let (mut client, idp) = (ProfilesApiClient::new(routes), token::mail_changer("idp"));
    let policy = client.get_mail_change_policy(request_of(&idp, GetMailChangePolicyRequest {})).await;
    assert!(!policy.expect("answers").into_inner().enabled);
    let (user_id, address) = (EINSTEIN.id.to_owned(), change.address.to_owned());
    let message = SetVerifiedMailRequest { user_id, address, expected: String::new() };
    let refused = client.set_verified_mail(request_of(&idp, message)).await;
    assert_eq!(refused.expect_err("is only read").code(), Code::Unimplemented);
}

/// `docs/security-requirements.md#d43`
#[tokio::test]
async fn users_find_those_of_their_tenant_and_services_all() {
    let Some(slapd) = Slapd::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    // the attribute that is Guest for the visitor and Member for all others
    let tenants = [("OCIS_MULTI_TENANT_ENABLED", "true"), ("OCIS_LDAP_USER_SCHEMA_TENANT_ID", "ownCloudUserType")];
    let (_directory, routes) = start_with(&slapd, &folder.path().display().to_string(), &tenants).await;
    let mut client = UserApiClient::new(routes);
    for (kind, tenant, expected) in [
        (UserType::Primary, "Guest", 1),
        (UserType::Primary, "Member", 5),
        (UserType::Primary, "", 0),
        (UserType::Primary, "*", 0),
        (UserType::Service, "", 6),
    ] {
        let searcher = UserId { kind, tenant_id: tenant.to_owned(), ..id("searcher") };
        let user = User { id: searcher, username: "searcher".to_owned(), ..User::default() };
        let caller = Authenticated::full(Arc::new(user), "pwd");
        let answer = client.find_users(request_of(&caller, FindUsersRequest::default())).await;
        let found = answer.expect("answers").into_inner().users;
        assert_eq!(found.len(), expected, "{kind:?} {tenant:?}");
    }
}

/// `docs/security-requirements.md#d43`
#[tokio::test]
async fn users_look_up_those_of_their_tenant_and_services_all() {
    const FOUND: [i32; 3] = [1; 3];
    const NOT_FOUND: [i32; 3] = [6; 3];
    const UNAUTHENTICATED: [i32; 3] = [9; 3];
    let Some(slapd) = Slapd::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let tenants = [("OCIS_MULTI_TENANT_ENABLED", "true"), ("OCIS_LDAP_USER_SCHEMA_TENANT_ID", "ownCloudUserType")];
    let (_directory, routes) = start_with(&slapd, &data, &tenants).await;
    let mut client = UserApiClient::new(routes);
    let caller = |kind, tenant: &str| {
        let id = UserId { kind, tenant_id: tenant.to_owned(), ..id("caller") };
        Authenticated::full(Arc::new(User { id, username: "caller".to_owned(), ..User::default() }), "pwd")
    };
    let member = caller(UserType::Primary, "Member");
    // a credential for something else is of the same user
    let limited = Authenticated { scopes: token::profile_reader("idp").scopes, ..member.clone() };
    let now = UNIX_EPOCH + NOW;
    let expired = token_of(&member, now - Duration::from_hours(1));
    for (case, token, member, guest) in [
        ("of his tenant", Some(token_of(&member, now)), FOUND, NOT_FOUND),
        ("of limited scope", Some(token_of(&limited, now)), FOUND, NOT_FOUND),
        ("of the guest's tenant", Some(token_of(&caller(UserType::Guest, "Guest"), now)), NOT_FOUND, FOUND),
        ("another case", Some(token_of(&caller(UserType::Primary, "member"), now)), NOT_FOUND, NOT_FOUND),
        ("no tenant", Some(token_of(&caller(UserType::Primary, ""), now)), NOT_FOUND, NOT_FOUND),
        // not as if the users were deleted
        ("expired", Some(expired), UNAUTHENTICATED, UNAUTHENTICATED),
        ("no token of ours", Some("a.b.c".to_owned()), UNAUTHENTICATED, UNAUTHENTICATED),
        ("a service", Some(token_of(&caller(UserType::Service, ""), now)), FOUND, FOUND),
        ("no token, as for sign-in", None, FOUND, FOUND),
    ] {
        assert_eq!(look_ups(&mut client, token.as_deref(), &EINSTEIN).await, member, "{case}");
        assert_eq!(look_ups(&mut client, token.as_deref(), &GUEST).await, guest, "{case}");
    }
    let (_directory, routes) = start(&slapd, &data).await;
    let mut single = UserApiClient::new(routes);
    for token in [Some("a.b.c"), None] {
        assert_eq!(look_ups(&mut single, token, &GUEST).await, FOUND, "users belong to no tenants");
    }
}

/// `docs/security-requirements.md#d43`
#[tokio::test]
async fn services_look_tenants_up_and_users_do_not() {
    let Some(slapd) = Slapd::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    // users are the tenants of this test
    let tenants = [
        ("OCIS_LDAP_TENANT_BASE_DN", "ou=people,dc=example,dc=org"),
        ("OCIS_LDAP_TENANT_OBJECTCLASS", "inetOrgPerson"),
        ("OCIS_LDAP_TENANT_SCHEMA_ID", "uid"),
        ("OCIS_LDAP_TENANT_SCHEMA_EXTERNAL_ID", "mail"),
        ("OCIS_LDAP_TENANT_SCHEMA_NAME", "displayName"),
    ];
    let (_directory, routes) = start_with(&slapd, &data, &tenants).await;
    let mut client = TenantApiClient::new(routes);
    let caller = |kind| {
        let user = User { id: UserId { kind, ..id("caller") }, username: "caller".to_owned(), ..User::default() };
        Authenticated::full(Arc::new(user), "service")
    };
    let by = |claim: &str, value: &str| GetTenantByClaimRequest { claim: claim.to_owned(), value: value.to_owned() };
    let service = caller(UserType::Service);
    for (claim, value, code) in [
        ("externalid", "einstein@example.org", 1),
        ("id", "einstein", 1),
        ("name", "Albert Einstein", 1),
        ("externalid", "EINSTEIN@example.org", 6),
        ("externalid", "*", 6),
        ("externalid", "einstein@example.org)(uid=*", 6),
        ("externalid", "*)(b", 6),
        ("externalid", "", 6),
        // several users have it
        ("externalid", "office@example.org", 15),
        ("uid", "einstein", 4),
    ] {
        let answer = client.get_tenant_by_claim(request_of(&service, by(claim, value))).await;
        let answer = answer.expect("answers").into_inner();
        assert_eq!(answer.status.unwrap_or_default().code, code, "{claim} {value:?}");
        let expected = (code == 1).then(|| ["einstein", "Albert Einstein", "einstein@example.org"].map(str::to_owned));
        assert_eq!(answer.tenant.map(|tenant| [tenant.id, tenant.name, tenant.external_id]), expected);
    }
    let message = GetTenantRequest { tenant_id: "marie".to_owned() };
    let found = client.get_tenant(request_of(&service, message.clone())).await.expect("answers").into_inner();
    assert_eq!(found.tenant.expect("a tenant").id, "marie");

    let refused = client.get_tenant(request_of(&caller(UserType::Primary), message.clone())).await;
    assert_eq!(refused.expect_err("is a user").code(), Code::PermissionDenied);
    let refused = client.get_tenant(request_of(&token::profile_reader("idp"), message.clone())).await;
    assert_eq!(refused.expect_err("is for something else").code(), Code::PermissionDenied);
    let refused = client.get_tenant(message.clone()).await;
    assert_eq!(refused.expect_err("has no token").code(), Code::Unauthenticated);

    let (_directory, routes) = start(&slapd, &data).await;
    let nowhere = TenantApiClient::new(routes).get_tenant(request_of(&service, message)).await.expect("answers");
    assert_eq!(nowhere.into_inner().status.unwrap_or_default().code, 6, "nothing says where tenants are");
}
