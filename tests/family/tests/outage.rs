//! The database goes away from one of two replicas of the family, behind the balancer that leads there, and comes back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use proto::cs3::auth::applications::v1beta1::InvalidateAppPasswordRequest;
use status::Kind;
use store::MAX_STALENESS;
use store::testing::{Balancer, Cluster};
use testkit::{Layout, Mode, TestFamily, is_ok};
use tokio::net::TcpListener;
use tonic::{Request, metadata::MetadataValue};

/// For so long a token may be accepted without an answer of the database: the one bound, and a moment until the database is gone.
const BOUND: Duration = MAX_STALENESS.saturating_add(Duration::from_millis(500));
/// How long the database is away.
const OUTAGE: Duration = Duration::from_secs(9);
/// How long it may take until it is used again.
const RETURN: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accepted,
    Refused,
    Unavailable,
}

/// A replica of the family in a process of its own.
struct Replica {
    family: TestFamily,
    http: reqwest::Client,
}

impl Replica {
    async fn start(mut layout: Layout, database: &str, is_first: bool) -> Self {
        let routes = layout.folder().join("routes.yaml");
        let backend = backend().await;
        std::fs::write(&routes, format!("routes:\n  - {{ path: /, backend: 'http://{backend}' }}\n")).expect("writes");
        for (name, value) in [
            ("OCIS_DATABASE_URL", database),
            ("OCIS_LOG_LEVEL", "info"),
            ("PROXY_ROUTES_FILE", &routes.display().to_string()),
            ("PROXY_TLS", "false"),
            ("PROXY_ENABLE_BASIC_AUTH", "true"),
        ] {
            layout.set(name, value);
        }
        let family = if is_first {
            TestFamily::start_with(layout, Mode::OneProcess, |context| context).await
        } else {
            TestFamily::start_empty(layout, Mode::OneProcess).await
        };
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { family, http }
    }

    /// What the gateway answers to einstein's app token, by gRPC.
    async fn gateway(&self, token: &str) -> Answer {
        match self.family.authenticate("appauth", "einstein", token).await {
            Ok(_) => Answer::Accepted,
            Err((Kind::Unauthenticated, _)) => Answer::Refused,
            Err((Kind::Unavailable, _)) => Answer::Unavailable,
            Err(other) => panic!("the gateway: {other:?}"),
        }
    }

    /// What the edge answers to a request with that token as a password.
    async fn edge(&self, token: &str) -> Answer {
        let url = format!("http://{}/page", self.family.layout.variables()["PROXY_HTTP_ADDR"]);
        let answer = self.http.get(url).basic_auth("einstein", Some(token)).send().await.expect("the edge answers");
        match answer.status() {
            StatusCode::OK => Answer::Accepted,
            StatusCode::UNAUTHORIZED => Answer::Refused,
            StatusCode::SERVICE_UNAVAILABLE => Answer::Unavailable,
            other => panic!("the edge: {other}"),
        }
    }

    async fn both(&self, token: &str) -> [Answer; 2] {
        let (gateway, edge) = tokio::join!(self.gateway(token), self.edge(token));
        [gateway, edge]
    }

    async fn revoke(&self, token: &str) {
        let password = token.to_owned();
        let mut request = Request::new(InvalidateAppPasswordRequest { password, ..Default::default() });
        let by = MetadataValue::try_from(self.family.token_of("einstein").await).expect("a token is ASCII");
        request.metadata_mut().insert(token::METADATA_KEY, by);
        let answer = self.family.gateway().invalidate_app_password(request).await.expect("auth-app answers");
        assert!(is_ok(answer.into_inner().status.as_ref()), "the token is revoked");
    }

    /// Uses a token until the end of the outage: until when it was accepted, and the last answer.
    async fn use_token(&self, token: &str, begin: Instant) -> ([Duration; 2], [Answer; 2]) {
        let (mut accepted, mut last) = ([Duration::ZERO; 2], [Answer::Unavailable; 2]);
        while begin.elapsed() < OUTAGE {
            last = self.both(token).await;
            for (until, answer) in accepted.iter_mut().zip(last) {
                match answer {
                    Answer::Accepted => *until = begin.elapsed(),
                    Answer::Unavailable => {}
                    Answer::Refused => panic!("nothing is known of a refusal after {:?}", begin.elapsed()),
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (accepted, last)
    }
}

/// What is behind the edge.
async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async || "backend")).await });
    address
}

/// A replica's layout with the secrets of another.
fn replica_of(layout: &Layout) -> Layout {
    let mut replica = Layout::new("outage-elsewhere", false);
    for name in [
        "OCIS_JWT_SECRET",
        "OCIS_MACHINE_AUTH_API_KEY",
        "OCIS_SERVICE_ACCOUNT_SECRET",
        "AUTH_APP_TOKEN_KEY",
        "IDP_ENCRYPTION_SECRET",
    ] {
        replica.set(name, &layout.variables()[name]);
    }
    replica.machine_key.clone_from(&layout.machine_key);
    replica
}

/// Row G14: while the database is away, a token that was confirmed just before is accepted within the one bound; then and for
/// everything else the answer is that the service is unavailable, never a refusal. A revocation elsewhere holds afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn absent_postgres_is_made_up_for_within_one_bound_and_never_refuses() {
    let Some(cluster) = Cluster::start().await else { return };
    let database = cluster.fresh_database().await;
    let balancer = Balancer::start(&database, b"").await;
    let layout = Layout::new("outage", false);
    let elsewhere = replica_of(&layout);
    let here = Replica::start(layout, balancer.url(), true).await;
    let elsewhere = Replica::start(elsewhere, database.url(), false).await;

    let [kept, revoked, unused] = [(); 3].map(|()| here.family.app_token("einstein"));
    let (kept, revoked, unused) = (kept.await, revoked.await, unused.await);
    for token in [&kept, &revoked] {
        assert_eq!(here.both(token).await, [Answer::Accepted; 2]);
        assert_eq!(elsewhere.both(token).await, [Answer::Accepted; 2]);
    }

    balancer.lose_server().await;
    let begin = Instant::now();
    elsewhere.revoke(&revoked).await;
    assert_eq!(elsewhere.both(&revoked).await, [Answer::Refused; 2], "it has its database");
    let (of_kept, of_revoked) = tokio::join!(here.use_token(&kept, begin), here.use_token(&revoked, begin));
    eprintln!("accepted for {of_kept:.1?}, where it was revoked elsewhere for {of_revoked:.1?}");
    for (accepted, last) in [of_kept, of_revoked] {
        assert!(accepted.iter().all(|until| *until < BOUND), "{accepted:?}");
        assert_eq!(last, [Answer::Unavailable; 2]);
    }
    assert!(of_kept.0.iter().all(|until| *until > Duration::from_secs(1)), "a short outage is noticed: {of_kept:?}");
    assert_eq!(here.both(&unused).await, [Answer::Unavailable; 2], "nor is anything known of this one");
    assert_eq!(elsewhere.both(&kept).await, [Answer::Accepted; 2]);

    balancer.find_server();
    let begin = Instant::now();
    for (token, answer) in [(&kept, Answer::Accepted), (&revoked, Answer::Refused), (&unused, Answer::Accepted)] {
        loop {
            let found = here.both(token).await;
            if found == [answer; 2] {
                break;
            }
            assert!(found.iter().all(|one| *one == Answer::Unavailable || *one == answer), "{found:?}, not {answer:?}");
            assert!(begin.elapsed() < RETURN, "{found:?}, not {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
