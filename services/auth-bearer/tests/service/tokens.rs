//! Which tokens are good.

use crate::support::{Provider, Service, Signer, seconds};
use auth_bearer::Oidc;
use authn::Reason;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

#[tokio::test]
async fn a_good_token_is_its_person_until_it_ends() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let signer = Signer::new("k", algorithm);
        let provider = Provider::start(&[&signer]).await;
        let service = Service::of(&provider);
        let who = service.authenticate(&signer.sign(&service.claims(&provider.url))).await;
        let who = who.unwrap_or_else(|error| panic!("{algorithm:?}: {error:?}"));
        assert_eq!((who.user.username.as_str(), who.amr.as_str()), ("einstein", "oidc"));
        assert_eq!(who.not_after.map(seconds), Some(seconds(service.clock.now()) + 3600));
        assert!(who.scopes.is_full_user());
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_though_its_key_is_known() {
    let signer = Signer::new("k", Algorithm::ES256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    let token = signer.sign(&service.claims(&provider.url));
    assert!(service.authenticate(&token).await.is_ok());
    service.clock.advance(std::time::Duration::from_secs(3605));
    assert_eq!(service.refusal(&token).await, Reason::Expired);
}

#[tokio::test]
async fn r1_another_issuers_token_is_refused_though_it_has_the_key() {
    let signer = Signer::new("k", Algorithm::ES256);
    let (ours, other) = (Provider::start(&[&signer]).await, Provider::start(&[&signer]).await);
    let service = Service::of(&ours);
    assert_eq!(service.refusal(&signer.sign(&service.claims(&other.url))).await, Reason::ForeignToken);
    assert_eq!(service.refusal(&signer.sign(&service.claims(&format!("{}/", ours.url)))).await, Reason::ForeignToken);
    assert_eq!(ours.fetches() + other.fetches(), 0, "nobody is asked for the key of a foreign token");
}

#[tokio::test]
async fn r1_a_key_of_the_same_name_from_elsewhere_does_not_fit() {
    let (ours, theirs) = (Signer::new("k", Algorithm::ES256), Signer::new("k", Algorithm::ES256));
    let provider = Provider::start(&[&ours]).await;
    let service = Service::of(&provider);
    assert_eq!(service.refusal(&theirs.sign(&service.claims(&provider.url))).await, Reason::WrongSecret);
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let signer = Signer::new("k", Algorithm::RS256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    let claims = service.claims(&provider.url);
    let pem = signer.pair.public_key_pem();
    for secret in [pem.as_bytes(), pem.trim_end().as_bytes(), signer.public().to_string().as_bytes()] {
        let header = Header { kid: Some("k".into()), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).expect("signs");
        assert_eq!(service.refusal(&token).await, Reason::ForeignToken);
    }
    let unsigned = URL_SAFE_NO_PAD.encode(json!({"alg": "none"}).to_string());
    let unsigned = format!("{unsigned}.{}.", URL_SAFE_NO_PAD.encode(claims.to_string()));
    assert_eq!(service.refusal(&unsigned).await, Reason::ForeignToken);
    assert_eq!(service.refusal("").await, Reason::EmptySecret);
}

#[tokio::test]
async fn an_algorithm_must_fit_its_key() {
    let (one, other) = (Signer::new("one", Algorithm::ES256), Signer::new("other", Algorithm::EdDSA));
    let provider = Provider::start(&[&one, &other]).await;
    let service = Service::of(&provider);
    let borrowed = Signer { kid: "other", ..one };
    assert_eq!(service.refusal(&borrowed.sign(&service.claims(&provider.url))).await, Reason::ForeignToken);
}

#[tokio::test]
async fn the_token_must_name_an_active_person() {
    let signer = Signer::new("k", Algorithm::ES256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    let refusal = async |name: serde_json::Value| {
        let mut claims = service.claims(&provider.url);
        claims["preferred_username"] = name;
        service.refusal(&signer.sign(&claims)).await
    };
    for missing in [json!(null), json!(""), json!(7), json!(["einstein"])] {
        assert_eq!(refusal(missing).await, Reason::Malformed);
    }
    assert_eq!(refusal(json!("nobody")).await, Reason::UnknownUser);
    assert_eq!(refusal(json!("ludwig")).await, Reason::Disabled);
}

#[tokio::test]
async fn r3_an_audience_is_demanded_where_one_is_configured() {
    let signer = Signer::new("k", Algorithm::ES256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::new(Oidc { issuer: provider.url.clone(), audience: "web".into(), ..Oidc::default() });
    let mut claims = service.claims(&provider.url);
    assert!(service.authenticate(&signer.sign(&claims)).await.is_ok());
    claims["aud"] = json!(["other"]);
    assert_eq!(service.refusal(&signer.sign(&claims)).await, Reason::ForeignToken);
}

#[tokio::test]
async fn other_claims_can_be_chosen() {
    let signer = Signer::new("k", Algorithm::ES256);
    let provider = Provider::start(&[&signer]).await;
    let oidc =
        Oidc { issuer: provider.url.clone(), id_claim: "sub".into(), uid_claim: "uid".into(), ..Oidc::default() };
    let service = Service::new(oidc);
    let mut claims = service.claims(&provider.url);
    claims["uid"] = json!(20001);
    let who = service.authenticate(&signer.sign(&claims)).await.expect("is good");
    assert_eq!((who.user.uid_number, who.user.gid_number), (20001, 0));
}
