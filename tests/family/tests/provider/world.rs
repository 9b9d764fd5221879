//! The family, and further replicas of its provider.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Client;
use runtime::{Clock, Context};
use store::testing::{Cluster, TestDatabase};
use testkit::{Layout, Mode, Server, TestFamily, free_address, note_secret};

use crate::provider::fapi2;

/// A client that proves who it is and is trusted; its codes bring refresh tokens.
pub(crate) const TRUSTED: &str = "trusted";
/// The same, with consent for each request.
pub(crate) const ASKING: &str = "asking";
/// A native application, which is a public client (RFC 8252).
pub(crate) const NATIVE: &str = "native";
/// The secret of all clients that have one.
pub(crate) const SECRET: &str = "d0a1f7c46b9e4c52a8e3c6b1f2947d58";
/// Where clients are sent back to. No server listens there.
pub(crate) const CALLBACK: &str = "https://rp.example/callback";
const ISSUER: &str = "http://localhost:9130";
/// The algorithms of access tokens; for each there is a client of that name that acts for itself.
pub(crate) const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// A process of the provider, which may be killed and started again.
pub(crate) struct Replica {
    variables: BTreeMap<String, String>,
    /// Its own address: `http://127.0.0.1:port`.
    pub(crate) base: String,
    server: Option<Server>,
}

/// A family, its provider's replicas, and an HTTP client.
pub(crate) struct World {
    /// The services behind the provider.
    pub(crate) family: TestFamily,
    /// The provider.
    pub(crate) replicas: Vec<Replica>,
    /// The issuer identifier.
    pub(crate) issuer: String,
    /// Calls the provider.
    pub(crate) http: Client,
    database: Option<TestDatabase>,
}

impl World {
    /// The family with one provider on `SQLite`; the test may tell it more.
    pub(crate) async fn alone(name: &str, settings: &[(&str, &str)]) -> Self {
        Self::new(name, 1, None, settings).await
    }

    /// The family with two replicas of the provider on `PostgreSQL`.
    pub(crate) async fn replicated(name: &str, cluster: &Cluster, settings: &[(&str, &str)]) -> Self {
        Self::new(name, 2, Some(cluster.fresh_database().await), settings).await
    }

    /// The family with its provider inside the test's process, by a clock of the test.
    pub(crate) async fn inside(name: &str, clock: &Clock, settings: &[(&str, &str)]) -> Self {
        let layout = layout(name, settings);
        let variables = layout.variables().clone();
        let base = format!("http://{}", variables["IDP_HTTP_ADDR"]);
        let world = |context| Context { clock: clock.clone(), ..context };
        let family = TestFamily::start_with(layout, Mode::Inside, world).await;
        let replicas = vec![Replica { variables, base, server: None }];
        Self { family, replicas, issuer: ISSUER.to_owned(), http: http(), database: None }
    }

    async fn new(name: &str, count: usize, database: Option<TestDatabase>, settings: &[(&str, &str)]) -> Self {
        let mut layout = layout(&format!("process-{name}"), settings);
        if let Some(database) = &database {
            layout.set("IDP_DATABASE_URL", database.url());
        }
        let provider = layout.variables().clone();
        // the first replica is the one that the operator's commands reach
        let replicas = (0..count).map(|number| Replica::new(&provider, number == 0)).collect();
        layout.set("OCIS_EXCLUDE_RUN_SERVICES", "idp");
        let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
        let mut world = Self { family, replicas, issuer: ISSUER.to_owned(), http: http(), database };
        for number in 0..count {
            world.start(number).await;
        }
        world
    }

    /// Starts a replica, and waits until it answers.
    pub(crate) async fn start(&mut self, number: usize) {
        let replica = &mut self.replicas[number];
        let server = replica.server.insert(Server::start("idp", &replica.variables));
        let (begin, url) = (Instant::now(), format!("{}/.well-known/openid-configuration", replica.base));
        while !self.http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(server.is_running() && begin.elapsed() < Duration::from_secs(30), "the provider does not start");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills a replica with SIGKILL: nothing can be finished, nothing tidied up.
    pub(crate) fn kill(&mut self, number: usize) {
        if let Some(mut server) = self.replicas[number].server.take() {
            server.kill();
        }
    }

    /// Has the operator run a command of the provider's, where the first replica runs.
    pub(crate) async fn operate(&self, arguments: &'static [&'static str]) {
        let variables = self.replicas[0].variables.clone();
        let command = tokio::task::spawn_blocking(move || testkit::run("idp", arguments, &variables, ""));
        let finished = command.await.expect("the command ends");
        assert_eq!(finished.code, 0, "{finished:?}");
    }

    /// The address of a replica, in turn.
    pub(crate) fn base(&self, number: usize) -> &str {
        &self.replicas[number % self.replicas.len()].base
    }

    /// The password of all users.
    pub(crate) fn password(&self) -> &str {
        &self.family.layout.password
    }

    /// What the test is about, for its messages.
    pub(crate) fn described(&self) -> String {
        let on = if self.database.is_some() { "PostgreSQL" } else { "SQLite" };
        format!("{} replica(s) on {on}", self.replicas.len())
    }
}

fn http() -> Client {
    Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().expect("an HTTP client")
}

fn layout(name: &str, settings: &[(&str, &str)]) -> Layout {
    note_secret(SECRET);
    let mut layout = Layout::new(name, false);
    let file = layout.folder().join("clients.yaml");
    std::fs::write(&file, clients()).expect("the folder can be written to");
    layout.set("IDP_CLIENTS_FILE", &file.display().to_string());
    layout.set("OCIS_LOG_LEVEL", "info");
    layout.set("IDP_ISS", ISSUER);
    for (name, value) in settings {
        layout.set(name, value);
    }
    layout
}

impl Replica {
    fn new(provider: &BTreeMap<String, String>, is_first: bool) -> Self {
        let mut variables = provider.clone();
        let address = free_address().to_string();
        variables.insert("IDP_HTTP_ADDR".to_owned(), address.clone());
        variables.insert("IDP_DEBUG_ADDR".to_owned(), free_address().to_string());
        if !is_first {
            variables.insert("IDP_GRPC_ADDR".to_owned(), free_address().to_string());
        }
        Self { variables, base: format!("http://{address}"), server: None }
    }
}

fn clients() -> String {
    let person = |id: &str, consent: &str| {
        format!(
            "  - id: {id}\n    secret: {SECRET:?}\n    grant_types: [authorization_code, refresh_token]\n    \
             redirect_uris: [{CALLBACK:?}]\n    consent: {consent}\n"
        )
    };
    let machine = |algorithm: &str| {
        format!(
            "  - id: {algorithm}\n    secret: {SECRET:?}\n    grant_types: [client_credentials]\n    \
             access_token_format: jwt\n    access_token_signed_response_alg: {algorithm}\n"
        )
    };
    let machines = ALGORITHMS.map(machine).concat();
    let native = format!(
        "  - id: {NATIVE}\n    application_type: native\n    token_endpoint_auth_method: none\n    \
         redirect_uris: ['http://127.0.0.1/cb', 'http://[::1]/cb', 'http://localhost/cb']\n"
    );
    let (trusted, asking) = (person(TRUSTED, "trusted"), person(ASKING, "always"));
    format!("clients:\n{trusted}{asking}{native}{machines}{}", fapi2::client())
}
