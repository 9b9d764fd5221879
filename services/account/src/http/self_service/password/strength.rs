//! The judgement of a new password while it is typed, for the script of the form. It changes nothing, and no answer contains the
//! password (`docs/security-requirements.md#a46`).

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use status::Kind;
use web::response::with_retry_after;

use super::super::super::error;
use super::super::text::text;
use super::{FORM, PasswordOwner, retry_after, strength, weaknesses};

/// What auth-basic says of a password, in the language of the page.
#[derive(Serialize)]
struct Judged {
    /// How hard it is to guess, from 0 to 4.
    score: u32,
    /// What to say of it: the strength, and everything that the policy has against it.
    lines: Vec<String>,
}

/// `POST /account/password/strength`: the fields of the form, but for the old password.
pub(in super::super) async fn judge(owner: PasswordOwner, body: Bytes) -> Result<Response, Response> {
    let signed_in = &owner.signed_in;
    let context = signed_in.context();
    let form = signed_in.own_form(FORM, &body).ok_or_else(|| error::forgery(&context))?;
    let judged = match owner.passwords.judge(&signed_in.on_behalf(), form.text("new")).await {
        Ok(judged) => judged,
        Err(status) => {
            let is_throttled = Kind::from_grpc(status.code()) == Kind::ResourceExhausted;
            let seconds = is_throttled.then(|| retry_after(&status));
            return Err(with_retry_after(owner.failure(&status), seconds));
        }
    };
    let words = text(context.language);
    let strength = format!("{}: {}", words.strength, strength(words, judged.score));
    let lines = std::iter::once(strength).chain(weaknesses(words, &judged)).collect();
    Ok(json(&Judged { score: judged.score, lines }))
}

fn json(judged: &Judged) -> Response {
    let Ok(text) = serde_json::to_string(judged) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = text.into_response();
    let fixed: [(HeaderName, &'static str); 3] =
        [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
