//! Users of one of several instances.

use auth_bearer::{AuthProviders, Config, MultiInstance, Oidc};
use authn::{AuthError, Reason, UserType};
use oidc::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::support::{Provider, Service, directory, key, no_users, sign, with};

/// The instance `a`, and the issuer of its users.
struct World {
    signer: SigningKey,
    provider: Provider,
    service: Service,
}

impl World {
    async fn start(change: impl FnOnce(&mut MultiInstance)) -> Self {
        let signer = key("k", Algorithm::Es256);
        let provider = Provider::start(&[&signer]).await;
        let oidc = Oidc { issuer: provider.url.clone(), ..Oidc::default() };
        let mut multi_instance = MultiInstance {
            enabled: true,
            instance_id: "a".to_owned(),
            member_claim: "owncloudMemberOf".to_owned(),
            guest_claim: "instances.guest".to_owned(),
            master_id: "all".to_owned(),
        };
        change(&mut multi_instance);
        let auth_providers = AuthProviders { oidc, ..AuthProviders::default() };
        let config = Config { auth_providers, multi_instance, ..Config::default() };
        let service = Service::of_config(&config, directory(), no_users());
        Self { signer, provider, service }
    }

    /// A token with these claims of members and guests; null leaves one out.
    fn token(&self, member: Value, guest: Value) -> String {
        let mut claims = self.service.claims(&self.provider.url);
        if !member.is_null() {
            claims = with(claims, "owncloudMemberOf", member);
        }
        if !guest.is_null() {
            claims = with(claims, "instances", [("guest", guest)].into_iter().collect::<Value>());
        }
        sign(&self.signer, &claims)
    }

    /// The type of the user whom such a token names.
    async fn kind(&self, member: Value, guest: Value) -> Result<UserType, Reason> {
        match self.service.authenticate(&self.token(member, guest)).await {
            Ok(answer) => Ok(answer.user.id.kind),
            Err(AuthError::Refused(reason)) => Err(reason),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// `docs/security-requirements.md#r23`
#[tokio::test]
async fn claims_say_who_belongs_to_the_instance() {
    let world = World::start(|_| ()).await;
    let (member, guest, neither) = (Ok(UserType::Invalid), Ok(UserType::Guest), Err(Reason::NotMember));
    let many: Vec<String> = (0..200).map(|number| format!("b{number}")).chain(["a".to_owned()]).collect();
    for (member_of, guest_of, expected) in [
        (json!("a"), json!(null), member),
        (json!(["b", "a"]), json!(null), member),
        (json!(many), json!(null), member),
        (json!(["all"]), json!(null), member),
        (json!(null), json!("a"), guest),
        (json!(["b"]), json!(["c", "a"]), guest),
        (json!(["a"]), json!(["a"]), member),
        (json!(["b"]), json!(["all"]), neither),
        (json!(["b"]), json!(["b"]), neither),
        (json!(["A", "a ", "aa"]), json!([]), neither),
        (json!(""), json!(""), neither),
        (json!([]), json!([""]), neither),
        (json!(7), json!({"a": true}), neither),
        (json!([7, "a"]), json!(true), neither),
    ] {
        let what = format!("{member_of} {guest_of}");
        assert_eq!(world.kind(member_of, guest_of).await, expected, "{what}");
    }
    assert_eq!(world.provider.userinfos(), 0, "the token has said it");
}

/// `docs/security-requirements.md#r23`
#[tokio::test]
async fn empty_master_matches_nothing() {
    let world = World::start(|instance| instance.master_id.clear()).await;
    world.provider.tell(Some(json!({ "sub": "4c51" })));
    for member_of in [json!(""), json!([""]), json!(["all"]), json!([])] {
        assert_eq!(world.kind(member_of.clone(), json!(null)).await, Err(Reason::NotMember), "{member_of}");
    }
}

#[tokio::test]
async fn userinfo_is_asked_once_for_claims_that_a_token_lacks() {
    let world = World::start(|_| ()).await;
    let mut claims = world.service.claims(&world.provider.url);
    world.provider.tell(Some(json!({ "sub": "4c51", "instances": { "guest": ["a"] } })));
    let token = sign(&world.signer, &claims);
    for _ in 0..3 {
        let answer = world.service.authenticate(&token).await.expect("a guest");
        assert_eq!(answer.user.id.kind, UserType::Guest);
    }
    assert_eq!(world.provider.userinfos(), 1);

    // a claim of a name that the issuer has left out does not count as absent
    claims["_claim_names"] = json!({ "owncloudMemberOf": "s" });
    claims["_claim_sources"] = json!({ "s": { "endpoint": format!("{}/userinfo", world.provider.url) } });
    claims["instances"] = json!({ "guest": ["b"] });
    world.provider.tell(Some(json!({ "sub": "4c51", "owncloudMemberOf": ["a"] })));
    let answer = world.service.authenticate(&sign(&world.signer, &claims)).await.expect("a member");
    assert_eq!((answer.user.id.kind, world.provider.userinfos()), (UserType::Invalid, 2));
}

/// `docs/security-requirements.md#r23`
#[tokio::test]
async fn userinfo_is_asked_for_the_claim_that_may_admit_a_user() {
    let world = World::start(|_| ()).await;
    let says = |more: Value| {
        let mut all = json!({ "sub": "4c51" });
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        world.provider.tell(Some(all));
    };
    // a member elsewhere and a guest here; of a claim that the token has, the value in the token counts
    says(json!({ "instances": { "guest": ["a"] }, "owncloudMemberOf": ["a"] }));
    assert_eq!(world.kind(json!(["b"]), json!(null)).await, Ok(UserType::Guest));
    says(json!({ "owncloudMemberOf": ["a"] }));
    assert_eq!(world.kind(json!(null), json!(["b"])).await, Ok(UserType::Invalid));
    says(json!({ "instances": { "guest": ["b"] } }));
    assert_eq!(world.kind(json!(["c"]), json!(null)).await, Err(Reason::NotMember));
    assert_eq!(world.provider.userinfos(), 3);
    assert_eq!(world.kind(json!(["a"]), json!(null)).await, Ok(UserType::Invalid));
    assert_eq!(world.kind(json!(null), json!(["a"])).await, Ok(UserType::Guest));
    assert_eq!(world.provider.userinfos(), 3, "they are admitted");

    let silent = World::start(|_| ()).await;
    silent.provider.announce("userinfo_endpoint", json!(null));
    assert_eq!(silent.kind(json!(["b"]), json!(null)).await, Err(Reason::NotMember));
}

#[tokio::test]
async fn claims_do_not_count_at_the_only_instance() {
    let world = World::start(|instance| instance.enabled = false).await;
    assert_eq!(world.kind(json!(["b"]), json!(["a"])).await, Ok(UserType::Invalid));
    assert_eq!(world.kind(json!(null), json!(null)).await, Ok(UserType::Invalid));
}
