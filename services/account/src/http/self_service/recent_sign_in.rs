//! A recent sign-in for what is dangerous in the own account.

use axum::http::StatusCode;
use axum::response::Response;
use web::page::{Link, Message};
use web::response::see_other;

use super::super::signed_in::SignedIn;
use super::failure;
use super::text::text;
use crate::sign_in::{Insufficient, Missing, RECENT, RECENT_TO_SHOW, require_recent};

/// Why a page needs the sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// The form is shown. There has to be time to fill it in.
    Show,
    /// The form is sent.
    Send,
}

/// Requires a sign-in of the last ten minutes, or five to show the form, with the second factor if the user has one. `path` is that of the
/// page with the form, below the root (`docs/security-requirements.md#l9`).
///
/// # Errors
/// The redirect to a sign-in that returns there, for a form the page that asks for one, or the page for an idp that does not
/// answer.
pub(super) async fn require(signed_in: &SignedIn, act: Act, path: &str) -> Result<(), Response> {
    let within = match act {
        Act::Show => RECENT_TO_SHOW,
        Act::Send => RECENT,
    };
    match require_recent(&signed_in.state, &signed_in.on_behalf(), within).await {
        Ok(()) => Ok(()),
        Err(Insufficient::Missing(missing)) => Err(sign_in(signed_in, missing, act, path)),
        Err(Insufficient::Unknown(status)) => Err(failure(&signed_in.context(), "idp", &status)),
    }
}

/// What leads to a sign-in: a redirect, or for a form, which a redirect would lose, a page with a link. Where a sign-in may not help, it is a
/// page too: redirects would follow each other without end.
pub(super) fn sign_in(signed_in: &SignedIn, missing: Missing, act: Act, path: &str) -> Response {
    let url = signed_in.sign_in_url(missing, &signed_in.state.path(path));
    match url {
        Some(url) if act == Act::Show && missing.obstacle.is_none() => see_other(&url),
        url => {
            let context = signed_in.context();
            let words = text(context.language);
            let link = url.as_deref().map(|href| Link { href, text: words.sign_in_again });
            let page = context.page(words.sign_in_again_title).with_link(link);
            let text = if missing.obstacle.is_some() { words.no_session } else { words.recent_needed };
            context.respond(StatusCode::FORBIDDEN, &Message { page, text, detail: None })
        }
    }
}
