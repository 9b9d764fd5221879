//! A balancer in front of a cluster, which accepts connections also while no server is behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::TestDatabase;

/// How often a connection looks whether there is a server still.
const INTERVAL: Duration = Duration::from_millis(5);

/// A running balancer of one database, until the test's runtime ends.
#[derive(Debug)]
pub struct Balancer {
    url: String,
    has_server: Arc<AtomicBool>,
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
        let has_server = Arc::new(AtomicBool::new(true));
        let on = Arc::clone(&has_server);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&socket), Arc::clone(&on), farewell));
            }
        });
        Self { url, has_server }
    }

    /// The URL of the database, by way of the balancer.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Loses the server: connections end, and new ones are accepted and closed.
    pub fn lose_server(&self) {
        self.has_server.store(false, Ordering::SeqCst);
    }

    /// Has a server again.
    pub fn find_server(&self) {
        self.has_server.store(true, Ordering::SeqCst);
    }
}

async fn serve(mut client: TcpStream, socket: Arc<str>, on: Arc<AtomicBool>, farewell: &'static [u8]) {
    if !on.load(Ordering::SeqCst) {
        // whether the client is there still, or understands, does not matter
        let _ = client.read(&mut [0; 256]).await;
        let _ = client.write_all(farewell).await;
        return;
    }
    let mut server = UnixStream::connect(&*socket).await.expect("the cluster answers");
    let is_lost = async {
        while on.load(Ordering::SeqCst) {
            tokio::time::sleep(INTERVAL).await;
        }
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        () = is_lost => {}
    }
}
