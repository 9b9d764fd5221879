//! The service as its callers see it: over gRPC, in this process.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use authn::directory::Searchable;
use authn::{Authenticated, Claim, Directory, DirectoryError, Groups, Scopes, User, UserId, directory::Remote, role};
use config::{Environment, Secret};
use proto::{
    cs3::{
        identity::user::v1beta1::{GetUserByClaimRequest, user_api_client::UserApiClient},
        rpc::v1beta1::Code as Cs3,
    },
    doorward::users::v1::{
        AddMemberRequest, CreateGroupRequest, CreateUserRequest, DeleteUserRequest, ExpectedUser, GetUserRequest,
        GroupRef, ListUserNamesRequest, ListUsersRequest, NotePasswordChangeRequest, PersonRef, PersonStatus, RoleList,
        UpdateUserRequest, group_ref, person_ref, users_admin_api_client::UsersAdminApiClient,
    },
};
use runtime::Context;
use store::testing::{self, TestDatabase};
use token::{KeyRing, METADATA_KEY, Minter};
use tokio::net::TcpListener;
use tonic::{
    Code, Request,
    service::Routes,
    transport::{Channel, Server, server::TcpIncoming},
};
use users::Config;

const SECRET: &str = "an internal secret of at least 32 bytes";

struct Service {
    routes: Routes,
    directory: Arc<dyn Directory>,
    context: Context,
    _database: TestDatabase,
}

impl Service {
    async fn start() -> Self {
        let database = testing::database();
        let mut config = Config { database_url: Secret::from(database.url()), ..Config::default() };
        config.token_manager.jwt_secret = Secret::from(SECRET);
        let context = Context::new(Environment::default());
        let opened = users::open(&config, &context).await.expect("the database opens");
        let app = users::app(&opened, &config, &context).expect("the service is built");
        for check in &app.checks {
            (check.probe)().await.expect("the service is ready");
        }
        Self {
            routes: app.grpc.expect("it speaks gRPC"),
            directory: opened.directory.clone(),
            context,
            _database: database,
        }
    }

    fn admin(&self) -> UsersAdminApiClient<Routes> {
        UsersAdminApiClient::new(self.routes.clone())
    }

    /// A token of a user with these roles.
    fn token(&self, roles: &[&str], scopes: Scopes) -> String {
        let id = UserId { opaque_id: "caller".to_owned(), ..UserId::default() };
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let user = User { id, username: "caller".to_owned(), roles, ..User::default() };
        let caller = Authenticated { scopes: scopes.into(), ..Authenticated::full(Arc::new(user), "pwd") };
        let keys = KeyRing::new(&SECRET.to_owned().into(), None).unwrap();
        let minter = Minter::new(Arc::new(keys), Duration::from_mins(1), false);
        minter.mint(self.context.clock.now(), &caller).unwrap()
    }

    /// A request with a token of a user with these roles.
    fn by<T>(&self, roles: &[&str], scopes: Scopes, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(METADATA_KEY, self.token(roles, scopes).parse().unwrap());
        request
    }

    fn by_admin<T>(&self, message: T) -> Request<T> {
        self.by(&[role::ADMIN], Scopes::full_user(), message)
    }
}

/// A way to these services through a socket.
async fn channel(routes: Routes) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Server::builder().add_routes(routes).serve_with_incoming(TcpIncoming::from(listener)));
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

fn marie() -> CreateUserRequest {
    CreateUserRequest {
        username: "marie".to_owned(),
        mail: "marie@example.org".to_owned(),
        roles: vec!["spaceadmin".to_owned()],
        ..CreateUserRequest::default()
    }
}

fn who(username: &str) -> PersonRef {
    PersonRef { by: Some(person_ref::By::Username(username.to_owned())) }
}

#[tokio::test]
async fn only_administrators_administer() {
    let service = Service::start().await;
    let mut admin = service.admin();
    assert_eq!(admin.create_user(marie()).await.unwrap_err().code(), Code::Unauthenticated);
    let forged = {
        let mut request = Request::new(marie());
        request.metadata_mut().insert(METADATA_KEY, "a.b.c".parse().unwrap());
        request
    };
    assert_eq!(admin.create_user(forged).await.unwrap_err().code(), Code::PermissionDenied);
    for (roles, scopes) in [(&[role::USER][..], Scopes::full_user()), (&[role::ADMIN][..], Scopes::default())] {
        let refused = admin.create_user(service.by(roles, scopes.clone(), marie())).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        let list = service.by(roles, scopes, ListUsersRequest::default());
        assert_eq!(admin.list_users(list).await.unwrap_err().code(), Code::PermissionDenied);
    }
    let listed = admin.list_users(service.by_admin(ListUsersRequest::default())).await.unwrap().into_inner();
    assert!(listed.users.is_empty(), "nothing came of all that");
}

#[tokio::test]
async fn disabled_user_is_returned_as_disabled_on_the_next_request() {
    let service = Service::start().await;
    let mut admin = service.admin();
    let created = admin.create_user(service.by_admin(marie())).await.unwrap().into_inner().user.unwrap();
    assert_eq!((created.display_name.as_str(), created.status()), ("marie", PersonStatus::Active));
    assert_eq!(created.roles, ["spaceadmin"]);

    let mut users = UserApiClient::new(service.routes.clone());
    let request =
        GetUserByClaimRequest { claim: "username".to_owned(), value: "marie".to_owned(), ..Default::default() };
    let found = users.get_user_by_claim(request.clone()).await.unwrap().into_inner();
    assert_eq!(found.status.unwrap().code(), Cs3::Ok);
    assert_eq!(found.user.unwrap().id.unwrap().opaque_id, created.id);

    let disable = UpdateUserRequest {
        user: Some(who("marie")),
        status: Some(PersonStatus::Disabled.into()),
        ..UpdateUserRequest::default()
    };
    let updated = admin.update_user(service.by_admin(disable)).await.unwrap().into_inner().user.unwrap();
    assert_eq!((updated.status(), updated.mail.as_str()), (PersonStatus::Disabled, "marie@example.org"));
    let found = users.get_user_by_claim(request).await.unwrap().into_inner();
    assert_eq!(found.user.unwrap().status, 2, "USER_STATUS_BLOCKED");
}

#[tokio::test]
async fn refusals_have_the_status_of_their_reason() {
    let service = Service::start().await;
    let mut admin = service.admin();
    admin.create_user(service.by_admin(marie())).await.unwrap();
    let again = CreateUserRequest { mail: String::new(), ..marie() };
    let taken = admin.create_user(service.by_admin(again)).await.unwrap_err();
    assert_eq!((taken.code(), taken.message()), (Code::AlreadyExists, "the username is already taken"));
    let bad = CreateUserRequest { username: "a:b".to_owned(), ..CreateUserRequest::default() };
    assert_eq!(admin.create_user(service.by_admin(bad)).await.unwrap_err().code(), Code::InvalidArgument);
    let unsaid = GetUserRequest { user: None };
    assert_eq!(admin.get_user(service.by_admin(unsaid)).await.unwrap_err().code(), Code::InvalidArgument);
    let unknown = GetUserRequest { user: Some(who("pierre")) };
    assert_eq!(admin.get_user(service.by_admin(unknown)).await.unwrap_err().code(), Code::NotFound);
    // nothing is changed if something else is stored than was expected
    for expected in [
        ExpectedUser { mail: Some(String::new()), ..ExpectedUser::default() },
        ExpectedUser { roles: Some(RoleList::default()), ..ExpectedUser::default() },
        ExpectedUser { status: Some(PersonStatus::Disabled.into()), ..ExpectedUser::default() },
    ] {
        let name = Some("Manya".to_owned());
        let change = UpdateUserRequest { user: Some(who("marie")), display_name: name, ..Default::default() };
        let change = UpdateUserRequest { expected: Some(expected), ..change };
        assert_eq!(admin.update_user(service.by_admin(change)).await.unwrap_err().code(), Code::Aborted);
    }
    let no_status = UpdateUserRequest { user: Some(who("marie")), status: Some(0), ..UpdateUserRequest::default() };
    assert_eq!(admin.update_user(service.by_admin(no_status)).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn names_of_many_users_are_found_at_once() {
    let service = Service::start().await;
    let mut admin = service.admin();
    let created = admin.create_user(service.by_admin(marie())).await.unwrap().into_inner().user.unwrap();
    let ids = |ids: &[&str]| ListUserNamesRequest { ids: ids.iter().map(|&id| id.to_owned()).collect() };
    let request = ids(&[&created.id, &created.id, "", "unknown", "\0"]);
    let found = admin.list_user_names(service.by_admin(request)).await.unwrap().into_inner().usernames;
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [(created.id.clone(), "marie".to_owned())]);
    let none = admin.list_user_names(service.by_admin(ids(&[]))).await.unwrap().into_inner().usernames;
    assert!(none.is_empty());
    assert!(admin.list_user_names(service.by_admin(ids(&["x"; 500]))).await.is_ok());
    let too_many = admin.list_user_names(service.by_admin(ids(&["x"; 501]))).await.unwrap_err();
    assert_eq!(too_many.code(), Code::InvalidArgument);
    let by_user = service.by(&[role::USER], Scopes::full_user(), ids(&[&created.id]));
    assert_eq!(admin.list_user_names(by_user).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn groups_are_named_in_answers() {
    let service = Service::start().await;
    let mut admin = service.admin();
    admin.create_user(service.by_admin(marie())).await.unwrap();
    let group = CreateGroupRequest { name: "physics".to_owned(), ..CreateGroupRequest::default() };
    let group = admin.create_group(service.by_admin(group)).await.unwrap().into_inner().group.unwrap();
    let by_id = Some(GroupRef { by: Some(group_ref::By::Id(group.id)) });
    let add = AddMemberRequest { group: by_id, user: Some(who("marie")) };
    assert!(admin.add_member(service.by_admin(add)).await.unwrap().into_inner().changed);
    let person =
        admin.get_user(service.by_admin(GetUserRequest { user: Some(who("marie")) })).await.unwrap().into_inner();
    assert_eq!(person.user.unwrap().groups, ["physics"]);
}

#[tokio::test]
async fn another_process_reports_changed_passwords() {
    let service = Service::start().await;
    let created = service.admin().create_user(service.by_admin(marie())).await.unwrap().into_inner().user.unwrap();
    let directory = Remote::users(channel(service.routes.clone()).await);
    let changed = async || {
        let claim = Claim::Username("marie".to_owned());
        directory.user_by_claim(&claim, Groups::Skip).await.unwrap().password_changed
    };
    let id = UserId { opaque_id: created.id, ..UserId::default() };
    let at = UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001);
    let tokens = [service.token(&[role::USER], Scopes::full_user()), "a.b.c".to_owned(), String::new()];
    for token in tokens.iter().chain([&"\n".to_owned()]) {
        let refused = directory.note_password_change(&id, at, token).await;
        assert!(matches!(refused, Err(DirectoryError::Unauthenticated)), "{token:?}: {refused:?}");
    }
    assert_eq!(changed().await, None);

    let token = service.token(&[role::ADMIN], Scopes::full_user());
    directory.note_password_change(&id, at, &token).await.unwrap();
    assert_eq!(changed().await, Some(at));
    directory.note_password_change(&id, UNIX_EPOCH, &token).await.unwrap();
    assert_eq!(changed().await, Some(at), "never earlier");
    assert_eq!(directory.user(&id, Groups::Skip).await.unwrap().password_changed, Some(at));
    let absent = UserId { opaque_id: "unknown".to_owned(), ..UserId::default() };
    let unknown = directory.note_password_change(&absent, at, &token).await;
    assert!(matches!(unknown, Err(DirectoryError::NotFound)), "{unknown:?}");
}

#[tokio::test]
async fn a_time_that_cannot_be_is_refused() {
    let service = Service::start().await;
    let created = service.admin().create_user(service.by_admin(marie())).await.unwrap().into_inner().user.unwrap();
    for at_micros in [i64::MIN, -1, i64::MAX] {
        let request = NotePasswordChangeRequest { user_id: created.id.clone(), at_micros };
        let refused = service.admin().note_password_change(service.by_admin(request)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{at_micros}");
    }
}

#[tokio::test]
async fn password_change_is_rejected_by_a_read_only_directory() {
    let service = Service::start().await;
    let token = service.token(&[role::ADMIN], Scopes::full_user());
    // as with people in LDAP: no administration is served
    let without = channel(Routes::new(authn::directory::serve(
        service.directory.clone(),
        (Arc::new(|_| Some(Searchable::All)), Arc::new(|_| Some(Searchable::All))),
        None,
    )))
    .await;
    for directory in [Remote::users(without.clone()), Remote::gateway(without)] {
        let outcome = directory.note_password_change(&UserId::default(), UNIX_EPOCH, &token).await;
        assert!(matches!(outcome, Err(DirectoryError::ReadOnly)), "{outcome:?}");
    }
}

#[tokio::test]
async fn notification_of_an_unreachable_directory_fails_as_unavailable() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let directory = Remote::users(Channel::from_shared(format!("http://{gone}")).unwrap().connect_lazy());
    let outcome = directory.note_password_change(&UserId::default(), UNIX_EPOCH, "token").await;
    assert!(matches!(outcome, Err(DirectoryError::Unavailable(_))), "{outcome:?}");
}

#[tokio::test]
async fn provisioner_only_creates_and_updates_users() {
    let service = Service::start().await;
    let keys = Arc::new(KeyRing::new(&SECRET.to_owned().into(), None).unwrap());
    let minter = Minter::new(keys, Duration::from_mins(1), true);
    let token = minter.mint(service.context.clock.now(), &token::provisioner("auth-bearer")).unwrap();
    let mut admin = service.admin();
    let new = CreateUserRequest { username: "bohr".to_owned(), ..CreateUserRequest::default() };
    let bohr = admin.create_user(provisioning(&token, new)).await.expect("makes").into_inner().user.expect("a person");
    let user = || Some(PersonRef { by: Some(person_ref::By::Id(bohr.id.clone())) });
    let group = || Some(GroupRef { by: Some(group_ref::By::Name("physics".to_owned())) });
    let named = CreateGroupRequest { name: "physics".to_owned(), ..CreateGroupRequest::default() };
    admin.create_group(provisioning(&token, named)).await.expect("makes a group");
    admin.add_member(provisioning(&token, AddMemberRequest { group: group(), user: user() })).await.expect("adds");
    let found =
        admin.get_user(provisioning(&token, GetUserRequest { user: user() })).await.expect("reads").into_inner();
    assert_eq!(found.user.expect("a person").groups, ["physics"]);
    let change = UpdateUserRequest { user: user(), display_name: Some("Niels".to_owned()), ..Default::default() };
    admin.update_user(provisioning(&token, change)).await.expect("changes");

    let disabled = Some(PersonStatus::Disabled.into());
    for change in [
        UpdateUserRequest { user: user(), status: disabled, ..Default::default() },
        UpdateUserRequest { user: user(), uid_number: Some(1), ..Default::default() },
        UpdateUserRequest { user: user(), gid_number: Some(1), ..Default::default() },
    ] {
        let refused = admin.update_user(provisioning(&token, change)).await.expect_err("is for administrators");
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    let listed =
        admin.list_users(provisioning(&token, ListUsersRequest::default())).await.expect_err("is for administrators");
    let deleted = DeleteUserRequest { user: user() };
    let deleted = admin.delete_user(provisioning(&token, deleted)).await.expect_err("is for administrators");
    let noted = NotePasswordChangeRequest { user_id: bohr.id.clone(), at_micros: 1 };
    let noted = admin.note_password_change(provisioning(&token, noted)).await.expect_err("is for administrators");
    for refused in [listed, deleted, noted] {
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
}

fn provisioning<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(METADATA_KEY, token.parse().unwrap());
    request
}
