//! Why a request is refused, and how that is answered.

use std::borrow::Cow;

use status::Kind;

use super::parameters::Parameters;
use super::{ClaimsError, MAX_WORD, PromptError};
use crate::error::ErrorCode;
use crate::pkce::PkceError;
use crate::response::{Delivery, ResponseError, ResponseMode, ResponseType};
use crate::scope::ScopeError;

/// A request that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct RequestError {
    /// The error.
    pub code: ErrorCode,
    /// What is wrong, for the developer of the client: `error_description`, in the characters of RFC 6749 4.1.2.1.
    pub description: Cow<'static, str>,
    /// How to answer by a redirect, once the client and its redirect URI are known to be good; `None` if the answer is a
    /// page in any case.
    pub reply: Option<Reply>,
}

impl RequestError {
    /// What kind of failure it is, where it is answered by a page.
    pub const fn kind(&self) -> Kind {
        self.code.kind()
    }
}

/// How an error goes back to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// How it travels: as the request asks for, or by the default of its response type if it asks for nothing that is
    /// allowed.
    pub delivery: Delivery,
    /// What has to go along.
    pub state: Option<String>,
}

impl Reply {
    /// What can be understood of a request in which something is wrong.
    pub(super) fn of(parameters: &Parameters<'_>) -> Self {
        let word = |name| parameters.one(name, MAX_WORD).ok().flatten();
        let mode: Option<ResponseMode> = word("response_mode").and_then(|text| text.parse().ok());
        let delivery = match word("response_type").and_then(|text| text.parse::<ResponseType>().ok()) {
            None => Delivery::of_mode(mode),
            Some(kind) => kind
                .delivery(mode)
                .unwrap_or(Delivery { carrier: kind.default_carrier(), signed: mode.is_some_and(ResponseMode::signs) }),
        };
        // whatever is wrong with the request, also with its state: the client can do nothing with an answer without
        Self { delivery, state: parameters.sole("state").map(str::to_owned) }
    }
}

/// What is wrong, before it is known how it is answered.
pub(super) struct Defect {
    code: ErrorCode,
    description: Cow<'static, str>,
    redirected: bool,
}

impl Defect {
    pub(super) fn invalid(description: impl Into<Cow<'static, str>>) -> Self {
        Self { code: ErrorCode::InvalidRequest, description: description.into(), redirected: true }
    }

    /// For a parameter that is not taken at all; which one, the code says.
    pub(super) fn unsupported(code: ErrorCode) -> Self {
        Self { code, ..Self::invalid("the parameter is not supported") }
    }

    pub(super) fn never_redirected(self) -> Self {
        Self { redirected: false, ..self }
    }

    pub(super) fn answered(self, reply: Reply) -> RequestError {
        let reply = Some(reply).filter(|_| self.redirected);
        RequestError { code: self.code, description: self.description, reply }
    }

    pub(super) fn answered_by_a_page(self) -> RequestError {
        RequestError { code: self.code, description: self.description, reply: None }
    }
}

impl From<Defect> for RequestError {
    /// For what is found before there is anything to answer by.
    fn from(defect: Defect) -> Self {
        defect.answered_by_a_page()
    }
}

impl From<ResponseError> for Defect {
    fn from(error: ResponseError) -> Self {
        Self { code: error.code(), ..Self::invalid(error.to_string()) }
    }
}

impl From<ScopeError> for Defect {
    fn from(error: ScopeError) -> Self {
        Self { code: error.code(), ..Self::invalid(error.to_string()) }
    }
}

impl From<PkceError> for Defect {
    fn from(error: PkceError) -> Self {
        Self { code: error.code(), ..Self::invalid(error.to_string()) }
    }
}

impl From<PromptError> for Defect {
    fn from(error: PromptError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<ClaimsError> for Defect {
    fn from(error: ClaimsError) -> Self {
        Self::invalid(error.to_string())
    }
}
