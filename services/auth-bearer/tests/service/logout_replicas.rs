//! What has ended at an issuer has ended at every replica, and after a restart. Row
//! [R21](../../../../docs/security-requirements.md#r21).

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::logout::{logout, said, tell};
use crate::support::{Provider, Service, key, logouts, sign, with};
use auth_bearer::Config;
use auth_bearer::logouts::Logouts;
use authn::{AuthError, Reason};
use axum::http::StatusCode;
use config::{Environment, Secret};
use oidc::jose::{Algorithm, SigningKey};
use runtime::Context;
use serde_json::json;
use store::testing::{Cluster, TestDatabase};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A poll a second, and a busy machine.
const SOON: Duration = Duration::from_secs(8);

struct Replica {
    service: Service,
    _following: DropGuard,
}

/// A replica that follows the others, as the service does.
async fn replica(of: &Service, place: &TestDatabase, pushes: bool) -> Replica {
    let logouts = logouts(place, &of.clock).await;
    let shutdown = CancellationToken::new();
    let (followed, clock, stop) = (Arc::clone(&logouts), of.clock.clone(), shutdown.clone());
    tokio::spawn(async move { followed.follow(pushes, clock, stop).await });
    Replica { service: of.replica(logouts), _following: shutdown.drop_guard() }
}

/// An access token of this session.
fn of_session(service: &Service, signer: &SigningKey, issuer: &str, sid: &str) -> String {
    sign(signer, &with(service.claims(issuer), "sid", sid))
}

async fn learns(replica: &Replica, token: &str) -> Duration {
    let begin = Instant::now();
    loop {
        match replica.service.authenticate(token).await {
            Err(AuthError::Refused(Reason::Revoked)) => return begin.elapsed(),
            outcome => assert!(begin.elapsed() < SOON, "the end is not known: {outcome:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn restart_forgets_no_logout() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let (place, first) = (store::testing::sqlite(), Service::of(&provider));
    let service = first.replica(logouts(&place, &first.clock).await);
    let token = of_session(&service, &signer, &provider.url, "s1");
    let ended = logout(&signer, &said(&service, &provider.url));
    assert_eq!(tell(&service, &ended).await, StatusCode::OK);
    drop(service);

    let restarted = first.replica(logouts(&place, &first.clock).await);
    assert_eq!(restarted.refusal(&token).await, Reason::Revoked);
    let other = of_session(&restarted, &signer, &provider.url, "s2");
    restarted.authenticate(&other).await.expect("is another session");
    assert_eq!(tell(&restarted, &ended).await, StatusCode::BAD_REQUEST, "its identifier counts once");
}

#[tokio::test]
async fn logout_reaches_every_replica_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let first = Service::of(&provider);
    for pushes in [true, false] {
        let place = cluster.fresh_database().await;
        let (one, other) = (replica(&first, &place, pushes).await, replica(&first, &place, pushes).await);
        let token = of_session(&first, &signer, &provider.url, "s1");
        for replica in [&one, &other] {
            replica.service.authenticate(&token).await.expect("is good");
        }
        let ended = logout(&signer, &said(&first, &provider.url));
        assert_eq!(tell(&one.service, &ended).await, StatusCode::OK);
        assert_eq!(one.service.refusal(&token).await, Reason::Revoked, "at once where it was received");
        learns(&other, &token).await;
        for replica in [&one, &other] {
            assert_eq!(tell(&replica.service, &ended).await, StatusCode::BAD_REQUEST, "its identifier counts once");
        }
        let late = replica(&first, &place, pushes).await;
        assert_eq!(late.service.refusal(&token).await, Reason::Revoked, "read at the start");
    }
}

#[tokio::test]
async fn logout_token_that_is_sent_to_all_replicas_at_once_counts_once_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let (place, first) = (cluster.fresh_database().await, Service::of(&provider));
    let (one, other) = (replica(&first, &place, false).await, replica(&first, &place, false).await);
    for number in 0..10 {
        let claims = with(said(&first, &provider.url), "jti", json!(format!("j{number}")));
        let token = logout(&signer, &claims);
        let (a, b) = tokio::join!(tell(&one.service, &token), tell(&other.service, &token));
        let accepted = [a, b].into_iter().filter(|status| *status == StatusCode::OK).count();
        assert_eq!(accepted, 1, "{a} {b}");
    }
}

/// Others may have recorded that a session has ended.
#[tokio::test]
async fn replica_that_cannot_read_what_has_ended_refuses_tokens_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let (place, first) = (cluster.fresh_database().await, Service::of(&provider));
    let database = place.open().await;
    database.migrate::<auth_bearer::Migrator>().await.expect("migrates");
    let logouts = Arc::new(Logouts::open(database.clone(), first.clock.now()).await.expect("is read"));
    let service = first.replica(logouts);
    let token = of_session(&service, &signer, &provider.url, "s1");
    service.authenticate(&token).await.expect("is good");
    // no poll follows: the database is as good as gone
    database.close().await.expect("closes");
    let begin = Instant::now();
    loop {
        match service.authenticate(&token).await {
            Ok(_) => assert!(begin.elapsed() < SOON, "it stays accepted for too long"),
            Err(AuthError::Unavailable { .. }) => break,
            Err(error) => panic!("it is not known to have ended: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ended = logout(&signer, &said(&service, &provider.url));
    assert_eq!(tell(&service, &ended).await, StatusCode::SERVICE_UNAVAILABLE, "it is not acknowledged");
}

#[tokio::test]
async fn logout_token_that_cannot_be_stored_is_not_acknowledged() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    let token = of_session(&service, &signer, &provider.url, "s1");
    let ended = logout(&signer, &said(&service, &provider.url));
    assert_eq!(tell(&service, &ended).await, StatusCode::SERVICE_UNAVAILABLE);
    service.authenticate(&token).await.expect("its session has not ended here");
}

#[tokio::test]
async fn service_starts_without_a_folder_for_its_file_and_not_without_its_database() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder").expect("writes");
    let context =
        |data: &std::path::Path| Context::new(Environment::from([("OCIS_BASE_DATA_PATH", data.display().to_string())]));
    let nowhere = context(&file.join("data"));
    assert!(auth_bearer::logouts(&Config::default(), &nowhere).await.is_ok(), "nothing has been stored there");

    let configured = format!("sqlite://{}", file.join("data/auth-bearer.db").display());
    let config = Config { database_url: Secret::from(configured.as_str()), ..Config::default() };
    assert!(auth_bearer::logouts(&config, &nowhere).await.is_err(), "the operator means it");

    std::fs::write(folder.path().join("auth-bearer.db"), "not a database, though of the length of a page".repeat(200))
        .expect("writes");
    let damaged = auth_bearer::logouts(&Config::default(), &context(folder.path())).await;
    assert!(damaged.is_err(), "what it has stored would be forgotten");
}
