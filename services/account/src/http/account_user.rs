//! What the pages on sessions, connected applications and activity share: the signed-in user with idp, and the pages that say why
//! something was not done.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use status::Kind;
use tonic::Status;

use super::access_words::{AccessWords, access_words};
use super::error;
use super::signed_in::SignedIn;
use crate::own_account::OwnAccount;
use crate::state::AccountState;

/// The signed-in user, and idp, which has the user's sessions.
pub(super) struct AccountUser {
    pub(super) signed_in: SignedIn,
    pub(super) own_account: OwnAccount,
}

impl FromRequestParts<AccountState> for AccountUser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        match &state.own_account {
            Some(own_account) => Ok(Self { signed_in, own_account: own_account.clone() }),
            None => Err(error::not_found(&signed_in.context())),
        }
    }
}

impl AccountUser {
    /// The texts of these pages.
    pub(super) fn texts(&self) -> &'static AccessWords {
        access_words(self.signed_in.context().language)
    }

    /// The URL of a page, for its path below the root.
    pub(super) fn path(&self, below: &str) -> String {
        self.signed_in.state.path(below)
    }

    /// The page that says that nothing was done, for a form that is not ours.
    pub(super) fn forgery(&self) -> Response {
        error::forgery(&self.signed_in.context())
    }

    /// The page for what idp has not done (`docs/security-requirements.md#a26`).
    pub(super) fn failure(&self, status: &Status) -> Response {
        let (context, texts) = (self.signed_in.context(), self.texts());
        let words = context.words();
        let kind = Kind::from_grpc(status.code());
        let (title, text) = match kind {
            Kind::PermissionDenied => return error::denied(&context),
            Kind::Unauthenticated => {
                return error::challenge(context.message(kind.http(), texts.ended_title, texts.ended));
            }
            Kind::NotFound => (texts.no_session_title, texts.no_session),
            Kind::FailedPrecondition => (texts.no_current_title, texts.no_current),
            // a changed token of a page in the URL
            Kind::InvalidArgument => return error::not_found(&context),
            Kind::Unavailable | Kind::DeadlineExceeded | Kind::Aborted | Kind::ResourceExhausted => {
                tracing::warn!(%status, "idp does not answer");
                (words.unavailable_title, words.unavailable)
            }
            Kind::AlreadyExists | Kind::Unimplemented | Kind::Internal => {
                tracing::error!(%status, "idp has not done what a page asked for");
                (words.fault_title, words.fault)
            }
        };
        context.message(kind.http(), title, text)
    }
}
