//! Why an authorization request is rejected, and where that is said.

use std::sync::Arc;

use oidc::error::ErrorCode;
use oidc::redirect::Redirect;
use oidc::request::{Reply, RequestError};
use store::StoreError;

use crate::engine::clients::{Client, LookupError};

/// A request that is rejected.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// Said by a page: it is not known that a client waits for the response (row I3).
    Page(RequestError),
    /// Sent to the client.
    Client(Box<ClientRejection>),
    /// A fault of ours, or of the database.
    Fault(StoreError),
}

/// An error that is sent to the client.
#[derive(Debug)]
pub(crate) struct ClientRejection {
    pub(crate) client: Arc<Client>,
    pub(crate) redirect: Redirect,
    pub(crate) error: RequestError,
    pub(crate) reply: Reply,
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        Self::Fault(error)
    }
}

impl From<LookupError> for Rejection {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Store(error) => error.into(),
            LookupError::Unavailable => {
                Self::page(ErrorCode::TemporarilyUnavailable, "the document of the client is not available")
            }
        }
    }
}

impl Rejection {
    /// A rejection that is said by a page.
    pub(super) fn page(code: ErrorCode, description: &'static str) -> Self {
        Self::Page(RequestError { code, description: description.into(), reply: None })
    }

    /// A rejection that is sent to the client.
    pub(super) fn client(client: &Arc<Client>, redirect: &Redirect, error: RequestError, reply: Reply) -> Self {
        Self::Client(Box::new(ClientRejection { client: client.clone(), redirect: redirect.clone(), error, reply }))
    }

    /// A rejection that is sent to the client if the error says how, and else said by a page.
    pub(super) fn of(error: RequestError, client: &Arc<Client>, redirect: &Redirect) -> Self {
        match error.reply.clone() {
            Some(reply) => Self::client(client, redirect, error, reply),
            None => Self::Page(error),
        }
    }
}
