//! A family with the edge, in the test's process.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use runtime::Context;
use testkit::{Layout, Mode, TestFamily, note_secret};

use crate::edge::backend::Backend;

pub(crate) const NODE: &str = "1f3c6d2e-7a54-4a06-9d0c-3f1d3f0a9b11";
pub(crate) const OTHER: &str = "00000000-0000-0000-0000-000000000002";

/// The edge, what is behind it, and what opens it.
pub(crate) struct World {
    pub(crate) family: TestFamily,
    pub(crate) backend: Backend,
    pub(crate) edge: SocketAddr,
    /// An app token of einstein's, with full access.
    pub(crate) token: String,
}

impl World {
    /// Routes everything to the backend.
    pub(crate) async fn start(name: &str) -> Self {
        Self::start_with(name, |_| ()).await
    }

    /// The same, with more settings.
    pub(crate) async fn start_with(name: &str, more: impl FnOnce(&mut Layout)) -> Self {
        Self::start_in(name, more, |context| context).await
    }

    /// The same, in a world that the test has changed.
    pub(crate) async fn start_in(
        name: &str,
        more: impl FnOnce(&mut Layout),
        world: impl FnOnce(Context) -> Context,
    ) -> Self {
        Self::start_as(name, Mode::Inside, more, world).await
    }

    /// The same, in as many processes as the mode says.
    pub(crate) async fn start_as(
        name: &str,
        processes: Mode,
        more: impl FnOnce(&mut Layout),
        world: impl FnOnce(Context) -> Context,
    ) -> Self {
        let backend = Backend::start().await;
        let mut layout = Layout::new(name, false);
        let file = layout.folder().join("routes.yaml");
        std::fs::write(&file, routes(&backend)).expect("the file can be written");
        layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
        layout.set("PROXY_TLS", "false");
        // here /admin is a path of the application
        layout.set("ACCOUNT_ADMIN_ROOT", "");
        layout.set("PROXY_URL", "http://cloud.example");
        layout.set("PROXY_ENABLE_BASIC_AUTH", "true");
        more(&mut layout);
        let edge = layout.variables()["PROXY_HTTP_ADDR"].parse().expect("an address");
        let family = TestFamily::start_with(layout, processes, world).await;
        let token = family.app_token("einstein").await;
        Self { family, backend, edge, token }
    }

    /// The URL of a path at the edge.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.edge)
    }

    /// `Authorization` of einstein's, by password.
    pub(crate) fn password(&self) -> String {
        basic("einstein", &self.family.layout.password)
    }

    /// An app token of einstein's with this scope only.
    pub(crate) async fn token_for(&self, scope: &str) -> String {
        let made = self.family.command(&["user", "token", "-u", "einstein", "-e", "1h", "-s", scope, "-q"], "").await;
        assert_eq!(made.code, 0, "{}", made.stderr);
        let token = made.stdout.trim().to_owned();
        note_secret(&token);
        token
    }
}

/// A client with a timeout.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().expect("a client")
}

/// A value of `Authorization`.
pub(crate) fn basic(login: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{login}:{secret}")))
}

fn routes(backend: &Backend) -> String {
    let backend = backend.address;
    format!(
        r"
routes:
  - {{ path: /short, backend: 'http://{backend}', max_body: 10 }}
  - {{ path: /open, backend: 'http://{backend}', unprotected: true }}
  - {{ path: /kept, backend: 'http://{backend}', keep_authorization: true }}
  - {{ path: /moved, backend: 'http://{backend}/base', strip: /moved, prepend: /x, request_headers: {{ set: {{ X-Tenant: a }}, remove: [X-Old] }}, response_headers: {{ set: {{ X-Frame-Options: DENY }} }} }}
  - {{ path: /hosted, backend: 'http://{backend}', request_headers: {{ set: {{ Host: 'inner.example:81', X-Tenant: a }}, remove: [X-Old-Name] }} }}
  - {{ path: /gone, backend: 'http://127.0.0.1:9', timeout_seconds: 1 }}
  - {{ path: /impatient, backend: 'http://{backend}', timeout_seconds: 1 }}
  - {{ path: /, backend: 'http://{backend}' }}
access:
  - {{ path: /pub, action: allow }}
  - {{ path: /open/pub, action: allow }}
  - {{ path: /kept/pub, action: allow }}
  - {{ path: /internal, networks: [192.0.2.0/24], action: allow }}
  - {{ path: /internal, action: deny }}
  - {{ path: /open/closed, action: deny }}
  - {{ path: /admin, roles: [admin], action: authenticate }}
  - {{ path: /several, multi_factor: true, action: authenticate }}
  - {{ path: /recent, max_age: 10m, action: authenticate }}
"
    )
}
