//! What is shown, or sent back, where a request does not go on.

use axum::http::HeaderMap;
use axum::response::Response;
use oidc::error::ErrorCode;
use status::Kind;
use store::StoreError;

use super::answer::{Way, refused};
use super::decide::Undecided;
use super::pushed;
use super::request::{Answered, Checked, Stop};
use crate::endpoints::Site;
use crate::pages::{self, Look, Notice};
use crate::provider::Provider;

/// Answers a request that does not go on.
pub(super) fn stop(provider: &Provider, site: &Site, headers: &HeaderMap, stop: Stop) -> Response {
    match stop {
        Stop::Page(error) => pages::error(&Look::of(provider, site, headers, &[]), &error),
        Stop::Answer(answered) => {
            let Answered { client, redirect, error, reply } = *answered;
            let way = Way {
                client: &client,
                redirect: &redirect,
                delivery: reply.delivery,
                state: reply.state.as_deref(),
                empty_state: false,
            };
            way.send(provider, site, headers, refused(error.code, &error.description))
        }
        Stop::Fault(error) => fault(provider, site, headers, &error),
    }
}

/// Answers a request that is good with an error, which uses it up if it was pushed.
pub(super) async fn checked(
    provider: &Provider,
    site: &Site,
    headers: &HeaderMap,
    checked: &Checked,
    (code, description): (ErrorCode, &'static str),
) -> Response {
    let why = match pushed::use_up(provider, checked).await {
        Ok(()) => checked.refused(code, description),
        Err(used) => used,
    };
    stop(provider, site, headers, why)
}

/// The database could not be asked.
pub(crate) fn fault(provider: &Provider, site: &Site, headers: &HeaderMap, error: &StoreError) -> Response {
    tracing::error!(%error, "a sign-in cannot go on");
    notice(provider, site, headers, of_kind(error.kind()))
}

fn of_kind(kind: Kind) -> Notice {
    if kind == Kind::Unavailable { Notice::Unavailable } else { Notice::Fault }
}

/// It could not be decided what comes next.
pub(super) fn undecided(provider: &Provider, site: &Site, headers: &HeaderMap, error: &Undecided) -> Response {
    let kind = match error {
        Undecided::Store(error) => error.kind(),
        Undecided::Directory(error) => error.kind(),
    };
    tracing::error!(%error, "a sign-in cannot go on");
    notice(provider, site, headers, of_kind(kind))
}

/// A page that says what is wrong.
pub(crate) fn notice(provider: &Provider, site: &Site, headers: &HeaderMap, notice: Notice) -> Response {
    pages::notice(&Look::of(provider, site, headers, &[]), notice)
}
