//! The response to a registration (RFC 7591 3.2.1).

use axum::Json;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::endpoints::IssuerEndpoints;
use crate::engine::clients::{Described, Made};
use crate::model::seconds;

/// A registration that was made or changed, with the secrets that are shown once.
pub(super) fn made(status: StatusCode, endpoints: &IssuerEndpoints, made: &Made) -> Response {
    let mut members = members(endpoints, &made.described);
    let mut tell = |name: &str, secret: &SecretString| {
        members.insert(name.to_owned(), secret.expose_secret().into());
    };
    if let Some(secret) = &made.secret {
        tell("client_secret", secret);
    }
    if let Some(token) = &made.management {
        tell("registration_access_token", token);
    }
    if made.secret.is_some() {
        members.insert("client_secret_expires_at".to_owned(), made.secret_expires.map_or(0, seconds).into());
    }
    uncached((status, Json(members)).into_response())
}

/// A registration as it is.
pub(super) fn shown(endpoints: &IssuerEndpoints, described: &Described) -> Response {
    uncached(Json(members(endpoints, described)).into_response())
}

fn members(endpoints: &IssuerEndpoints, described: &Described) -> Map<String, Value> {
    let mut members = described.metadata.to_members();
    let client = &described.client;
    members.insert("client_id".to_owned(), client.id.clone().into());
    if let Some(created) = client.created {
        members.insert("client_id_issued_at".to_owned(), seconds(created).into());
    }
    let uri = endpoints.url(&format!("{}/{}", endpoints.paths.registration, client.id));
    members.insert("registration_client_uri".to_owned(), uri.into());
    members
}

/// Forbids caches from storing the response (`Cache-Control: no-store`).
pub(super) fn uncached(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
