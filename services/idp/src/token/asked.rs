//! A request of a client that has proved who it is.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::request::Parts;

use super::client;
use super::form::Form;
use crate::answer::Refusal;
use crate::clients::{AuthMethod, Client};
use crate::endpoints::Site;
use crate::provider::Provider;

/// What may never stand in a URL, which ends up in logs and histories (RFC 6749 2.3.1, RFC 9700 4.3).
const NEVER_IN_QUERY: [&str; 7] =
    ["client_secret", "client_assertion", "code", "refresh_token", "token", "access_token", "password"];

/// A form that a client has sent, and the client.
pub struct Asked {
    /// Who asks.
    pub client: Arc<Client>,
    /// How it has proved that; [`AuthMethod::None`] if it cannot.
    pub method: AuthMethod,
    /// What it asks for.
    pub form: Form,
    /// The rest of the request.
    pub parts: Parts,
}

impl Asked {
    /// Reads a request to the endpoint at this path, and sees who it is from: for the token endpoint, and for those where
    /// clients prove who they are in the same way (PAR, revocation, introspection, device authorization).
    ///
    /// # Errors
    /// `invalid_request`, and `invalid_client` with 401 and a challenge.
    pub async fn read(provider: &Provider, site: &Site, request: Request, path: &str) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        if parts.uri.query().is_some_and(has_secret) {
            return Err(Refusal::invalid("secrets and tokens may not stand in the URL"));
        }
        let form = Form::read(&parts.headers, body).await?;
        let (client, method) = client::authenticate(provider, site, &parts, &form, path).await?;
        Ok(Self { client, method, form, parts })
    }

    /// Whether the client has proved who it is.
    pub fn is_authenticated(&self) -> bool {
        self.method != AuthMethod::None
    }
}

fn has_secret(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| NEVER_IN_QUERY.contains(&name.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i22_a_secret_in_the_query_is_seen_however_it_is_written() {
        for query in ["client_secret=x", "a=b&client%5Fsecret=", "token=x", "client_assertion"] {
            assert!(has_secret(query), "{query}");
        }
        assert!(!has_secret("client_id=x&not_token=1"));
    }
}
