//! Two replicas of the edge are restarted one after the other, under load.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use testkit::{Layout, Mode, Server, TestFamily, free_address};
use tokio::net::TcpListener;

use crate::shutdown::balancer::Balancer;

const REQUESTS: usize = 10_000;
const CLIENTS: usize = 8;
const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: cloud.example\r\n\r\n";

/// A replica of the edge in a process of its own.
struct Replica {
    variables: BTreeMap<String, String>,
    server: Server,
}

impl Replica {
    fn start(layout: &Layout) -> Self {
        let mut variables = layout.variables().clone();
        for name in ["PROXY_HTTP_ADDR", "PROXY_GRPC_ADDR", "PROXY_DEBUG_ADDR"] {
            variables.insert(name.to_owned(), free_address().to_string());
        }
        let server = Server::start("proxy", &variables);
        Self { variables, server }
    }

    fn address(&self, variable: &str) -> SocketAddr {
        self.variables[variable].parse().expect("an address")
    }

    fn restart(&mut self) {
        assert_eq!(self.server.terminate(), 0);
        self.server = Server::start("proxy", &self.variables);
    }
}

async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(async || "backend");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// The family but for the edge, whose replicas are processes of their own.
async fn family() -> TestFamily {
    let mut layout = Layout::new("rolling-restart", false);
    let routes = layout.folder().join("routes.yaml");
    let backend = backend().await;
    std::fs::write(&routes, format!("routes:\n  - {{ path: /, backend: 'http://{backend}', unprotected: true }}\n"))
        .expect("writes");
    layout.set("PROXY_ROUTES_FILE", &routes.display().to_string());
    layout.set("PROXY_TLS", "false");
    layout.set("PROXY_DRAIN_DELAY", "1s");
    layout.set("OCIS_LOG_LEVEL", "error");
    layout.set("OCIS_EXCLUDE_RUN_SERVICES", "proxy");
    // replicas would need one database for the keys
    layout.set("PROXY_ENABLE_PRESIGNEDURLS", "false");
    TestFamily::start_with(layout, Mode::Inside, |context| context).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_restart_of_two_edge_processes_fails_no_request() {
    let family = family().await;
    let mut replicas = [Replica::start(&family.layout), Replica::start(&family.layout)];
    let addresses = replicas.each_ref().map(|one| (one.address("PROXY_HTTP_ADDR"), one.address("PROXY_DEBUG_ADDR")));
    let balancer = Arc::new(Balancer::new(addresses));
    let polling = Arc::clone(&balancer);
    tokio::spawn(async move { polling.poll().await });
    balancer.wait_until_ready(0).await;
    balancer.wait_until_ready(1).await;

    let (sent, is_restarted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = std::iter::repeat_with(|| {
        let (balancer, sent, is_restarted) = (Arc::clone(&balancer), Arc::clone(&sent), Arc::clone(&is_restarted));
        tokio::spawn(async move {
            let mut failures = Vec::new();
            while sent.fetch_add(1, Ordering::Relaxed) < REQUESTS || !is_restarted.load(Ordering::Acquire) {
                match balancer.send(REQUEST).await {
                    Ok(200) => {}
                    other => failures.push(format!("{other:?}")),
                }
            }
            failures
        })
    })
    .take(CLIENTS)
    .collect();

    for place in 0..replicas.len() {
        replicas = tokio::task::spawn_blocking(move || {
            replicas[place].restart();
            replicas
        })
        .await
        .expect("the replica ends and starts");
        balancer.wait_until_ready(place).await;
    }
    is_restarted.store(true, Ordering::Release);
    let mut failures = Vec::new();
    for client in clients {
        failures.extend(client.await.expect("no panic"));
    }
    assert!(sent.load(Ordering::Relaxed) >= REQUESTS);
    assert!(
        failures.is_empty(),
        "{} of {} failed: {:?}",
        failures.len(),
        sent.load(Ordering::Relaxed),
        failures.first()
    );
}
