//! `ProfilesAPI` as its callers see it: over gRPC, in this process and through a socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use authn::directory::Remote;
use authn::{
    Attribute, Authenticated, Claim, Directory, DirectoryError, Groups, MailChange, MailChangeError, Scopes, User,
    UserId, amr, role,
};
use config::{Environment, Secret};
use proto::doorward::users::v1::{
    AddMemberRequest, CreateGroupRequest, CreateUserRequest, DeleteUserRequest, GetMailChangePolicyRequest,
    GetProfileRequest, GroupRef, ListGroupNamesRequest, PersonRef, PersonStatus, SetProfileRequest,
    SetVerifiedMailRequest, UpdateUserRequest, UserProfile, group_ref, person_ref,
    profiles_api_client::ProfilesApiClient, users_admin_api_client::UsersAdminApiClient,
};
use runtime::Context;
use store::testing::{self, TestDatabase};
use token::{KeyRing, METADATA_KEY, Minter};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request};
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
        Self::with(Config::default()).await
    }

    /// Users may change their mail address.
    async fn with_mail_changes() -> Self {
        Self::with(Config { self_service_attributes: vec!["mail".to_owned()], ..Config::default() }).await
    }

    async fn with(config: Config) -> Self {
        let database = testing::database();
        let mut config = Config { database_url: Secret::from(database.url()), ..config };
        config.token_manager.jwt_secret = Secret::from(SECRET);
        let context = Context::new(Environment::default());
        // boxed: what the service needs while it opens is large, and is part of each test
        let opened = Box::pin(users::open(&config, &context)).await.expect("the database opens");
        let app = users::app(&opened, &config, &context).expect("the service is built");
        let directory = opened.directory.clone();
        Self { routes: app.grpc.expect("it speaks gRPC"), directory, context, _database: database }
    }

    fn profiles(&self) -> ProfilesApiClient<Routes> {
        ProfilesApiClient::new(self.routes.clone())
    }

    fn admin(&self) -> UsersAdminApiClient<Routes> {
        UsersAdminApiClient::new(self.routes.clone())
    }

    fn mint(&self, caller: &Authenticated) -> String {
        let keys = KeyRing::new(&SECRET.to_owned().into(), None).unwrap();
        Minter::new(Arc::new(keys), Duration::from_mins(1), false).mint(self.context.clock.now(), caller).unwrap()
    }

    /// A request with the token of this caller.
    fn by<T>(&self, caller: &Authenticated, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(METADATA_KEY, self.mint(caller).parse().unwrap());
        request
    }

    fn by_admin<T>(&self, message: T) -> Request<T> {
        self.by(&caller("operator", &[role::ADMIN]), message)
    }

    /// Adds a user; returns the identifier.
    async fn add(&self, username: &str) -> String {
        let message = CreateUserRequest { username: username.to_owned(), ..CreateUserRequest::default() };
        self.admin().create_user(self.by_admin(message)).await.unwrap().into_inner().user.unwrap().id
    }

    async fn set_mail(&self, caller: &Authenticated, user_id: &str, change: MailChange<'_>) -> Result<(), Code> {
        let (address, expected) = (change.address.to_owned(), change.expected.to_owned());
        let message = SetVerifiedMailRequest { user_id: user_id.to_owned(), address, expected };
        let outcome = self.profiles().set_verified_mail(self.by(caller, message)).await;
        outcome.map(drop).map_err(|status| status.code())
    }

    async fn may_change_mail(&self, caller: &Authenticated) -> bool {
        let request = self.by(caller, GetMailChangePolicyRequest {});
        self.profiles().get_mail_change_policy(request).await.unwrap().into_inner().enabled
    }

    async fn writable(&self, caller: &Authenticated) -> Vec<String> {
        let request = self.by(caller, GetProfileRequest { user: Some(by_name("marie")) });
        self.profiles().get_profile(request).await.unwrap().into_inner().writable
    }

    async fn mail(&self, id: &str) -> String {
        let id = UserId { opaque_id: id.to_owned(), ..UserId::default() };
        self.directory.user(&id, Groups::Skip).await.unwrap().mail.clone()
    }

    async fn update(&self, message: UpdateUserRequest) {
        self.admin().update_user(self.by_admin(message)).await.unwrap();
    }

    async fn set(&self, caller: &Authenticated, message: SetProfileRequest) -> Result<UserProfile, Code> {
        let outcome = self.profiles().set_profile(self.by(caller, message)).await;
        outcome.map(|response| response.into_inner().profile.unwrap()).map_err(|status| status.code())
    }

    async fn get(&self, caller: &Authenticated, username: &str) -> Result<UserProfile, Code> {
        let request = self.by(caller, GetProfileRequest { user: Some(by_name(username)) });
        let outcome = self.profiles().get_profile(request).await;
        outcome.map(|response| response.into_inner().profile.unwrap()).map_err(|status| status.code())
    }
}

fn caller(id: &str, roles: &[&str]) -> Authenticated {
    let id = UserId { opaque_id: id.to_owned(), ..UserId::default() };
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    Authenticated::full(Arc::new(User { id, username: "caller".to_owned(), roles, ..User::default() }), "pwd")
}

fn by_name(username: &str) -> PersonRef {
    PersonRef { by: Some(person_ref::By::Username(username.to_owned())) }
}

fn change(username: &str, attributes: &[(&str, &str)]) -> SetProfileRequest {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    SetProfileRequest { user: Some(by_name(username)), attributes, ..SetProfileRequest::default() }
}

fn names(attributes: &[(&str, &str)]) -> BTreeMap<String, String> {
    change("", attributes).attributes
}

#[tokio::test]
async fn administrator_changes_single_attributes_and_an_empty_text_removes_one() {
    let service = Service::start().await;
    service.add("marie").await;
    let admin = caller("operator", &[role::ADMIN]);
    assert_eq!(service.get(&admin, "marie").await.unwrap().attributes, BTreeMap::new());
    let verified = SetProfileRequest {
        phone_number_verified: Some(true),
        display_name: Some("Marie Curie".to_owned()),
        ..change("marie", &[("given_name", "Marie"), ("phone_number", "+33 1 56 24 55 00"), ("address.country", "FR")])
    };
    assert!(service.set(&admin, verified).await.unwrap().phone_number_verified);
    service.set(&admin, change("marie", &[("family_name", "Curie"), ("address.country", "")])).await.unwrap();
    let profile = service.get(&admin, "marie").await.unwrap();
    let expected = [("given_name", "Marie"), ("family_name", "Curie"), ("phone_number", "+33 1 56 24 55 00")];
    assert_eq!((profile.attributes, profile.phone_number_verified), (names(&expected), true));
    assert!(profile.updated > 0);
    let claim = Claim::Username("marie".to_owned());
    let user = service.directory.user_by_claim(&claim, Groups::Skip).await.unwrap();
    assert_eq!(user.display_name, "Marie Curie", "it is seen at once");
    assert_eq!(service.get(&admin, "unknown").await, Err(Code::NotFound));
    for invalid in [("birthdate", "tomorrow"), ("website", "javascript:alert(1)"), ("mail", "a@b"), ("username", "x")] {
        let outcome = service.set(&admin, change("marie", &[("nickname", "M"), invalid])).await;
        assert_eq!(outcome, Err(Code::InvalidArgument), "{invalid:?}");
    }
    assert!(!service.get(&admin, "marie").await.unwrap().attributes.contains_key("nickname"), "all or nothing");
    for expected in [("given_name", "Maria"), ("given_name", ""), ("nickname", "M")] {
        let expecting =
            SetProfileRequest { expected_attributes: names(&[expected]), ..change("marie", &[("nickname", "Manya")]) };
        assert_eq!(service.set(&admin, expecting).await, Err(Code::Aborted), "{expected:?}");
    }
    let expecting = SetProfileRequest {
        expected_display_name: Some("Marie".to_owned()),
        ..change("marie", &[("nickname", "Manya")])
    };
    assert_eq!(service.set(&admin, expecting).await, Err(Code::Aborted));
}

/// [Row P1](docs/security-requirements.md#p1).
#[tokio::test]
async fn user_reads_only_the_own_profile_and_changes_only_what_the_operator_permits() {
    let service = Service::start().await;
    let (id, _) = (service.add("marie").await, service.add("pierre").await);
    let marie = caller(&id, &[role::USER]);
    service.set(&marie, change("marie", &[("nickname", "M"), ("locale", "fr")])).await.unwrap();
    assert_eq!(service.get(&marie, "marie").await.unwrap().attributes, names(&[("nickname", "M"), ("locale", "fr")]));
    for reserved in [
        change("marie", &[("nickname", "X"), ("given_name", "X")]),
        change("marie", &[("phone_number", "+33 1 56 24 55 00")]),
        SetProfileRequest { phone_number_verified: Some(true), ..change("marie", &[]) },
        change("pierre", &[("nickname", "X")]),
        change("unknown", &[("nickname", "X")]),
    ] {
        assert_eq!(service.set(&marie, reserved.clone()).await, Err(Code::PermissionDenied), "{reserved:?}");
    }
    let of_program = Authenticated { amr: amr::APP.into(), ..marie.clone() };
    let acting = Authenticated { actor: Some("portal".into()), ..marie.clone() };
    for caller in [of_program, acting] {
        assert_eq!(service.set(&caller, change("marie", &[("nickname", "X")])).await, Err(Code::PermissionDenied));
    }
    assert_eq!(service.get(&marie, "marie").await.unwrap().attributes["nickname"], "M");
    assert_eq!(service.get(&marie, "pierre").await, Err(Code::PermissionDenied));
    assert_eq!(service.get(&marie, "unknown").await, Err(Code::PermissionDenied), "not whether there is one");

    let limited = Authenticated { scopes: Scopes::default().into(), ..marie.clone() };
    assert_eq!(service.get(&limited, "marie").await, Err(Code::PermissionDenied));
    let request = Request::new(GetProfileRequest { user: Some(by_name("marie")) });
    assert_eq!(service.profiles().get_profile(request).await.unwrap_err().code(), Code::Unauthenticated);
    let disabled = Some(PersonStatus::Disabled.into());
    let disable = UpdateUserRequest { user: Some(by_name("marie")), status: disabled, ..UpdateUserRequest::default() };
    service.admin().update_user(service.by_admin(disable)).await.unwrap();
    assert_eq!(service.get(&marie, "marie").await, Err(Code::PermissionDenied), "the token is older");
}

/// [Row P1](docs/security-requirements.md#p1).
#[tokio::test]
async fn another_process_reads_profiles_with_a_token_for_that_alone() {
    let service = Service::start().await;
    let id = UserId { opaque_id: service.add("marie").await, ..UserId::default() };
    service.set(&caller("operator", &[role::ADMIN]), change("marie", &[("locale", "fr")])).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_routes(service.routes.clone());
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();

    let reader = token::profile_reader("idp");
    let minted = service.mint(&reader);
    let directory = Remote::users(channel.clone()).with_profiles(Arc::new(move || Ok(minted.clone())));
    let profile = directory.profile(&id).await.unwrap();
    assert_eq!(profile.get(Attribute::Locale), Some("fr"));
    assert_eq!(profile, service.directory.profile(&id).await.unwrap(), "as in the same process");
    let unknown = UserId { opaque_id: "unknown".to_owned(), ..UserId::default() };
    assert!(matches!(directory.profile(&unknown).await, Err(DirectoryError::NotFound)));
    assert_eq!(service.set(&reader, change("marie", &[("locale", "de")])).await, Err(Code::PermissionDenied));
    let delete = service.by(&reader, DeleteUserRequest { user: Some(by_name("marie")) });
    assert_eq!(service.admin().delete_user(delete).await.unwrap_err().code(), Code::PermissionDenied);

    let other = service.mint(&token::provisioner("auth-bearer"));
    let directory = Remote::users(channel.clone()).with_profiles(Arc::new(move || Ok(other.clone())));
    assert!(matches!(directory.profile(&id).await, Err(DirectoryError::Unauthenticated)));
    let without = Remote::users(channel);
    assert_eq!(without.profile(&id).await.unwrap().names(), BTreeMap::new(), "it has no token");
}

#[tokio::test]
async fn profile_is_deleted_with_its_user() {
    let service = Service::start().await;
    service.add("marie").await;
    let admin = caller("operator", &[role::ADMIN]);
    service.set(&admin, change("marie", &[("locale", "fr")])).await.unwrap();
    let delete = DeleteUserRequest { user: Some(by_name("marie")) };
    service.admin().delete_user(service.by_admin(delete)).await.unwrap();
    assert_eq!(service.get(&admin, "marie").await, Err(Code::NotFound));
    service.add("marie").await;
    assert_eq!(service.get(&admin, "marie").await.unwrap().attributes, BTreeMap::new());
}

/// [Row P1](../../../docs/security-requirements.md#p1).
#[tokio::test]
async fn names_of_groups_are_for_the_user_and_administrators() {
    let service = Service::start().await;
    let (marie, einstein) = (service.add("marie").await, service.add("einstein").await);
    for name in ["physicists", "chemists"] {
        let message = CreateGroupRequest { name: name.to_owned(), ..CreateGroupRequest::default() };
        service.admin().create_group(service.by_admin(message)).await.unwrap();
        let group = GroupRef { by: Some(group_ref::By::Name(name.to_owned())) };
        let message = AddMemberRequest { group: Some(group), user: Some(by_name("marie")) };
        service.admin().add_member(service.by_admin(message)).await.unwrap();
    }
    let names = async |caller: &Authenticated| {
        let request = service.by(caller, ListGroupNamesRequest { user: Some(by_name("marie")) });
        let answer = service.profiles().list_group_names(request).await;
        answer.map(|answer| answer.into_inner().names).map_err(|status| status.code())
    };
    for allowed in [caller(&marie, &[]), caller("operator", &[role::ADMIN])] {
        assert_eq!(names(&allowed).await, Ok(vec!["chemists".to_owned(), "physicists".to_owned()]));
    }
    assert_eq!(names(&caller(&einstein, &[])).await, Err(Code::PermissionDenied));
}

/// The first address of a user.
const FIRST: MailChange<'_> = MailChange { address: "marie@sorbonne.example", expected: "" };

/// [Row L9](../../../docs/security-requirements.md#l9).
#[tokio::test]
async fn only_the_service_that_sends_links_sets_a_verified_mail_address() {
    let service = Service::with_mail_changes().await;
    let id = service.add("marie").await;
    let marie = caller(&id, &[role::USER]);
    for other in [
        marie.clone(),
        caller("operator", &[role::ADMIN]),
        token::profile_reader("idp"),
        token::provisioner("auth-bearer"),
        token::password_resetter("idp"),
        Authenticated { amr: amr::APP.into(), ..marie.clone() },
        Authenticated { amr: "change-mail".into(), ..marie.clone() },
    ] {
        assert_eq!(service.set_mail(&other, &id, FIRST).await, Err(Code::PermissionDenied), "{other:?}");
    }
    let request = Request::new(SetVerifiedMailRequest::default());
    assert_eq!(service.profiles().set_verified_mail(request).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(service.set(&marie, change("marie", &[("mail", FIRST.address)])).await, Err(Code::InvalidArgument));
    assert_eq!(service.mail(&id).await, "");

    let idp = token::mail_changer("idp");
    assert_eq!(service.set(&idp, change("marie", &[("nickname", "M")])).await, Err(Code::PermissionDenied));
    assert_eq!(service.get(&idp, "marie").await, Err(Code::PermissionDenied), "it does nothing else");
    service.set_mail(&idp, &id, FIRST).await.unwrap();
    let claim = Claim::Mail(FIRST.address.to_owned());
    let user = service.directory.user_by_claim(&claim, Groups::Skip).await.unwrap();
    assert_eq!((user.id.opaque_id.as_str(), user.mail_verified), (id.as_str(), true), "it is seen at once");
}

/// [Row L9](../../../docs/security-requirements.md#l9).
#[tokio::test]
async fn mail_address_is_changed_only_where_the_operator_permits_it() {
    let service = Service::start().await;
    let id = service.add("marie").await;
    let (marie, idp) = (caller(&id, &[role::USER]), token::mail_changer("idp"));
    assert_eq!(service.set_mail(&idp, &id, FIRST).await, Err(Code::PermissionDenied));
    assert_eq!(service.mail(&id).await, "");
    assert!(!service.may_change_mail(&marie).await && !service.writable(&marie).await.contains(&"mail".to_owned()));

    let service = Service::with_mail_changes().await;
    let marie = caller(&service.add("marie").await, &[role::USER]);
    assert!(service.may_change_mail(&marie).await && service.writable(&marie).await.contains(&"mail".to_owned()));
}

/// [Row L10](../../../docs/security-requirements.md#l10).
#[tokio::test]
async fn verified_mail_address_replaces_only_the_expected_one_of_an_active_user() {
    let service = Service::with_mail_changes().await;
    let (id, idp) = (service.add("marie").await, token::mail_changer("idp"));
    service.set_mail(&idp, &id, FIRST).await.unwrap();
    let second = MailChange { address: "marie@curie.example", expected: FIRST.address };
    let outcomes = tokio::join!(service.set_mail(&idp, &id, second), service.set_mail(&idp, &id, second));
    let outcomes = [outcomes.0, outcomes.1];
    assert!(outcomes.contains(&Ok(())) && outcomes.contains(&Err(Code::FailedPrecondition)), "{outcomes:?}");
    assert_eq!(service.mail(&id).await, second.address);

    let third = MailChange { address: "marie@third.example", expected: second.address };
    for address in ["", "marie", "ma rie@curie.example", "ma\u{200b}rie@curie.example"] {
        let invalid = MailChange { address, ..third };
        assert_eq!(service.set_mail(&idp, &id, invalid).await, Err(Code::InvalidArgument), "{address:?}");
    }
    assert_eq!(service.set_mail(&idp, "unknown", third).await, Err(Code::NotFound));
    let disabled = Some(PersonStatus::Disabled.into());
    let disable = UpdateUserRequest { user: Some(by_name("marie")), status: disabled, ..UpdateUserRequest::default() };
    service.update(disable).await;
    assert_eq!(service.set_mail(&idp, &id, third).await, Err(Code::FailedPrecondition));
    assert_eq!(service.mail(&id).await, second.address);
}

/// [Row L10](../../../docs/security-requirements.md#l10).
#[tokio::test]
async fn mail_address_or_login_name_of_another_user_is_refused() {
    let service = Service::with_mail_changes().await;
    let (id, idp) = (service.add("marie").await, token::mail_changer("idp"));
    let mail = Some("Pierre@curie.example".to_owned());
    service.add("pierre").await;
    service.update(UpdateUserRequest { user: Some(by_name("pierre")), mail, ..UpdateUserRequest::default() }).await;
    service.add("irene@curie.example").await;
    for address in ["pierre@curie.example", "Irene@curie.example"] {
        let taken = MailChange { address, expected: "" };
        assert_eq!(service.set_mail(&idp, &id, taken).await, Err(Code::AlreadyExists), "{address}");
    }
    assert_eq!(service.mail(&id).await, "");
}

/// [Row L9](../../../docs/security-requirements.md#l9).
#[tokio::test]
async fn another_process_sets_verified_mail_addresses_with_a_token_for_that_alone() {
    let service = Service::with_mail_changes().await;
    let id = UserId { opaque_id: service.add("marie").await, ..UserId::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_routes(service.routes.clone());
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let with = |service_token: &Authenticated| {
        let minted = service.mint(service_token);
        Remote::users(channel.clone()).with_mail_changes(Arc::new(move || Ok(minted.clone())))
    };

    let without = Remote::users(channel.clone());
    assert!(!without.may_change_mail().await.unwrap());
    let refused = without.set_verified_mail(&id, FIRST).await;
    assert!(matches!(refused, Err(MailChangeError::Directory(DirectoryError::ReadOnly))), "{refused:?}");
    let refused = with(&token::profile_reader("idp")).set_verified_mail(&id, FIRST).await;
    assert!(matches!(refused, Err(MailChangeError::NotPermitted)), "{refused:?}");

    let remote = with(&token::mail_changer("idp"));
    assert!(remote.may_change_mail().await.unwrap());
    remote.set_verified_mail(&id, FIRST).await.unwrap();
    for directory in [&remote as &dyn Directory, &*service.directory] {
        let again = directory.set_verified_mail(&id, FIRST).await;
        assert!(matches!(again, Err(MailChangeError::Outdated)), "{again:?}");
        let invalid = directory.set_verified_mail(&id, MailChange { address: "marie", expected: FIRST.address }).await;
        assert!(matches!(invalid, Err(MailChangeError::Invalid)), "{invalid:?}");
    }
}
