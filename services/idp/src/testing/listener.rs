//! A client that receives logout tokens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;

/// The client: what it has received, and its response.
#[derive(Clone, Default)]
pub(crate) struct Listener(Arc<Mutex<(Vec<String>, VecDeque<u16>)>>);

impl Listener {
    pub(crate) async fn listen(&self) -> String {
        let (listener, heard) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), self.clone());
        let address = listener.local_addr().unwrap();
        let answer = async move |body: String| {
            let mut state = heard.0.lock().unwrap();
            state.0.push(body);
            let status = state.1.pop_front().unwrap_or(200);
            StatusCode::from_u16(status).unwrap()
        };
        let router = Router::new().route("/logout", post(answer));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!("http://{address}/logout")
    }

    pub(crate) fn answers(&self, statuses: &[u16]) {
        self.0.lock().unwrap().1.extend(statuses);
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap().0.clone()
    }

    /// The token of the only message.
    pub(crate) fn token(&self) -> String {
        let heard = self.heard();
        let [body] = heard.as_slice() else { panic!("{} messages", heard.len()) };
        body.strip_prefix("logout_token=").unwrap().to_owned()
    }
}
