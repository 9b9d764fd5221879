//! For which client a token was issued, at an issuer that is our own provider or another.

use std::time::Duration;

use crate::support::{Provider, Service, key, sign, with};
use auth_bearer::Oidc;
use authn::Reason;
use oidc::jose::Algorithm;
use runtime::CapturedLog;
use serde_json::json;
use tracing::Level;

/// A claim that any provider may let its clients, or its users' own attributes, set.
#[tokio::test]
async fn first_party_claim_of_another_provider_is_ignored() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let claims = |service: &Service| {
        let third = with(service.claims(&provider.url), "azp", "third");
        with(with(third, "first_party", true), "amr", json!(["pwd"]))
    };
    let foreign = Service::of(&provider);
    assert_eq!(foreign.refusal(&sign(&signer, &claims(&foreign))).await, Reason::ForeignClient);

    let own_issuers = vec![provider.url.clone()];
    let own = Service::new(Oidc { issuer: provider.url.clone(), own_issuers, ..Oidc::default() });
    let who = own.authenticate(&sign(&signer, &claims(&own))).await.expect("its own provider says so");
    assert!(who.scopes.is_full_user() && &*who.amr == authn::amr::OIDC);
}

#[tokio::test]
async fn refused_client_is_logged_with_the_remedy_once_a_minute() {
    let log = CapturedLog::start(Level::INFO);
    let lines_with = |text: &str| -> Vec<String> {
        log.text().lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    };

    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    let mut nameless = service.claims(&provider.url);
    nameless.as_object_mut().expect("an object").remove("azp");
    for _ in 0..3 {
        assert_eq!(service.refusal(&sign(&signer, &nameless)).await, Reason::ForeignClient);
    }
    let lines = lines_with("foreign_client");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let names = ["AUTH_BEARER_OIDC_AUDIENCE", "AUTH_BEARER_OIDC_AUTHORIZED_PARTIES", &provider.url];
    assert!(names.iter().all(|name| lines[0].contains(name)), "{lines:?}");
    service.clock.advance(Duration::from_mins(1));
    assert_eq!(service.refusal(&sign(&signer, &nameless)).await, Reason::ForeignClient);
    assert_eq!(lines_with("foreign_client").len(), 2);
}
