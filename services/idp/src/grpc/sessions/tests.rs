//! `SessionsAPI`, without a network.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use authn::ended_sessions::{Cutoff, Issuance, Remote};
use authn::{Authenticated, EndedSessions};
use proto::doorward::idp::v1::sessions_api_client::SessionsApiClient;
use tokio::sync::mpsc;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Streaming};
use uuid::Uuid;

use super::*;
use crate::model::time_of;
use crate::revocations::{self, Of};
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
    revocations.add((0..6000).map(|id| ended(id, until)));
    let mut messages = watch(&bench, Some(bench.minted(&watcher())), &shutdown).await.expect("is allowed");
    let mut told = ids(&next(&mut messages).await);
    revocations.add((6000..9000).map(|id| ended(id, until)));
    loop {
        let message = next(&mut messages).await;
        told.extend(ids(&message));
        if message.is_complete {
            break;
        }
    }
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 9000);

    // there is more to tell than is read
    revocations.add((10_000..12_000).map(|id| ended(id, until)));
    next(&mut messages).await;
    shutdown.cancel();
    let mut more = 0;
    while messages.message().await.expect("no failure").is_some() {
        more += 1;
    }
    assert!(more < 5, "only what was on its way: {more}");
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

/// A provider that sends what its test has it send.
struct Scripted(Mutex<Option<mpsc::Receiver<WatchEndedSessionsResponse>>>);

#[tonic::async_trait]
impl SessionsApi for Scripted {
    type WatchEndedSessionsStream = BoxStream<'static, Result<WatchEndedSessionsResponse, Status>>;

    async fn watch_ended_sessions(
        &self,
        _: Request<WatchEndedSessionsRequest>,
    ) -> Result<Response<Self::WatchEndedSessionsStream>, Status> {
        let script = self.0.lock().expect("not poisoned").take().ok_or_else(|| Status::unavailable("once"))?;
        let messages = unfold(script, async |mut script| script.recv().await.map(|message| (Ok(message), script)));
        Ok(Response::new(messages.boxed()))
    }
}

/// Rows [R9](../../../../../docs/security-requirements.md#r9) and [R10](../../../../../docs/security-requirements.md#r10).
#[tokio::test]
async fn follower_keeps_what_it_has_heard_and_is_in_doubt_only_while_idp_is() {
    let (script, scripted) = mpsc::channel(4);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let service = SessionsApiServer::new(Scripted(Mutex::new(Some(scripted))));
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener)));
    let channel = Channel::from_shared(format!("http://{address}")).expect("a URL").connect_lazy();
    let remote = Remote::new(channel, Arc::new(|| Ok("a-token".to_owned())));

    let now = time_of(1_800_000_000);
    let [over, live] = [1, 2].map(|id| Uuid::from_u128(id).to_string());
    let both = || [&over, &live].map(|sid| remote.has_ended("https://cloud.example", sid));
    assert_eq!(both(), [None, None], "nothing was told yet");
    let mut following = remote.follow().await.expect("answers");
    let until = i64::try_from(seconds(now + HOUR)).expect("fits");
    let ended = vec![EndedSession { id: Uuid::from_u128(1).as_bytes().to_vec(), until }];
    let issuers = vec!["https://cloud.example".to_owned()];
    script.send(WatchEndedSessionsResponse { issuers, ended, is_complete: true }).await.expect("is sent");
    assert!(following.hear(now).await.expect("a message"));
    assert_eq!(both(), [Some(true), Some(false)]);
    assert_eq!(remote.has_ended("https://other.example", &over), Some(false), "of another provider");

    let consent = revocations::before(Of::Consent { person: "curie", client: "app" }, seconds(now));
    assert_eq!(consent.id, Cutoff::Consent { user: "curie", client: "app" }.id());
    let until = i64::try_from(seconds(consent.until)).expect("fits");
    let ended = vec![EndedSession { id: consent.id.as_bytes().to_vec(), until }];
    let message = WatchEndedSessionsResponse { issuers: Vec::new(), ended, is_complete: true };
    script.send(message).await.expect("is sent");
    assert!(following.hear(now).await.expect("a message"));
    let issuance = |client, issued| {
        let (session, signed_in) = (None, Some(seconds(now) - 60));
        Issuance { user: Some("curie"), client, session, signed_in, issued }
    };
    let [token, later, other] = [("app", seconds(now) - 1), ("app", seconds(now)), ("other", seconds(now) - 1)]
        .map(|(client, issued)| issuance(client, issued));
    let cut_off = || [&token, &later, &other].map(|token| remote.cuts_off("https://cloud.example", token));
    assert_eq!(cut_off(), [Some(true), Some(false), Some(false)]);
    assert_eq!(remote.cuts_off("https://other.example", &token), Some(false), "of another provider");

    script.send(WatchEndedSessionsResponse::default()).await.expect("is sent");
    assert!(following.hear(now).await.expect("a message"));
    assert_eq!(both(), [Some(true), None], "idp does not know what its replicas have ended");
    assert_eq!(cut_off(), [Some(true), None, None]);
    drop(script);
    assert!(!following.hear(now).await.expect("the end"));
    drop(following);
    assert_eq!(both(), [Some(true), Some(false)], "no session ends while idp is away");
    assert!(remote.follow().await.is_err());
}
