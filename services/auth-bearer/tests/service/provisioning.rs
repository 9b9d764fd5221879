//! Users of issuers, provisioned in a real users service.

use std::sync::Arc;

use crate::support::{Provider, key, no_logouts, seconds, sign, with};
use auth_bearer::transport::transport;
use auth_bearer::user_directory::identity;
use auth_bearer::{AuthProviders, AutoProvision, Bearer, Config, Minting, Oidc, RoleAssignment};
use authn::testing::refusal_reason;
use authn::{
    AuthError, Authenticated, Authenticator, Claim, Credentials, Directory, DirectoryError, Groups, Reason, User,
    directory::Remote, role,
};
use config::{Environment, TokenManager};
use doorward::ServiceId;
use oidc::jose::{Algorithm, SigningKey};
use proto::doorward::users::v1::{
    AddMemberRequest, CreateGroupRequest, CreateUserRequest, GroupRef, PersonRef, group_ref, person_ref,
    users_admin_api_client::UsersAdminApiClient,
};
use runtime::{Clock, Context};
use serde_json::{Value, json};
use testkit::{Layout, Mode, TestFamily};
use tonic::Request;

/// A users service, and the issuers A (of the settings) and B (of the file).
struct World {
    family: TestFamily,
    context: Context,
    key: SigningKey,
    a: Provider,
    b: Provider,
    directory: Arc<dyn Directory>,
}

impl World {
    async fn start(name: &str) -> Self {
        let mut layout = Layout::new(name, false);
        layout.set("OCIS_RUN_SERVICES", "users");
        let family = TestFamily::start_empty(layout, Mode::Inside).await;
        let key = key("k", Algorithm::Es256);
        let (a, b) = (Provider::start(&[&key]).await, Provider::start(&[&key]).await);
        let directory = Arc::new(Remote::users(family.channel(ServiceId::Users)));
        let context = Context { clock: Clock::system(), ..Context::new(Environment::default()) };
        Self { family, context, key, a, b, directory }
    }

    fn tokens(&self) -> TokenManager {
        TokenManager { jwt_secret: self.family.layout.jwt_secret.as_str().into(), ..TokenManager::default() }
    }

    /// The service; `b` is the file's settings for B, without its name.
    fn service(&self, oidc: Oidc, auto_provision: AutoProvision, role_assignment: RoleAssignment, b: &str) -> Bearers {
        let file = self.family.layout.folder().join("issuers.yaml");
        std::fs::write(&file, format!("issuers:\n  - issuer: {}\n{b}", self.b.url)).expect("writes");
        let oidc = Oidc { issuer: self.a.url.clone(), ..oidc };
        let config = Config {
            auth_providers: AuthProviders { oidc, issuers_file: Some(file) },
            minting: Minting { jwt_secret: self.tokens().jwt_secret, ..Minting::default() },
            auto_provision,
            role_assignment,
            ..Config::default()
        };
        let users = transport(self.family.channel(ServiceId::Users));
        let bearer =
            auth_bearer::open(&config, Arc::clone(&self.directory), users, (no_logouts(), None), &self.context);
        Bearers(bearer.expect("is opened"))
    }

    fn claims(&self, issuer: &Provider, sub: &str, name: &str) -> Value {
        let now = seconds(self.context.clock.now());
        json!({
            "iss": issuer.url, "sub": sub, "aud": "us", "azp": "web", "scope": "openid", "iat": now, "exp": now + 3600,
            "preferred_username": name, "email": format!("{name}@example.org"), "email_verified": true,
            "name": format!("{name} of {sub}"),
        })
    }

    fn sign(&self, claims: &Value) -> String {
        sign(&self.key, claims)
    }

    async fn find(&self, claim: &Claim) -> Result<Arc<User>, DirectoryError> {
        self.directory.user_by_claim(claim, Groups::Include).await
    }

    async fn groups(&self, id: &str) -> Vec<String> {
        let message = proto::doorward::users::v1::GetUserRequest { user: Some(by_id(id)) };
        let answer = self.admin().get_user(self.by_operator(message)).await.expect("is there").into_inner();
        answer.user.expect("a user").groups
    }

    fn admin(&self) -> UsersAdminApiClient<authn::Channel> {
        UsersAdminApiClient::new(self.family.channel(ServiceId::Users))
    }

    fn by_operator<T>(&self, message: T) -> Request<T> {
        let token = runtime::operator_token(&self.tokens(), &self.context).expect("is minted");
        let mut request = Request::new(message);
        request.metadata_mut().insert("x-access-token", token);
        request
    }

    /// Adds a user as an administrator does.
    async fn add(&self, username: &str) -> String {
        let message = CreateUserRequest { username: username.to_owned(), ..CreateUserRequest::default() };
        let answer = self.admin().create_user(self.by_operator(message)).await.expect("is made").into_inner();
        answer.user.expect("a user").id
    }
}

struct Bearers(Arc<Bearer>);

impl Bearers {
    async fn authenticate(&self, token: &str) -> Result<Authenticated, AuthError> {
        self.0.authenticate(&Credentials::new("", token.to_owned())).await
    }

    async fn refusal(&self, token: &str) -> Reason {
        refusal_reason(self.authenticate(token).await)
    }
}

fn by_id(id: &str) -> PersonRef {
    PersonRef { by: Some(person_ref::By::Id(id.to_owned())) }
}

fn making() -> AutoProvision {
    AutoProvision { accounts: true, ..AutoProvision::default() }
}

fn named(name: &str) -> Claim {
    Claim::Username(name.to_owned())
}

const B: &str = "    audience: [us]\n    people: !own {suffix: \"@b\"}\n    auto_provision: {}\n";
const B_WITHOUT_PROVISIONING: &str = "    audience: [us]\n    people: !own {suffix: \"@b\"}\n";

/// Row R4.
#[tokio::test(flavor = "multi_thread")]
async fn same_subject_name_and_mail_at_another_issuer_is_another_user() {
    let world = World::start("bearer-r4").await;
    let service = world.service(Oidc::default(), making(), RoleAssignment::default(), B);
    let (of_a, of_b) = (world.claims(&world.a, "4c51", "einstein"), world.claims(&world.b, "4c51", "einstein"));
    let first = service.authenticate(&world.sign(&of_a)).await.expect("A's einstein").user;
    let second = service.authenticate(&world.sign(&of_b)).await.expect("B's einstein").user;
    assert_eq!(first.id.opaque_id, identity(&world.a.url, "4c51").to_string());
    assert_eq!(second.id.opaque_id, identity(&world.b.url, "4c51").to_string());
    assert_eq!((first.username.as_str(), first.mail.as_str()), ("einstein", "einstein@example.org"));
    assert_eq!((second.username.as_str(), second.mail.as_str()), ("einstein@b", ""), "the address is A's einstein's");

    // a claim that is only a name does not match a user who was provisioned under another subject
    let posing = world.claims(&world.a, "other", "einstein@b");
    assert_eq!(service.refusal(&world.sign(&posing)).await, Reason::OwnerMismatch);
    let posing = world.claims(&world.a, "other", "einstein");
    assert_eq!(service.refusal(&world.sign(&posing)).await, Reason::OwnerMismatch);
    let posing = with(world.claims(&world.b, "other", "einstein"), "sub", first.id.opaque_id.as_str());
    assert_eq!(service.refusal(&world.sign(&posing)).await, Reason::OwnerMismatch, "B has an einstein already");

    // a new name at the issuer is the same user
    let renamed = world.claims(&world.b, "4c51", "albert");
    let again = service.authenticate(&world.sign(&renamed)).await.expect("the same").user;
    assert_eq!(again.id, second.id);
}

/// Row R4.
#[tokio::test(flavor = "multi_thread")]
async fn people_of_the_directory_are_named_by_their_issuer_alone() {
    let world = World::start("bearer-directory").await;
    let marie = world.add("marie").await;
    let service =
        world.service(Oidc::default(), AutoProvision::default(), RoleAssignment::default(), B_WITHOUT_PROVISIONING);
    let who = service.authenticate(&world.sign(&world.claims(&world.a, "1", "marie"))).await.expect("marie").user;
    assert_eq!(who.id.opaque_id, marie);
    for (sub, name) in [("1", "marie"), (marie.as_str(), "marie"), (marie.as_str(), "x")] {
        let token = world.sign(&world.claims(&world.b, sub, name));
        assert_eq!(service.refusal(&token).await, Reason::UnknownUser, "{sub} {name}");
    }
    let unknown = world.sign(&world.claims(&world.a, "2", "unknown"));
    assert_eq!(service.refusal(&unknown).await, Reason::UnknownUser, "no account is made unless that is wanted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_at_the_first_sign_in_and_kept_up_at_the_next() {
    let world = World::start("bearer-provision").await;
    let service = Arc::new(world.service(Oidc::default(), making(), RoleAssignment::default(), B));
    let claims = with(world.claims(&world.a, "n1", "bohr"), "groups", json!(["physics", "chess"]));
    let token = world.sign(&claims);
    // several at once: one account
    let first = (0..8).map(|_| {
        let (service, token) = (Arc::clone(&service), token.clone());
        tokio::spawn(async move { service.authenticate(&token).await.map(|who| who.user) })
    });
    let mut ids = Vec::new();
    for user in first.collect::<Vec<_>>() {
        ids.push(user.await.expect("no panic").expect("has an account").id.opaque_id.clone());
    }
    ids.dedup();
    assert_eq!(ids, [identity(&world.a.url, "n1").to_string()]);
    let bohr = world.find(&named("bohr")).await.expect("is there");
    assert_eq!((bohr.display_name.as_str(), bohr.mail.as_str()), ("bohr of n1", "bohr@example.org"));
    assert_eq!(bohr.roles, [role::USER]);
    assert_eq!(world.groups(&ids[0]).await, ["chess", "physics"]);

    let mut changed = with(claims, "groups", json!(["physics", "opera"]));
    changed["name"] = json!("Niels Bohr");
    changed["email"] = json!("niels@example.org");
    let who = service.authenticate(&world.sign(&changed)).await.expect("is good").user;
    assert_eq!((who.display_name.as_str(), who.mail.as_str()), ("Niels Bohr", "niels@example.org"));
    assert_eq!((world.groups(&ids[0]).await, who.groups.len()), (vec!["opera".to_owned(), "physics".to_owned()], 2));

    changed["email_verified"] = json!(false);
    changed["email"] = json!("another.user@example.org");
    let who = service.authenticate(&world.sign(&changed)).await.expect("is good").user;
    assert_eq!(who.mail, "niels@example.org", "an unverified address is not taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_another_issuer_have_its_name_and_no_others_are_touched() {
    let world = World::start("bearer-groups").await;
    let service = world.service(Oidc::default(), making(), RoleAssignment::default(), B);
    let claims = with(world.claims(&world.b, "n1", "bohr"), "groups", json!(["admins"]));
    let who = service.authenticate(&world.sign(&claims)).await.expect("is good").user;
    let id = who.id.opaque_id.as_str();
    assert_eq!(world.groups(id).await, ["admins@b"]);
    let local = CreateGroupRequest { name: "guests".to_owned(), ..CreateGroupRequest::default() };
    world.admin().create_group(world.by_operator(local)).await.expect("is made");
    let group = Some(GroupRef { by: Some(group_ref::By::Name("guests".to_owned())) });
    let joined = AddMemberRequest { group, user: Some(by_id(id)) };
    world.admin().add_member(world.by_operator(joined)).await.expect("joins");
    let left = with(claims.clone(), "groups", json!([]));
    service.authenticate(&world.sign(&left)).await.expect("is good");
    assert_eq!(world.groups(id).await, ["guests"]);
    let unreadable = with(claims, "groups", json!({"admins": true}));
    assert_eq!(service.refusal(&world.sign(&unreadable)).await, Reason::Malformed);
}

/// However many groups the claim names, and whatever else is in it, memberships that it does not name end.
#[tokio::test(flavor = "multi_thread")]
async fn membership_ends_when_the_claim_names_hundreds_of_others_or_an_empty_name() {
    let world = World::start("bearer-many").await;
    let service = world.service(Oidc::default(), making(), RoleAssignment::default(), B);
    let sign_in = async |groups: Value| {
        let claims = with(world.claims(&world.b, "n1", "bohr"), "groups", groups);
        service.authenticate(&world.sign(&claims)).await.map(|who| who.user.id.opaque_id.clone())
    };
    let id = sign_in(json!(["admins"])).await.expect("is good");
    assert_eq!(world.groups(&id).await, ["admins@b"]);
    sign_in(json!(["physics", ""])).await.expect("is good");
    assert_eq!(world.groups(&id).await, ["physics@b"]);
    let many: Vec<_> = (0..300).map(|number| format!("g{number}")).collect();
    sign_in(json!(many)).await.expect("is good");
    let joined = world.groups(&id).await;
    assert!(joined.len() == 300 && !joined.contains(&"physics@b".to_owned()), "{}", joined.len());

    let too_many: Vec<_> = (0..501).map(|number| format!("g{number}")).collect();
    match sign_in(json!(too_many)).await {
        Err(AuthError::Refused(reason)) => assert_eq!(reason, Reason::TooManyGroups),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn group_with_a_stable_identifier_stays_the_same_when_the_issuer_renames_it() {
    let world = World::start("bearer-renamed").await;
    let service = world.service(Oidc::default(), making(), RoleAssignment::default(), B);
    let sign_in = async |sub: &str, id: &str, name: &str| {
        let groups = json!([{"value": id, "display": name}]);
        let claims = with(world.claims(&world.b, sub, &format!("user-{sub}")), "groups", groups);
        let user = service.authenticate(&world.sign(&claims)).await.expect("is good").user;
        (user.id.opaque_id.clone(), user.groups.clone())
    };
    let (first, physics) = sign_in("1", "g1", "physics").await;
    assert_eq!(world.groups(&first).await, ["physics@b"]);
    assert_eq!(physics, [auth_bearer::groups::identity(&world.b.url, "g1").to_string()]);
    let (_, again) = sign_in("1", "g1", "natural philosophy").await;
    assert_eq!((world.groups(&first).await, again), (vec!["natural philosophy@b".to_owned()], physics.clone()));

    // another group has the former name now: its members are not in the first one
    let (second, chemistry) = sign_in("2", "g2", "physics").await;
    assert!(chemistry.len() == 1 && chemistry != physics);
    assert_eq!(world.groups(&second).await, ["physics@b"]);
    // also before a member of the other group brought its new name
    let (third, other) = sign_in("3", "g3", "physics").await;
    assert!(other.len() == 1 && other != chemistry && other != physics);
    let named = world.groups(&third).await;
    assert!(named.len() == 1 && named[0].starts_with("physics (") && named[0].ends_with(")@b"), "{named:?}");
}

/// Passwords and app tokens take the mail address for a login name.
#[tokio::test(flavor = "multi_thread")]
async fn issuer_takes_no_username_that_is_the_mail_address_of_another_nor_the_reverse() {
    let world = World::start("bearer-mail").await;
    let service =
        world.service(Oidc { id_claim: "sub".to_owned(), ..Oidc::default() }, making(), RoleAssignment::default(), B);
    let marie = CreateUserRequest {
        username: "marie".to_owned(),
        mail: "marie@example.org".to_owned(),
        ..CreateUserRequest::default()
    };
    world.admin().create_user(world.by_operator(marie)).await.expect("is made");
    for name in ["marie@example.org", "Marie@Example.org"] {
        let posing = with(world.claims(&world.a, "n1", name), "email", "other@example.org");
        assert_eq!(service.refusal(&world.sign(&posing)).await, Reason::OwnerMismatch, "{name}");
    }
    world.add("pierre@example.org").await;
    let claims = with(world.claims(&world.a, "n2", "lise"), "email", "pierre@example.org");
    let lise = service.authenticate(&world.sign(&claims)).await.expect("is good").user;
    assert_eq!((lise.username.as_str(), lise.mail.as_str()), ("lise", ""), "the address could mean Pierre");
    let own = with(world.claims(&world.a, "n3", "niels@example.org"), "email", "niels@example.org");
    let niels = service.authenticate(&world.sign(&own)).await.expect("the address may be the own name").user;
    assert_eq!((niels.username.as_str(), niels.mail.as_str()), ("niels@example.org", "niels@example.org"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_username_of_another_user_is_not_given_away() {
    let world = World::start("bearer-taken").await;
    let oidc = Oidc { id_claim: "sub".to_owned(), ..Oidc::default() };
    let marie = world.add("marie").await;
    let service = world.service(oidc, making(), RoleAssignment::default(), B);
    let posing = world.sign(&world.claims(&world.a, "n2", "marie"));
    assert_eq!(service.refusal(&posing).await, Reason::OwnerMismatch);
    let herself = world.sign(&world.claims(&world.a, &marie, "whatever"));
    assert_eq!(service.authenticate(&herself).await.expect("by her id").user.username, "marie");
    for bad in ["a:b", " a", "\u{7}"] {
        let token = world.sign(&world.claims(&world.a, "n3", bad));
        assert_eq!(service.refusal(&token).await, Reason::Malformed, "{bad:?} is no login name");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn confusable_name_is_neither_provisioned_nor_taken_for_another() {
    let world = World::start("bearer-confusable").await;
    world.add("zoë").await;
    let service = world.service(Oidc::default(), making(), RoleAssignment::default(), B);
    for (number, bad) in ["zo\u{200b}ë", "\u{202e}zoë", "bore\u{301}", "ｂｏｈｒ", "niels bohr"].iter().enumerate()
    {
        let token = world.sign(&world.claims(&world.a, &format!("c{number}"), bad));
        assert_eq!(service.refusal(&token).await, Reason::Malformed, "{bad:?}");
    }
    for variant in ["zoe\u{308}", "ｚｏë"] {
        let token = world.sign(&world.claims(&world.a, "v", variant));
        assert_eq!(service.refusal(&token).await, Reason::OwnerMismatch, "{variant:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_match_is_the_role_and_no_match_is_a_refusal() {
    let world = World::start("bearer-roles").await;
    world.add("marie").await;
    let by_claim = RoleAssignment {
        driver: "oidc".to_owned(),
        claim: "realm.roles".to_owned(),
        mapping: vec!["boss=admin".to_owned(), "staff=user".to_owned()],
    };
    let service = world.service(Oidc::default(), making(), by_claim, B_WITHOUT_PROVISIONING);
    let marie =
        |roles: Value| world.sign(&with(world.claims(&world.a, "1", "marie"), "realm", json!({"roles": roles})));
    let who = service.authenticate(&marie(json!(["staff", "boss"]))).await.expect("is good").user;
    assert_eq!(who.roles, [role::ADMIN]);
    assert_eq!(
        world.find(&named("marie")).await.expect("is there").roles,
        [role::ADMIN],
        "other credentials see it too"
    );
    let who = service.authenticate(&marie(json!("staff"))).await.expect("is good").user;
    assert_eq!(who.roles, [role::USER]);
    assert_eq!(world.find(&named("marie")).await.expect("is there").roles, [role::USER], "and that it is gone");
    for none in [json!([]), json!(["other"]), json!({"boss": true})] {
        assert_eq!(service.refusal(&marie(none)).await, Reason::Policy);
    }
    let stranger = world.sign(&world.claims(&world.a, "2", "stranger"));
    assert_eq!(service.refusal(&stranger).await, Reason::Policy);
    let made = world.find(&named("stranger")).await;
    assert!(matches!(made, Err(DirectoryError::NotFound)), "no account is created for a refused user: {made:?}");
}

/// What is written down outlives the token: an older one must not bring back what the issuer has taken away since.
#[tokio::test(flavor = "multi_thread")]
async fn older_token_does_not_bring_back_a_group_or_a_role_that_was_taken_away() {
    let world = World::start("bearer-older").await;
    let by_claim = RoleAssignment {
        driver: "oidc".to_owned(),
        claim: "role".to_owned(),
        mapping: vec!["boss=admin".to_owned(), "staff=user".to_owned()],
    };
    let service = world.service(Oidc::default(), making(), by_claim, B_WITHOUT_PROVISIONING);
    let token = |ago: u64, groups: Value, role: &str| {
        let claims = with(with(world.claims(&world.a, "n1", "marie"), "groups", groups), "role", role);
        let issued = seconds(world.context.clock.now()) - ago;
        world.sign(&with(claims, "iat", issued))
    };
    let (older, newer) = (token(60, json!(["physics", "admins"]), "boss"), token(30, json!(["physics"]), "staff"));
    let who = service.authenticate(&older).await.expect("is good").user;
    assert_eq!(who.roles, [role::ADMIN]);
    let id = who.id.opaque_id.clone();
    assert_eq!(service.authenticate(&newer).await.expect("is good").user.roles, [role::USER]);
    assert_eq!(world.groups(&id).await, ["physics"]);

    let who = service.authenticate(&older).await.expect("it has not ended").user;
    assert_eq!(who.roles, [role::USER], "as the newer one says");
    assert_eq!(world.groups(&id).await, ["physics"]);
    assert_eq!(world.find(&named("marie")).await.expect("is there").roles, [role::USER]);
    let newest = token(0, json!(["physics", "admins"]), "boss");
    assert_eq!(service.authenticate(&newest).await.expect("is good").user.roles, [role::ADMIN]);
    assert_eq!(world.groups(&id).await, ["admins", "physics"]);
}

/// Row I32.
#[tokio::test(flavor = "multi_thread")]
async fn groups_that_a_token_leaves_out_are_read_from_userinfo_of_its_issuer_and_nowhere_else() {
    let world = World::start("bearer-left-out").await;
    let by_group = RoleAssignment {
        driver: "oidc".to_owned(),
        claim: "groups".to_owned(),
        mapping: vec!["g399=admin".to_owned(), "staff=user".to_owned()],
    };
    let service = world.service(Oidc::default(), making(), by_group, B);
    let left_out = |issuer: &Provider, sub: &str, sources: Value| {
        let claims = with(world.claims(issuer, sub, "bohr"), "_claim_names", json!({"groups": "src"}));
        world.sign(&with(claims, "_claim_sources", sources))
    };
    let at = |issuer: &Provider| json!({"src": {"endpoint": format!("{}/userinfo", issuer.url)}});
    let many: Vec<_> = (0..400).map(|number| format!("g{number}")).collect();

    let token = world.sign(&with(world.claims(&world.b, "n1", "bohr"), "groups", json!(["staff"])));
    let id = service.authenticate(&token).await.expect("is good").user.id.opaque_id.clone();
    assert_eq!(world.groups(&id).await, ["staff@b"]);
    world.b.tell(Some(json!({"sub": "n1", "groups": many})));
    service.authenticate(&left_out(&world.b, "n1", at(&world.b))).await.expect("userinfo has them");
    assert_eq!((world.groups(&id).await.len(), world.b.userinfos()), (400, 1));

    // where the groups cannot be read, no user is removed from one
    for (sources, reason) in [
        (at(&world.a), Reason::TooManyGroups),
        (json!({"src": {"endpoint": format!("{}/userinfo?x", world.b.url)}}), Reason::TooManyGroups),
        (json!({"src": {"JWT": "e30.e30."}}), Reason::TooManyGroups),
        (json!({}), Reason::TooManyGroups),
    ] {
        assert_eq!(service.refusal(&left_out(&world.b, "n1", sources.clone())).await, reason, "{sources}");
    }
    assert_eq!((world.a.userinfos(), world.b.userinfos()), (0, 1), "no other address is called");
    for (said, reason) in [
        (Some(json!({"sub": "n2", "groups": ["staff"]})), Reason::OwnerMismatch),
        (Some(json!({"sub": "n1"})), Reason::TooManyGroups),
        (None, Reason::Unstated),
    ] {
        world.b.tell(said.clone());
        assert_eq!(service.refusal(&left_out(&world.b, "n1", at(&world.b))).await, reason, "{said:?}");
    }
    assert_eq!(world.groups(&id).await.len(), 400);

    // a role that is given by a group
    world.a.tell(Some(json!({"sub": "n1", "groups": many})));
    let who = service.authenticate(&left_out(&world.a, "n1", at(&world.a))).await.expect("userinfo has them").user;
    assert_eq!((who.roles.as_slice(), who.groups.len()), (&[role::ADMIN.to_owned()][..], 400));
    let elsewhere = left_out(&world.a, "n1", at(&world.b));
    assert_eq!(service.refusal(&elsewhere).await, Reason::TooManyGroups);
}
