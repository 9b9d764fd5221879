//! What the pages of links in mails have in common: how often one source may use them, and the response where none can be opened.

use std::num::NonZeroU32;

use authn::Caller;
use axum::extract::FromRef;
use axum::response::Response;

use super::issuer::{Issuer, IssuerState};
use super::register::limiter::{LimitError, Limited, Limiter};
use crate::account_links::LinkError;

/// How often one source may show a page or send its form in an hour.
pub(super) const PER_SOURCE: NonZeroU32 = NonZeroU32::new(120).expect("is not zero");

/// The state of a page of links.
#[derive(Clone)]
pub(super) struct LinkState {
    issuer: IssuerState,
    by_source: Limiter,
}

impl FromRef<LinkState> for IssuerState {
    fn from_ref(state: &LinkState) -> Self {
        state.issuer.clone()
    }
}

impl LinkState {
    /// Of a page whose uses are counted so; `None` without mail.
    pub(super) fn new(issuer: IssuerState, limited: Limited) -> Option<Self> {
        if !issuer.provider.mail.is_on() {
            return None;
        }
        let by_source = Limiter::per_hour(&issuer.provider, limited, PER_SOURCE);
        Some(Self { issuer, by_source })
    }

    /// Counts the source of a request.
    ///
    /// # Errors
    /// [`LimitError`].
    pub(super) async fn count(&self, caller: &Caller) -> Result<(), LimitError> {
        self.by_source.take(caller.source).await
    }
}

/// The response where it is not known whether a link opens.
pub(super) fn failure(issuer: &Issuer, error: &LinkError) -> Response {
    match error {
        LinkError::Store(error) => issuer.fault(error),
        LinkError::Directory(error) => {
            tracing::error!(%error, "a link is not opened");
            issuer.failure(error.kind())
        }
    }
}
