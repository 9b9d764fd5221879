//! A balancer in front of a cluster, which accepts connections also while no server is behind it.

use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::{Cluster, TestDatabase};

/// A running balancer of one database, until the test's runtime ends.
#[derive(Debug)]
pub struct Balancer {
    url: String,
    first: Arc<Path>,
    /// The socket of the server behind it.
    server: watch::Sender<Option<Arc<Path>>>,
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
        let first = socket(folder.as_ref());
        let url = format!("postgres://doorward@{address}/{}?sslmode=disable", database.name());
        let (server, seen) = watch::channel(Some(Arc::clone(&first)));
        let connections = TaskTracker::new();
        let accepted = connections.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                accepted.spawn(serve(client, seen.clone(), farewell));
            }
        });
        Self { url, first, server, connections }
    }

    /// The URL of the database, by way of the balancer.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Loses the server: new connections are accepted and closed from now on, and those that there were have ended on return.
    pub async fn lose_server(&self) {
        self.server.send_replace(None);
        self.connections.close();
        self.connections.wait().await;
        self.connections.reopen();
    }

    /// Has a server again.
    pub fn find_server(&self) {
        self.server.send_replace(Some(Arc::clone(&self.first)));
    }

    /// Has another server from now on, and no connection to the former one.
    pub fn follow(&self, cluster: &Cluster) {
        self.server.send_replace(Some(socket(cluster.folder())));
    }
}

fn socket(folder: &Path) -> Arc<Path> {
    folder.join(".s.PGSQL.5432").into()
}

async fn serve(mut client: TcpStream, mut server: watch::Receiver<Option<Arc<Path>>>, farewell: &'static [u8]) {
    let used = server.borrow_and_update().clone();
    let connected = match used.clone() {
        Some(socket) => UnixStream::connect(socket).await.ok(),
        None => None,
    };
    let Some(mut connection) = connected else {
        // whether the client is there still, or understands, does not matter
        let _ = client.read(&mut [0; 256]).await;
        let _ = client.write_all(farewell).await;
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut connection) => {}
        _ = server.wait_for(|server| *server != used) => {}
    }
}
