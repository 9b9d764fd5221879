//! What the provider fetches from this relying party, and what it posts to it.

mod identity;
mod tls;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::identity::Identity;
use crate::target::ReceiverAt;

/// A form that the provider posted.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) content_type: String,
    pub(crate) body: String,
}

#[derive(Debug, Default)]
struct Shelf {
    documents: HashMap<String, (&'static str, String)>,
    posted: HashMap<String, Vec<Posted>>,
}

type Shared = Arc<Mutex<Shelf>>;

/// A server on the loopback interface; ends when dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    base: String,
    shelf: Shared,
    task: JoinHandle<()>,
}

impl Receiver {
    /// # Errors
    /// When it cannot listen, or the certificate is none.
    pub(crate) async fn start(at: &ReceiverAt) -> Result<Self, String> {
        let shelf = Shared::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shelf));
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.map_err(|e| e.to_string())?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        let (scheme, task) = match at {
            ReceiverAt::Http => ("http", tokio::spawn(async move { drop(axum::serve(listener, router).await) })),
            ReceiverAt::Https { certificate, key } => {
                let listener = tls::Listener::new(listener, certificate, key)?;
                ("https", tokio::spawn(async move { drop(axum::serve(listener, router).await) }))
            }
        };
        Ok(Self { base: format!("{scheme}://localhost:{port}/"), shelf, task })
    }

    /// The URL of a path, which starts without a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Serves a document from now on.
    pub(crate) fn publish(&self, path: &str, content_type: &'static str, text: String) {
        locked(&self.shelf).documents.insert(format!("/{path}"), (content_type, text));
    }

    /// What was posted to a path so far.
    pub(crate) fn posted(&self, path: &str) -> Vec<Posted> {
        locked(&self.shelf).posted.get(&format!("/{path}")).cloned().unwrap_or_default()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked(shelf: &Shared) -> std::sync::MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    State(shelf): State<Shared>,
    method: Method,
    uri: Uri,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    if method == Method::POST {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        let posted = Posted { content_type: content_type.to_owned(), body };
        locked(&shelf).posted.entry(path).or_default().push(posted);
        return ([(header::CACHE_CONTROL, "no-store")], StatusCode::OK).into_response();
    }
    let document = locked(&shelf).documents.get(&path).cloned();
    match document {
        Some((content_type, text)) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
