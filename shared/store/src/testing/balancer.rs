//! A balancer in front of a cluster, which accepts connections also while no server is behind it.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::TestDatabase;

/// A running balancer of one database, until the test's runtime ends.
#[derive(Debug)]
pub struct Balancer {
    url: String,
    has_server: watch::Sender<bool>,
    connections: TaskTracker,
}

impl Balancer {
    /// Starts one, with a server behind it. `farewell` is what it says to clients before it closes their connections while it has
    /// none.
    ///
    /// # Panics
    /// If the database is none of a cluster, or no port is free.
    pub async fn start(database: &TestDatabase, farewell: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let folder = database.url().split_once("host=").expect("the database of a cluster").1;
        let socket: Arc<str> = format!("{folder}/.s.PGSQL.5432").into();
        let url = format!("postgres://doorward@{address}/{}?sslmode=disable", database.name());
        let (has_server, seen) = watch::channel(true);
        let connections = TaskTracker::new();
        let accepted = connections.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                accepted.spawn(serve(client, Arc::clone(&socket), seen.clone(), farewell));
            }
        });
        Self { url, has_server, connections }
    }

    /// The URL of the database, by way of the balancer.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Loses the server: new connections are accepted and closed from now on, and those that there were have ended on return.
    pub async fn lose_server(&self) {
        self.has_server.send_replace(false);
        self.connections.close();
        self.connections.wait().await;
        self.connections.reopen();
    }

    /// Has a server again.
    pub fn find_server(&self) {
        self.has_server.send_replace(true);
    }
}

async fn serve(
    mut client: TcpStream,
    socket: Arc<str>,
    mut has_server: watch::Receiver<bool>,
    farewell: &'static [u8],
) {
    if !*has_server.borrow() {
        // whether the client is there still, or understands, does not matter
        let _ = client.read(&mut [0; 256]).await;
        let _ = client.write_all(farewell).await;
        return;
    }
    let mut server = UnixStream::connect(&*socket).await.expect("the cluster answers");
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = has_server.wait_for(|has_server| !has_server) => {}
    }
}
