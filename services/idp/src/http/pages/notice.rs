//! Pages that say what happened and what to do, and ask nothing. Those about errors have the id of the request.

use axum::http::StatusCode;
use axum::response::Response;
use oidc::error::ErrorCode;
use oidc::request::RequestError;
use web::page::{Detail, Message};
use web::policy::Policy;

use super::PageContext;

/// What goes wrong on the way through the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notice {
    /// The flow is over: its time is up, or it was finished elsewhere (400).
    Expired,
    /// The form did not come from here: no token, another session's, or a foreign `Origin` (403, row I17).
    Forgery,
    /// The person is not allowed to use the application (403).
    Denied,
    /// The second factors of the user are passkeys for another host, and an administrator has to reset them (403).
    FactorsUnusable,
    /// There is no such page (404).
    NotFound,
    /// Something that is needed cannot be reached (503).
    Unavailable,
    /// A fault of ours (500).
    Fault,
}

impl Notice {
    /// All there are.
    pub const ALL: [Self; Self::Fault as usize + 1] = [
        Self::Expired,
        Self::Forgery,
        Self::Denied,
        Self::FactorsUnusable,
        Self::NotFound,
        Self::Unavailable,
        Self::Fault,
    ];

    /// The status it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Expired => StatusCode::BAD_REQUEST,
            Self::Forgery | Self::Denied | Self::FactorsUnusable => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Fault => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A page with a title and a text, in the language of the [`PageContext`]; for what [`notice`] does not know.
pub fn message(context: &PageContext<'_>, status: StatusCode, title: &str, text: &str) -> Response {
    explained(context, status, (title, text), None)
}

/// The same with details for developers: error and description.
pub(super) fn explained(
    context: &PageContext<'_>,
    status: StatusCode,
    (title, text): (&str, &str),
    detail: Option<(&str, &str)>,
) -> Response {
    let detail = detail.map(|(error, description)| Detail { title: context.words().details, error, description });
    let is_error = status.is_client_error() || status.is_server_error();
    let page = context.page(title).with_request_id(context.request_id.filter(|_| is_error));
    let page = Message { page, text, detail };
    context.respond(status, &Policy::here(), &page)
}

/// The page for something that went wrong.
pub fn notice(context: &PageContext<'_>, notice: Notice) -> Response {
    let words = context.words();
    let (title, text) = match notice {
        Notice::Expired => (words.expired_title, words.expired),
        Notice::Forgery => (words.forgery_title, words.forgery),
        Notice::Denied => (words.denied_title, words.denied),
        Notice::FactorsUnusable => (words.factors_unusable_title, words.factors_unusable),
        Notice::NotFound => (words.not_found_title, words.not_found),
        Notice::Unavailable => (words.unavailable_title, words.unavailable),
        Notice::Fault => (words.fault_title, words.fault),
    };
    message(context, notice.status(), title, text)
}

/// The page for a request that cannot be answered by a redirect: what to do, and for developers what is wrong.
pub fn error(context: &PageContext<'_>, error: &RequestError) -> Response {
    let words = context.words();
    let told = match error.code {
        ErrorCode::ServerError => (words.fault_title, words.fault),
        ErrorCode::TemporarilyUnavailable => (words.unavailable_title, words.unavailable),
        _ => (words.bad_request_title, words.bad_request),
    };
    let status = match error.kind().http() {
        // the user who sees it has nothing to prove: 401 asks a browser for credentials (RFC 9110 15.5.2, row I3)
        StatusCode::UNAUTHORIZED => StatusCode::BAD_REQUEST,
        status => status,
    };
    explained(context, status, told, Some((error.code.code(), &*error.description)))
}
