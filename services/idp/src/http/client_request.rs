//! Requests of clients, from HTTP to what the engine takes.

use authn::Caller;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use runtime::ClientCertificate;
use tonic::metadata::MetadataMap;
use web::form::is_form;

use super::audit;
use super::error::{DPOP_NONCE, ErrorResponse};
use super::issuer::IssuerState;
use crate::engine::client_request::ClientRequest;
use crate::engine::document::Document;
use crate::engine::error::OAuthError;
use crate::engine::form::Form;
use crate::engine::proofs::{Header, Proofs};

/// Where a client proves that it has a key (RFC 9449 4.1).
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");
/// The longest form, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// What may never stand in a URL, which ends up in logs and histories (RFC 6749 2.3.1, RFC 9700 4.3).
const NEVER_IN_QUERY: [&str; 10] = [
    "client_secret",
    "client_assertion",
    "assertion",
    "code",
    "refresh_token",
    "subject_token",
    "actor_token",
    "token",
    "access_token",
    "password",
];

/// Marks requests that came by the listener for clients with certificates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MutualTls;

/// A request to an endpoint where clients prove who they are: its form, and what came with it.
pub(crate) struct Received {
    form: Form,
    caller: Caller,
    pub(crate) parts: Parts,
}

impl Received {
    /// Reads a request.
    ///
    /// # Errors
    /// `invalid_request`.
    pub(crate) async fn read(request: Request) -> Result<Self, ErrorResponse> {
        let (mut parts, body) = request.into_parts();
        if parts.uri.query().is_some_and(has_secret) {
            return Err(OAuthError::invalid("secrets and tokens may not stand in the URL").into());
        }
        let form = read_form(&parts.headers, body).await?;
        // without a copy of all headers: only requests of workloads and service accounts need the caller
        let metadata = MetadataMap::from_headers(std::mem::take(&mut parts.headers));
        let caller = Caller::of(&metadata, &parts.extensions);
        parts.headers = metadata.into_headers();
        Ok(Self { form, caller, parts })
    }

    /// Finds the client that a request to the endpoint at this path is from.
    ///
    /// # Errors
    /// `invalid_request` and `invalid_client`.
    pub(crate) async fn authenticate(
        &self,
        IssuerState { provider, endpoints, .. }: &IssuerState,
        path: &str,
    ) -> Result<ClientRequest<'_>, OAuthError> {
        let proofs = Proofs { caller: Some(&self.caller), ..proofs(&self.parts) };
        ClientRequest::authenticate(provider, endpoints, (&self.form, proofs), path).await
    }

    /// The error as it is answered; the audit log gets what it has to know of it.
    pub(crate) fn refuse(&self, error: OAuthError) -> ErrorResponse {
        if let Some(refusal) = &error.audit {
            audit::refused(refusal, &self.parts);
        }
        error.into()
    }
}

/// Reads the form of a body.
///
/// # Errors
/// `invalid_request` for a body that is no form, or is too long.
pub(crate) async fn read_form(headers: &HeaderMap, body: Body) -> Result<Form, ErrorResponse> {
    let too_long = |_| {
        let error = OAuthError::invalid("the body is too long");
        ErrorResponse::from(error).with_status(StatusCode::PAYLOAD_TOO_LARGE)
    };
    let body = axum::body::to_bytes(body, MAX_BODY).await.map_err(too_long)?;
    if !body.is_empty() && !is_form(headers) {
        return Err(OAuthError::invalid("the body has to be application/x-www-form-urlencoded").into());
    }
    Ok(Form::parse(&body)?)
}

/// What a request proves.
pub(crate) fn proofs(Parts { headers, method, extensions, .. }: &Parts) -> Proofs<'_> {
    Proofs {
        authorization: header(headers, &AUTHORIZATION),
        dpop: header(headers, &DPOP),
        method: method.as_str(),
        certificate: extensions.get::<ClientCertificate>(),
        is_by_mtls: extensions.get::<MutualTls>().is_some(),
        caller: None,
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Header<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Header::Missing,
        (Some(value), None) => value.to_str().map_or(Header::Unreadable, Header::Once),
        (Some(_), Some(_)) => Header::Repeated,
    }
}

fn has_secret(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| NEVER_IN_QUERY.contains(&name.as_ref()))
}

/// The headers of a response that no cache may keep (RFC 6749 5.1).
pub(crate) const UNCACHED: [(HeaderName, HeaderValue); 2] =
    [(CACHE_CONTROL, HeaderValue::from_static("no-store")), (PRAGMA, HeaderValue::from_static("no-cache"))];

/// The header with the nonce for the client's next proof (RFC 9449 8.2), if it needs one.
pub(crate) fn nonce_header(nonce: Option<&str>) -> Option<[(HeaderName, HeaderValue); 1]> {
    let value = HeaderValue::from_str(nonce?).ok()?;
    Some([(DPOP_NONCE, value)])
}

/// A document as a response; `jwt` is the media type of one that is a JWT.
pub(crate) fn document(document: Document, jwt: &'static str) -> Response {
    let (media_type, body) = match document {
        Document::Json(json) => ("application/json", json),
        Document::Jwt(text) => (jwt, text.into_bytes()),
    };
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static(media_type)), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i22_a_secret_in_the_query_is_seen_however_it_is_written() {
        for query in ["client_secret=x", "a=b&client%5Fsecret=", "token=x", "client_assertion"] {
            assert!(has_secret(query), "{query}");
        }
        // the token of a workload is a credential until it ends
        for query in ["assertion=x", "grant_type=a&subject_token=x", "actor_token=x"] {
            assert!(has_secret(query), "{query}");
        }
        assert!(!has_secret("client_id=x&not_token=1&subject_token_type=a&client_assertion_type=b"));
    }

    /// Row I22.
    #[test]
    fn header_counts_only_if_it_comes_once() {
        let headers = |values: &[&str]| -> HeaderMap {
            let value = |text: &&str| HeaderValue::from_bytes(text.as_bytes()).expect("a header");
            values.iter().map(|text| (AUTHORIZATION, value(text))).collect()
        };
        assert!(header(&headers(&[]), &AUTHORIZATION) == Header::Missing);
        assert!(header(&headers(&["Basic YTpi"]), &AUTHORIZATION) == Header::Once("Basic YTpi"));
        assert!(header(&headers(&["Basic é"]), &AUTHORIZATION) == Header::Unreadable);
        for two in [["Basic YTpi", "Basic eDp5"], ["Basic YTpi", "Basic YTpi"], ["é", "Basic YTpi"]] {
            assert!(header(&headers(&two), &AUTHORIZATION) == Header::Repeated, "{two:?}");
        }
    }
}
