//! The endpoints of browser sessions.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::Method;

use super::{Sessions, backchannel, callback, login, logout};
use crate::refusal::Refusal;
use crate::site::{BACKCHANNEL_LOGOUT, CALLBACK, LOGIN, LOGOUT};

/// Where browsers and the issuer reach the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionEndpoint {
    /// Begins a sign-in.
    Login,
    /// Ends a sign-in: the issuer redirects the browser to it.
    Callback,
    /// Ends a session.
    Logout,
    /// Receives logout tokens of the issuer.
    BackchannelLogout,
}

impl SessionEndpoint {
    /// The endpoint at this path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            LOGIN => Some(Self::Login),
            CALLBACK => Some(Self::Callback),
            LOGOUT => Some(Self::Logout),
            BACKCHANNEL_LOGOUT => Some(Self::BackchannelLogout),
            _ => None,
        }
    }
}

impl Sessions {
    /// Answers a request for one of the endpoints.
    pub(crate) async fn respond(
        self: Arc<Self>,
        endpoint: SessionEndpoint,
        request: Request,
    ) -> Result<Response, Infallible> {
        let (parts, body) = request.into_parts();
        let (query, headers) = (parts.uri.query().unwrap_or_default(), &parts.headers);
        Ok(match (endpoint, parts.method) {
            (SessionEndpoint::Login, Method::GET | Method::HEAD) => login::begin(&self, query, headers).await,
            (SessionEndpoint::Callback, Method::GET | Method::HEAD) => callback::receive(&self, query, headers).await,
            (SessionEndpoint::Logout, Method::GET | Method::HEAD) => logout::ask(&self, headers),
            (SessionEndpoint::Logout, Method::POST) => logout::end(&self, headers).await,
            (SessionEndpoint::BackchannelLogout, Method::POST) => {
                backchannel::receive(&self, query, headers, body).await
            }
            (SessionEndpoint::Login | SessionEndpoint::Callback, _) => {
                Refusal::method_not_allowed("GET,HEAD").into_response()
            }
            (SessionEndpoint::Logout, _) => Refusal::method_not_allowed("GET,HEAD,POST").into_response(),
            (SessionEndpoint::BackchannelLogout, _) => Refusal::method_not_allowed("POST").into_response(),
        })
    }
}
