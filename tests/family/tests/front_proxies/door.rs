//! One proxy with its edge and its application, and the column of the table that it makes.

use std::net::IpAddr;
use std::sync::Arc;

use tempfile::TempDir;
use testkit::{Server, free_address};

use crate::front_proxies::backend::{Backend, Seen};
use crate::front_proxies::client::Request;
use crate::front_proxies::forged::FORGED;
use crate::front_proxies::front::{Front, Places};
use crate::front_proxies::world::{World, client, until};

/// What has to become of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Want {
    /// It is refused with one of these statuses.
    Refused(&'static [u16]),
    /// It is refused, or the connection is closed.
    Stopped,
    /// It reaches the application with this user.
    As(&'static str),
    /// It reaches the application without a user: the rules allow anonymous requests.
    Anonymous,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What the client was answered; 0 for a closed connection.
    pub(crate) status: u16,
    /// Whose token reached the application; empty for none.
    pub(crate) who: String,
    /// What reached the application.
    pub(crate) reached: Option<Seen>,
    /// What may not have happened.
    pub(crate) faults: Vec<String>,
}

/// A column of the table.
#[derive(Debug, Default)]
pub(crate) struct Column {
    /// Section, row and what stands there.
    pub(crate) cells: Vec<(&'static str, String, String)>,
    /// What is not as it has to be.
    pub(crate) faults: Vec<String>,
}

/// A proxy that runs.
pub(crate) struct Door {
    /// Which.
    pub(crate) front: Front,
    /// The family.
    pub(crate) world: Arc<World>,
    /// Where requests come from.
    pub(crate) from: IpAddr,
    /// The edge.
    pub(crate) edge: Server,
    /// Its column.
    pub(crate) column: Column,
    places: Places,
    backend: Backend,
    proxy: Server,
    folder: TempDir,
}

impl Door {
    /// Starts an edge, an application and a proxy.
    pub(crate) async fn open(front: Front, world: Arc<World>) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let backend = Backend::start().await;
        let places =
            Places { edge: free_address(), edge_grpc: free_address(), backend: backend.address, front: free_address() };
        let edge = world.edge(front, &places, folder.path()).await;
        let proxy = front.start(&places, folder.path());
        let from = client(u8::try_from(Front::ALL.iter().position(|other| *other == front).unwrap_or(0)).unwrap_or(0));
        let mut door = Self { front, world, from, edge, column: Column::default(), places, backend, proxy, folder };
        until(front.name(), async || {
            assert!(door.proxy.is_running(), "{} has ended: {}", front.name(), door.log());
            let is_open = std::net::TcpStream::connect(door.places.front).is_ok();
            is_open && Request::get("/pub/begin", door.from).send(door.places.front).await == 200
        })
        .await;
        door.backend.take();
        door
    }

    /// What the proxy said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A GET without a credential.
    pub(crate) fn get(&self, target: &str) -> Request {
        Request::get(target, self.from)
    }

    /// Sends a request and answers what became of it.
    pub(crate) async fn ask(&self, request: &Request) -> Outcome {
        let status = request.send(self.places.front).await;
        let mut reached = self.backend.take();
        let mut faults = Vec::new();
        if reached.len() > 1 {
            faults.push(format!("{} requests reach the application", reached.len()));
        }
        let reached = reached.pop();
        let mut who = String::new();
        if let Some(seen) = &reached {
            let tokens = seen.header("x-access-token");
            who = match tokens[..] {
                [] => String::new(),
                [token] => match self.world.family.who_am_i(token).await {
                    Ok(user) => user.username,
                    Err(kind) => format!("a token that is refused: {kind:?}"),
                },
                _ => format!("{} tokens", tokens.len()),
            };
            if seen.has(FORGED) {
                let names = seen.names_with(FORGED);
                faults.push(format!("what the client forged ({FORGED}) gets through: {names:?} in {seen:?}"));
            }
            if !seen.header("authorization").is_empty() {
                faults.push("the credential gets through".to_owned());
            }
            if seen.header("connection").iter().any(|value| value.to_ascii_lowercase().contains("x-access-token")) {
                faults.push("the Connection header tells the next proxy to remove the token".to_owned());
            }
        }
        if reached.is_some() && status != 200 {
            faults.push(format!("the application gets the request, and the client the status {status}"));
        }
        Outcome { status, who, reached, faults }
    }

    /// Sends a request, holds what became of it to what has to, and writes it down.
    pub(crate) async fn cell(&mut self, section: &'static str, row: &str, request: &Request, want: Want) -> Outcome {
        let outcome = self.hold(section, row, request, want).await;
        self.write(section, row, &[outcome.text()]);
        outcome
    }

    /// Sends a request and holds what became of it to what has to.
    pub(crate) async fn hold(&mut self, section: &str, row: &str, request: &Request, want: Want) -> Outcome {
        let outcome = self.ask(request).await;
        self.held(section, row, request, want, &outcome);
        outcome
    }

    /// Holds what became of a request to what has to.
    pub(crate) fn held(&mut self, section: &str, row: &str, request: &Request, want: Want, outcome: &Outcome) {
        let is_as_wanted = match want {
            Want::Refused(statuses) => outcome.reached.is_none() && statuses.contains(&outcome.status),
            Want::Stopped => outcome.reached.is_none(),
            Want::As(login) => outcome.status == 200 && outcome.who == login,
            Want::Anonymous => outcome.status == 200 && outcome.who.is_empty(),
        };
        if !is_as_wanted {
            self.fault(section, row, &format!("{want:?} is wanted, not {outcome:?}"));
        }
        self.faults(section, row, outcome);
        let is_unchanged = |seen: &Seen| seen.target == request.target && seen.method == request.method;
        if matches!(want, Want::As(_) | Want::Anonymous) && !outcome.reached.as_ref().is_some_and(is_unchanged) {
            self.fault(section, row, &format!("it is changed on the way: {:?}", outcome.reached));
        }
    }

    /// Writes down what became of requests that are one row: once, if it is the same of all.
    pub(crate) fn write(&mut self, section: &'static str, row: &str, texts: &[String]) {
        let mut texts = texts.to_vec();
        texts.dedup();
        self.column.cells.push((section, row.to_owned(), texts.join(", ")));
    }

    /// Notes what may not become of any request.
    pub(crate) fn faults(&mut self, section: &str, row: &str, outcome: &Outcome) {
        for fault in &outcome.faults {
            self.fault(section, row, fault);
        }
    }

    /// Notes what is not as it has to be.
    pub(crate) fn fault(&mut self, section: &str, row: &str, fault: &str) {
        self.column.faults.push(format!("{}: {section}, {row}: {fault}", self.front.name()));
    }

    /// The requests to the application that no test has taken.
    pub(crate) fn unexpected(&self) -> Vec<Seen> {
        self.backend.take()
    }
}

impl Outcome {
    /// As the table has it.
    pub(crate) fn text(&self) -> String {
        match (self.status, &self.reached) {
            (0, None) => "closed".to_owned(),
            (status, None) => status.to_string(),
            (_, Some(_)) if self.who.is_empty() => "passes".to_owned(),
            (_, Some(_)) => format!("passes as {}", self.who),
        }
    }
}
