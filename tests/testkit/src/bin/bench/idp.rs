//! Compares idp with another `OpenID` Provider, with the same work, in one run on one machine.

mod flow;
mod measure;
mod ours;
mod peer;
mod signature;
mod table;
mod work;

use std::{path::PathBuf, time::Duration};

use authn::BoxError;

use self::{
    measure::Bench,
    ours::Ours,
    table::{Idle, Ready},
};
use crate::{
    http::{Connection, Reply},
    report,
    server::Server,
};

pub(crate) use self::ours::{PASSWORD, USERS, login};

/// The secret of all clients.
pub(crate) const CLIENT_SECRET: &str = "bench-0123456789abcdef0123456789abcdef";
/// Where browsers are sent back to. No server answers there: the load tool reads the code in the address.
pub(crate) const REDIRECT_URI: &str = "https://client.example/callback";

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder with the peer's `server.mjs` and its installed packages.
    #[arg(long)]
    peer: PathBuf,
    /// Callers at the same time, each with a connection.
    #[arg(long, default_value_t = 16)]
    callers: usize,
    /// Rounds: in each, every row is measured once on both servers.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Milliseconds of measuring, for each row and server in each round; a fifth of it comes before, to warm up.
    #[arg(long, default_value_t = 500)]
    milliseconds: u64,
    /// Restarts of idp, for the time until it is ready.
    #[arg(long, default_value_t = 7)]
    restarts: usize,
    /// Seconds without a request before idle memory is read again.
    #[arg(long, default_value_t = 30)]
    idle_seconds: u64,
    /// Measure only rows whose name holds this text.
    #[arg(long)]
    only: Option<String>,
}

/// Signs a user in at idp, to the client `bench-code`: the answer with the tokens, of which the access token holds the login name.
pub(crate) async fn sign_in(connection: &Connection, number: usize) -> Result<Reply, BoxError> {
    flow::sign_in(ours::ENDPOINTS, connection, number, "openid profile").await
}

/// Measures everything and prints the tables.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let ours = Ours::prepare().await?;
    let (idp, ready) = start(&ours, arguments.restarts).await?;
    let peer = peer::start(&arguments.peer)?;
    table::ready(&ready, peer.start)?;
    let at_once = [Idle::of(&idp)?, Idle::of(&peer)?];
    tokio::time::sleep(Duration::from_secs(arguments.idle_seconds)).await;
    let later = [Idle::of(&idp)?, Idle::of(&peer)?];
    table::idle(&at_once, &later, arguments.idle_seconds)?;

    let sides = [(&idp, ours::ENDPOINTS, ours.behind()), (&peer, peer::ENDPOINTS, &[][..])];
    let mut bench = Bench::new(arguments, sides)?;
    bench.check().await?;
    bench.rounds().await?;
    let failures = table::print(arguments, &bench)?;
    table::loaded(&[Idle::of(&idp)?, Idle::of(&peer)?])?;
    idp.stop()?;
    peer.stop()?;
    if failures == 0 { Ok(()) } else { Err(format!("{failures} calls failed").into()) }
}

/// Starts idp for the first time, which makes its keys and its database, and then again and again.
async fn start(ours: &Ours, restarts: usize) -> Result<(Server, Ready), BoxError> {
    let mut idp = ours.start()?;
    let first = idp.start;
    let mut again = Vec::with_capacity(restarts);
    for _ in 0..restarts {
        idp.stop()?;
        // what the former process leaves to do shall not be counted
        tokio::time::sleep(Duration::from_millis(200)).await;
        idp = ours.start()?;
        again.push(idp.start.as_secs_f64() * 1000.0);
    }
    Ok((idp, Ready { first, again: report::median(&again) }))
}
