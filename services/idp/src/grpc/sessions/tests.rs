//! `SessionsAPI`, without a network.

use std::sync::Arc;
use std::time::SystemTime;

use authn::Authenticated;
use proto::doorward::idp::v1::sessions_api_client::SessionsApiClient;
use tonic::{Code, Streaming};
use uuid::Uuid;

use super::*;
use crate::testing::Bench;

const HOUR: Duration = Duration::from_hours(1);

type Messages = Streaming<WatchEndedSessionsResponse>;

fn watcher() -> Authenticated {
    ::token::session_watcher("proxy")
}

async fn watch(bench: &Bench, token: Option<String>, shutdown: &CancellationToken) -> Result<Messages, Status> {
    let mut request = Request::new(WatchEndedSessionsRequest {});
    if let Some(token) = token {
        request.metadata_mut().insert(::token::METADATA_KEY, token.parse().expect("a header"));
    }
    let service = serve(bench.provider.clone(), shutdown.clone(), None);
    SessionsApiClient::new(service).watch_ended_sessions(request).await.map(Response::into_inner)
}

fn ended(id: u128, until: SystemTime) -> Revocation {
    Revocation { id: Uuid::from_u128(id), until }
}

async fn next(messages: &mut Messages) -> WatchEndedSessionsResponse {
    messages.message().await.expect("no failure").expect("a message")
}

fn ids(message: &WatchEndedSessionsResponse) -> Vec<Uuid> {
    message.ended.iter().map(|session| Uuid::from_slice(&session.id).expect("16 bytes")).collect()
}

#[tokio::test]
async fn what_has_ended_is_told_first_and_then_each_end() {
    let bench = Bench::new().await;
    tokio::time::pause();
    let (shutdown, until) = (CancellationToken::new(), bench.clock.now() + HOUR);
    let revocations = &bench.provider.revocations;
    revocations.add((0..1500).map(|id| ended(id, until)));
    let mut messages = watch(&bench, Some(bench.minted(&watcher())), &shutdown).await.expect("is allowed");
    let (first, second) = (next(&mut messages).await, next(&mut messages).await);
    assert_eq!(first.issuers, bench.provider.issuers.iter().map(|site| site.issuer.clone()).collect::<Vec<_>>());
    assert!(!first.issuers.is_empty() && second.issuers.is_empty());
    assert_eq!((ids(&first).len(), first.is_complete), (1000, false));
    assert_eq!((ids(&second).len(), second.is_complete), (500, true));
    let mut told = [ids(&first), ids(&second)].concat();
    told.sort();
    assert_eq!(told, (0..1500).map(Uuid::from_u128).collect::<Vec<_>>());

    let beat = next(&mut messages).await;
    assert!(beat.ended.is_empty() && beat.is_complete, "{beat:?}");
    // one is known already
    revocations.add([ended(1, until), ended(7000, until)]);
    let more = next(&mut messages).await;
    assert_eq!(
        (ids(&more), more.ended[0].until),
        (vec![Uuid::from_u128(7000)], i64::try_from(seconds(until)).expect("fits"))
    );
    shutdown.cancel();
    assert_eq!(messages.message().await.expect("no failure"), None, "the service stops");
}

#[tokio::test]
async fn caller_who_is_behind_is_told_everything() {
    let bench = Bench::new().await;
    tokio::time::pause();
    let (shutdown, until) = (CancellationToken::new(), bench.clock.now() + HOUR);
    let mut messages = watch(&bench, Some(bench.minted(&watcher())), &shutdown).await.expect("is allowed");
    assert!(next(&mut messages).await.is_complete);
    bench.provider.revocations.add((0..5000).map(|id| ended(id, until)));
    let mut told = Vec::new();
    loop {
        let message = next(&mut messages).await;
        told.extend(ids(&message));
        if message.is_complete && !message.ended.is_empty() {
            break;
        }
    }
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 5000);
}

/// [Row R10](../../../../../docs/security-requirements.md#r10).
#[tokio::test]
async fn caller_who_falls_behind_while_reading_is_told_everything() {
    let bench = Bench::new().await;
    tokio::time::pause();
    let (shutdown, until) = (CancellationToken::new(), bench.clock.now() + HOUR);
    let revocations = &bench.provider.revocations;
    revocations.add((0..1500).map(|id| ended(id, until)));
    let mut messages = watch(&bench, Some(bench.minted(&watcher())), &shutdown).await.expect("is allowed");
    let mut told = ids(&next(&mut messages).await);
    revocations.add((1500..4500).map(|id| ended(id, until)));
    loop {
        let message = next(&mut messages).await;
        told.extend(ids(&message));
        if message.is_complete {
            break;
        }
    }
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 4500);

    // with more to tell than is read
    revocations.add((10_000..12_000).map(|id| ended(id, until)));
    next(&mut messages).await;
    shutdown.cancel();
    let mut more = 0;
    while messages.message().await.expect("no failure").is_some() {
        more += 1;
    }
    assert!(more < 2, "what was sent already");
}

/// [Row R10](../../../../../docs/security-requirements.md#r10).
#[tokio::test]
async fn only_services_for_this_purpose_are_told_and_only_for_some_minutes() {
    let bench = Bench::new().await;
    tokio::time::pause();
    let shutdown = CancellationToken::new();
    let reader = bench.minted(&::token::profile_reader("proxy"));
    let wrong = [
        (None, Code::Unauthenticated),
        (Some(bench.internal_token("marie", &[])), Code::PermissionDenied),
        (Some(bench.admin()), Code::PermissionDenied),
        (Some(reader), Code::PermissionDenied),
    ];
    for (token, code) in wrong {
        let refused = watch(&bench, token.clone(), &shutdown).await.map(drop).expect_err("is refused");
        assert_eq!(refused.code(), code, "{token:?}");
    }
    // what an authenticator might answer with
    let person = Authenticated { user: Arc::new(authn::testing::user("marie")), ..watcher() };
    let refused = watch(&bench, Some(bench.minted(&person)), &shutdown).await.map(drop).expect_err("is refused");
    assert_eq!(refused.code(), Code::PermissionDenied);

    let mut messages = watch(&bench, Some(bench.minted(&watcher())), &shutdown).await.expect("is allowed");
    let begin = Instant::now();
    while messages.message().await.expect("no failure").is_some() {}
    assert!(begin.elapsed() >= AUTHORIZED_FOR && begin.elapsed() < AUTHORIZED_FOR + 2 * BEAT);
}
