//! The user's app tokens: a list, the form for a new one, and the forms that revoke them.

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use proto::doorward::apptokens::v1::{Kind as TokenKind, Token};
use status::Kind;
use tonic::Status;
use web::cookie::with_cookies;
use web::form::Parameters;
use web::response::see_other;

use super::dates::{self, Moment};
use super::i18n::Words;
use super::new_token::{Entered, Offer};
use super::page::{Navigation, Page, Section};
use super::signed_in::SignedIn;
use super::{REVOKE, REVOKE_ALL, TOKENS, error, scope_text};
use crate::own_tokens::OwnTokens;
use crate::state::AccountState;

/// The purpose of the form for a new token.
const CREATE_FORM: &str = "create-token";
/// The purpose of the form that revokes one.
const REVOKE_FORM: &str = "revoke-token";
/// The purpose of the form that revokes all.
const REVOKE_ALL_FORM: &str = "revoke-all-tokens";
/// The longest identifier of a token that is read, in bytes.
const MAX_ID: usize = 64;
/// Values of the parameter `done`: what the form before the page has done.
const REVOKED: &str = "revoked";
const REVOKED_ALL: &str = "revoked-all";

/// The pages, where there is an auth-app.
pub(super) fn router() -> Router<AccountState> {
    Router::new()
        .route(TOKENS, get(list).post(create))
        .route(REVOKE, post(revoke))
        .route(REVOKE_ALL, get(confirm_revoke_all).post(revoke_all))
}

/// A token, as the list shows it.
struct Row {
    id: String,
    label: String,
    scopes: Vec<String>,
    created: Option<Moment>,
    /// `None` if it never expires.
    expires: Option<Moment>,
    /// Until when each use of a sliding token postpones its end.
    latest: Option<Moment>,
    last_used: Option<Moment>,
    /// The address of the last use, and the program as it called itself; either may be empty.
    last_used_from: String,
    last_used_by: String,
    /// Whether an administrator has made it in the user's name.
    is_impersonated: bool,
}

impl Row {
    fn new(words: &Words, token: Token) -> Self {
        Self {
            is_impersonated: token.kind() == TokenKind::Impersonated,
            scopes: token.scopes.iter().map(|scope| scope_text::describe(words, scope)).collect(),
            created: dates::day(words, token.created),
            expires: token.expires.and_then(|end| dates::day(words, end)),
            latest: token.latest.and_then(|end| dates::day(words, end)),
            last_used: token.last_used.and_then(|last| dates::minute(words, last)),
            last_used_from: token.last_used_from,
            last_used_by: token.last_used_by,
            id: token.id,
            label: token.label,
        }
    }
}

/// What the page says of a form that was sent before.
#[derive(Default)]
struct Outcome<'a> {
    /// What was done.
    done: Option<&'static str>,
    /// What the user has to change in the form for a new token.
    error: Option<&'static str>,
    /// auth-app's own words on that, in English.
    detail: Option<&'a str>,
    /// What was entered.
    entered: Option<&'a Entered>,
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    outcome: Outcome<'a>,
    rows: Vec<Row>,
    /// The page with the tokens behind these.
    next: Option<String>,
    offer: Offer,
    entered: Entered,
    create_csrf: String,
    revoke_csrf: String,
    tokens_path: String,
    revoke_path: String,
    revoke_all_path: String,
}

#[derive(Template)]
#[template(path = "token_created.html")]
struct Created<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    label: &'a str,
    secret: &'a str,
    expires: Option<Moment>,
    usage: String,
    tokens_path: String,
}

#[derive(Template)]
#[template(path = "revoke_all.html")]
struct ConfirmRevokeAll<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    csrf: String,
    tokens_path: String,
    revoke_all_path: String,
}

impl SignedIn {
    /// The client of auth-app. The routes of this module exist only where there is one.
    fn own_tokens(&self) -> Result<&OwnTokens, Response> {
        self.state.own_tokens.as_ref().ok_or_else(|| error::not_found(&self.context()))
    }

    fn failure(&self, status: &Status) -> Response {
        error::failure(&self.context(), status)
    }
}

/// `GET /account/tokens`.
async fn list(signed_in: SignedIn, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let query = Parameters::of_query(query.as_deref()).map_err(|_| error::not_found(&signed_in.context()))?;
    let words = signed_in.context().words();
    let done = match query.text("done") {
        REVOKED => Some(words.revoked),
        REVOKED_ALL => Some(words.revoked_all),
        _ => None,
    };
    let after = query.one("after", MAX_ID).ok().flatten().unwrap_or_default();
    show(&signed_in, StatusCode::OK, after, Outcome { done, ..Outcome::default() }).await
}

/// The list of the tokens behind the one with the identifier `after`, and the form.
async fn show(
    signed_in: &SignedIn,
    status: StatusCode,
    after: &str,
    outcome: Outcome<'_>,
) -> Result<Response, Response> {
    let (tokens, user) = (signed_in.own_tokens()?, signed_in.on_behalf());
    let policy = tokens.policy(&user).await.map_err(|status| signed_in.failure(&status))?;
    let listed = tokens.list(&user, after).await.map_err(|status| signed_in.failure(&status))?;
    let (context, state) = (signed_in.context(), &signed_in.state);
    let (words, style) = (context.words(), context.style());
    let (browser, cookie) = signed_in.browser();
    let next = Some(listed.next_page_token).filter(|next| !next.is_empty());
    let page = List {
        page: context.page(words.tokens_title, &style),
        navigation: context.navigation(Section::Tokens),
        rows: listed.tokens.into_iter().map(|token| Row::new(words, token)).collect(),
        next: next.map(|next| format!("{}?after={next}", state.path(TOKENS))),
        offer: Offer::new(words, &policy, outcome.entered, state.clock.now()),
        entered: outcome.entered.cloned().unwrap_or_default(),
        outcome,
        create_csrf: signed_in.csrf(&browser, CREATE_FORM),
        revoke_csrf: signed_in.csrf(&browser, REVOKE_FORM),
        tokens_path: state.path(TOKENS),
        revoke_path: state.path(REVOKE),
        revoke_all_path: state.path(REVOKE_ALL),
    };
    Ok(with_cookies(context.respond(status, &page), cookie))
}

/// `POST /account/tokens`: makes a token, and shows its secret in the response alone (`docs/security-requirements.md#a23`).
async fn create(signed_in: SignedIn, body: Bytes) -> Result<Response, Response> {
    let form = signed_in.own_form(CREATE_FORM, &body)?;
    let (tokens, user) = (signed_in.own_tokens()?, signed_in.on_behalf());
    let policy = tokens.policy(&user).await.map_err(|status| signed_in.failure(&status))?;
    let context = signed_in.context();
    let words = context.words();
    let entered = match Entered::read(&form) {
        Ok(entered) => entered,
        Err(field) => {
            let outcome = Outcome { error: Some(field.text(words)), ..Outcome::default() };
            return show(&signed_in, StatusCode::BAD_REQUEST, "", outcome).await;
        }
    };
    let again = Outcome { entered: Some(&entered), ..Outcome::default() };
    let request = match entered.request(&policy, signed_in.state.clock.now()) {
        Ok(request) => request,
        Err(field) => {
            let outcome = Outcome { error: Some(field.text(words)), ..again };
            return show(&signed_in, StatusCode::BAD_REQUEST, "", outcome).await;
        }
    };
    let (token, secret) = match tokens.create(&user, request).await {
        Ok(created) => created,
        Err(status) => {
            let kind = Kind::from_grpc(status.code());
            let error = match kind {
                Kind::InvalidArgument => words.error_refused,
                Kind::AlreadyExists => words.too_many,
                _ => return Err(signed_in.failure(&status)),
            };
            let outcome = Outcome { error: Some(error), detail: Some(status.message()), ..again };
            return show(&signed_in, kind.http(), "", outcome).await;
        }
    };
    let style = context.style();
    let page = Created {
        page: context.page(words.created_title, &style),
        navigation: context.navigation(Section::Tokens),
        label: &token.label,
        secret: &secret,
        expires: token.expires.and_then(|end| dates::day(words, end)),
        usage: usage(&signed_in.user.username, &signed_in.state.config.url),
        tokens_path: signed_in.state.path(TOKENS),
    };
    Ok(context.respond(StatusCode::OK, &page))
}

/// How a token is used on a command line. The secret is not part of it: it would stay in the history of the shell.
fn usage(username: &str, url: &str) -> String {
    let credential = format!("{username}:TOKEN");
    format!("curl -u {} {}", shell_word(&credential), shell_word(url))
}

/// A word that a shell reads as it stands.
fn shell_word(text: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/._-:@".contains(character);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// `POST /account/tokens/revoke`: revokes one token. Another user's is not found.
async fn revoke(signed_in: SignedIn, body: Bytes) -> Result<Response, Response> {
    let form = signed_in.own_form(REVOKE_FORM, &body)?;
    let id = form.one("id", MAX_ID).ok().flatten().unwrap_or_default();
    let revoked = signed_in.own_tokens()?.revoke(&signed_in.on_behalf(), id).await;
    revoked.map_err(|status| signed_in.failure(&status))?;
    Ok(see_other(&format!("{}?done={REVOKED}", signed_in.state.path(TOKENS))))
}

/// `GET /account/tokens/revoke-all`: asks for confirmation.
async fn confirm_revoke_all(signed_in: SignedIn) -> Response {
    let context = signed_in.context();
    let (words, style) = (context.words(), context.style());
    let (browser, cookie) = signed_in.browser();
    let page = ConfirmRevokeAll {
        page: context.page(words.revoke_all_title, &style),
        navigation: context.navigation(Section::Tokens),
        csrf: signed_in.csrf(&browser, REVOKE_ALL_FORM),
        tokens_path: signed_in.state.path(TOKENS),
        revoke_all_path: signed_in.state.path(REVOKE_ALL),
    };
    with_cookies(context.respond(StatusCode::OK, &page), cookie)
}

/// `POST /account/tokens/revoke-all`.
async fn revoke_all(signed_in: SignedIn, body: Bytes) -> Result<Response, Response> {
    signed_in.own_form(REVOKE_ALL_FORM, &body)?;
    let revoked = signed_in.own_tokens()?.revoke_all(&signed_in.on_behalf()).await;
    let count = revoked.map_err(|status| signed_in.failure(&status))?;
    tracing::debug!(count, "a user has revoked all app tokens");
    Ok(see_other(&format!("{}?done={REVOKED_ALL}", signed_in.state.path(TOKENS))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_a_command_that_a_shell_takes_as_it_stands() {
        assert_eq!(usage("einstein", "https://localhost:9200"), "curl -u einstein:TOKEN https://localhost:9200");
        assert_eq!(usage("o'hara", "https://a.example"), r"curl -u 'o'\''hara:TOKEN' https://a.example");
        assert_eq!(usage("a;b", "https://a.example"), "curl -u 'a;b:TOKEN' https://a.example");
    }
}
