//! Pages that say why something was not done.

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use status::Kind;
use tonic::Status;

use super::page::PageContext;

/// The request has no valid internal token: it has not passed the edge.
pub(super) fn unauthenticated(context: &PageContext<'_>) -> Response {
    let words = context.words();
    challenge(context.message(StatusCode::UNAUTHORIZED, words.unauthenticated_title, words.unauthenticated))
}

/// Adds the challenge that a response with status 401 has (RFC 9110, section 15.5.2).
pub(super) fn challenge(mut response: Response) -> Response {
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// The credential may not be used for this.
pub(super) fn denied(context: &PageContext<'_>) -> Response {
    let words = context.words();
    context.message(StatusCode::FORBIDDEN, words.denied_title, words.denied)
}

/// The page is for administrators, and the user is none.
pub(super) fn for_administrators(context: &PageContext<'_>) -> Response {
    let words = context.words();
    context.message(StatusCode::FORBIDDEN, words.for_administrators_title, words.for_administrators)
}

/// There is no such page.
pub(super) fn not_found(context: &PageContext<'_>) -> Response {
    let words = context.words();
    context.message(StatusCode::NOT_FOUND, words.not_found_title, words.not_found)
}

/// A form was not shown to this user in this browser, or another site has sent it.
pub(super) fn forgery(context: &PageContext<'_>) -> Response {
    let words = context.words();
    context.message(StatusCode::FORBIDDEN, words.forgery_title, words.forgery)
}

/// auth-app has not done what it was asked to.
pub(super) fn failure(context: &PageContext<'_>, status: &Status) -> Response {
    let words = context.words();
    let kind = Kind::from_grpc(status.code());
    let (title, text) = match kind {
        Kind::PermissionDenied => (words.denied_title, words.denied),
        Kind::Unauthenticated => (words.unauthenticated_title, words.unauthenticated),
        Kind::NotFound => (words.no_token_title, words.no_token),
        Kind::Unavailable | Kind::DeadlineExceeded | Kind::Aborted | Kind::ResourceExhausted => {
            tracing::warn!(%status, "auth-app does not answer");
            (words.unavailable_title, words.unavailable)
        }
        Kind::InvalidArgument
        | Kind::AlreadyExists
        | Kind::FailedPrecondition
        | Kind::Unimplemented
        | Kind::Internal => {
            tracing::error!(%status, "auth-app has not done what a page asked for");
            (words.fault_title, words.fault)
        }
    };
    context.message(kind.http(), title, text)
}
