use std::sync::Arc;

use ::token::{KeyRing, METADATA_KEY, Minter, Verifier};
use authn::{Authenticated, User, UserId, role};
use proto::doorward::idp::v1::{
    KeyState, ListKeysRequest, RetireKeyRequest, RotateKeyRequest, keys_api_client::KeysApiClient,
    keys_api_server::KeysApiServer,
};
use runtime::Metrics;
use secrecy::SecretString;
use tonic::{Code, Request};

use super::*;
use crate::engine::audit_events::AuditEvents;
use crate::grpc::keys::Api;

fn ring() -> Arc<KeyRing> {
    Arc::new(KeyRing::new(&SecretString::from(SECRET), None).expect("a good secret"))
}

fn request<T>(message: T, world: &World, roles: &[&str]) -> Request<T> {
    let id = UserId { opaque_id: "moss".to_owned(), ..UserId::default() };
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    let user = User { id, username: "moss".to_owned(), roles, ..User::default() };
    let minter = Minter::new(ring(), HOUR, false);
    let token = minter.mint(world.now(), &Authenticated::full(Arc::new(user), "test")).expect("is minted");
    let mut request = Request::new(message);
    request.metadata_mut().insert(METADATA_KEY, token.parse().expect("ASCII"));
    request
}

fn serve(keys: &Keys, world: &World) -> KeysApiServer<Api> {
    let events = AuditEvents::new(&Metrics::default(), world.random.clone());
    crate::grpc::keys::serve(keys.clone(), events, Verifier::new(ring()), world.clock.clone(), None)
}

#[tokio::test]
async fn an_administrator_lists_rotates_and_retires() {
    let world = World::new().await;
    let keys = world.replica().await;
    let server = serve(&keys, &world);
    let mut client = KeysApiClient::new(server);
    let admin = [role::ADMIN];

    let listed = client.list_keys(request(ListKeysRequest {}, &world, &admin)).await.expect("is answered").into_inner();
    let told: Vec<_> = listed.keys.iter().map(|key| (key.algorithm.as_str(), key.state())).collect();
    assert_eq!(told, ["RS256", "PS256", "ES256", "EdDSA"].map(|name| (name, KeyState::Current)));
    let old = listed.keys[3].kid.clone();

    world.clock.advance(SECOND);
    let rotate = |algorithm: &str, at_once| RotateKeyRequest { algorithm: algorithm.to_owned(), at_once };
    let next = client.rotate_key(request(rotate("EdDSA", false), &world, &admin)).await.expect("is made").into_inner();
    assert_eq!(next.key.map(|key| key.state()), Some(KeyState::Next));
    let retire = |kid: &str| RetireKeyRequest { kid: kid.to_owned() };
    let refused = client.retire_key(request(retire(&old), &world, &admin)).await.expect_err("nothing else signs");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let new = client.rotate_key(request(rotate("EdDSA", true), &world, &admin)).await.expect("is made").into_inner();
    assert_eq!(new.key.map(|key| key.kid), Some(keys.signer(Algorithm::EdDsa).kid().to_owned()));
    client.retire_key(request(retire(&old), &world, &admin)).await.expect("is taken out");
    assert!(!kids(&keys).contains(&old));

    for algorithm in ["HS256", "none", "", "rs256"] {
        let refused = client.rotate_key(request(rotate(algorithm, true), &world, &admin)).await;
        assert_eq!(refused.expect_err("is refused").code(), Code::InvalidArgument, "{algorithm}");
    }
    let refused = client.retire_key(request(retire("unknown"), &world, &admin)).await.expect_err("is refused");
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn only_administrators_may_manage_keys() {
    let world = World::new().await;
    let keys = world.replica().await;
    let before = kids(&keys);
    let server = serve(&keys, &world);
    let mut client = KeysApiClient::new(server);
    let rotate = || RotateKeyRequest { algorithm: "EdDSA".to_owned(), at_once: true };
    let retire = || RetireKeyRequest { kid: before[0].clone() };
    for roles in [&[][..], &[role::USER]] {
        let codes = [
            client
                .list_keys(request(ListKeysRequest {}, &world, roles))
                .await
                .map(drop)
                .map_err(|status| status.code()),
            client.rotate_key(request(rotate(), &world, roles)).await.map(drop).map_err(|status| status.code()),
            client.retire_key(request(retire(), &world, roles)).await.map(drop).map_err(|status| status.code()),
        ];
        assert_eq!(codes, [Err(Code::PermissionDenied); 3]);
    }
    let refused = client.rotate_key(rotate()).await.expect_err("brought no token");
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(kids(&keys), before);
}
