//! The user's app tokens: a list, the form for a new one, and the forms that revoke them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, RawQuery};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use proto::doorward::apptokens::v1::{Kind as TokenKind, Token};
use status::Kind;
use tonic::Status;
use web::cookie::with_cookies;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::i18n::Language;
use web::policy::Policy;
use web::response::see_other;

use super::i18n::words;
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
/// The last second of the year 9999, beyond which no date is written.
const LAST_SECOND: u64 = 253_402_300_799;

/// The pages. Without auth-app they answer 404.
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
    created: Option<LocalizedTime>,
    /// `None` if it never expires.
    expires: Option<LocalizedTime>,
    /// Until when each use of a sliding token postpones its end.
    latest: Option<LocalizedTime>,
    last_used: Option<LocalizedTime>,
    /// The address of the last use, and the program as it called itself; either may be empty.
    last_used_from: String,
    last_used_by: String,
    /// Whether an administrator has made it in the user's name.
    is_impersonated: bool,
}

impl Row {
    fn new(language: Language, token: Token) -> Self {
        let day = |seconds| time(seconds).map(|time| LocalizedTime::day(time, language));
        let minute = |seconds| time(seconds).map(|time| LocalizedTime::minute(time, language));
        Self {
            is_impersonated: token.kind() == TokenKind::Impersonated,
            scopes: token.scopes.iter().map(|scope| scope_text::describe(words(language), scope)).collect(),
            created: day(token.created),
            expires: token.expires.and_then(day),
            latest: token.latest.and_then(day),
            last_used: token.last_used.and_then(minute),
            last_used_from: token.last_used_from,
            last_used_by: token.last_used_by,
            id: token.id,
            label: token.label,
        }
    }
}

/// A time in seconds since the epoch; `None` before it, and beyond the year 9999.
pub(crate) fn time(seconds: i64) -> Option<SystemTime> {
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds <= LAST_SECOND)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
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
    expires: Option<LocalizedTime>,
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

/// The signed-in user, and auth-app, which has the user's tokens.
struct TokenOwner {
    signed_in: SignedIn,
    own_tokens: OwnTokens,
}

impl FromRequestParts<AccountState> for TokenOwner {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        match &state.own_tokens {
            Some(own_tokens) => Ok(Self { signed_in, own_tokens: own_tokens.clone() }),
            None => Err(error::not_found(&signed_in.context())),
        }
    }
}

impl TokenOwner {
    fn path(&self, below: &str) -> String {
        self.signed_in.state.path(below)
    }

    fn failure(&self, status: &Status) -> Response {
        error::failure(&self.signed_in.context(), status)
    }

    /// The page that says that nothing was done, for a form that is not ours.
    fn forgery(&self) -> Response {
        error::forgery(&self.signed_in.context())
    }

    /// The list of the tokens behind the one with the identifier `after`, and the form.
    async fn show(&self, status: StatusCode, after: &str, outcome: Outcome<'_>) -> Result<Response, Response> {
        let (signed_in, user) = (&self.signed_in, self.signed_in.on_behalf());
        let policy = self.own_tokens.policy(&user).await.map_err(|status| self.failure(&status))?;
        let listed = self.own_tokens.list(&user, 0, after).await.map_err(|status| self.failure(&status))?;
        let context = signed_in.context();
        let (browser, cookie) = signed_in.browser();
        let next = Some(listed.next_page_token).filter(|next| !next.is_empty());
        let page = List {
            page: context.page(context.words().tokens_title),
            navigation: context.navigation(Section::Tokens),
            rows: listed.tokens.into_iter().map(|token| Row::new(context.language, token)).collect(),
            next: next.map(|next| format!("{}?after={next}", self.path(TOKENS))),
            offer: Offer::new(context.words(), &policy, outcome.entered, signed_in.state.clock.now()),
            entered: outcome.entered.cloned().unwrap_or_default(),
            outcome,
            create_csrf: signed_in.csrf(&browser, CREATE_FORM),
            revoke_csrf: signed_in.csrf(&browser, REVOKE_FORM),
            tokens_path: self.path(TOKENS),
            revoke_path: self.path(REVOKE),
            revoke_all_path: self.path(REVOKE_ALL),
        };
        Ok(with_cookies(context.respond(status, &page), cookie))
    }

    /// Makes a token of what was entered.
    async fn create(&self, entered: &Entered) -> Result<Response, Response> {
        let (signed_in, user) = (&self.signed_in, self.signed_in.on_behalf());
        let context = signed_in.context();
        let words = context.words();
        let again = Outcome { entered: Some(entered), ..Outcome::default() };
        let policy = self.own_tokens.policy(&user).await.map_err(|status| self.failure(&status))?;
        let request = match entered.request(&policy, signed_in.state.clock.now()) {
            Ok(request) => request,
            Err(field) => {
                let outcome = Outcome { error: Some(field.text(words)), ..again };
                return self.show(StatusCode::BAD_REQUEST, "", outcome).await;
            }
        };
        let (token, secret) = match self.own_tokens.create(&user, request).await {
            Ok(created) => created,
            Err(status) => {
                let kind = Kind::from_grpc(status.code());
                let error = match kind {
                    Kind::InvalidArgument => words.error_refused,
                    Kind::AlreadyExists => words.too_many,
                    _ => return Err(self.failure(&status)),
                };
                let outcome = Outcome { error: Some(error), detail: Some(status.message()), ..again };
                return self.show(kind.http(), "", outcome).await;
            }
        };
        let page = Created {
            page: context.page(words.created_title).with_script(),
            navigation: context.navigation(Section::Tokens),
            label: &token.label,
            secret: &secret,
            expires: token.expires.and_then(time).map(|end| LocalizedTime::day(end, context.language)),
            usage: usage(&signed_in.user.username, &signed_in.state.config.url),
            tokens_path: self.path(TOKENS),
        };
        // the script copies the token
        Ok(context.respond_with(StatusCode::OK, &Policy::here().with_own_script(), &page))
    }
}

/// `GET /account/tokens`.
async fn list(owner: TokenOwner, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let context = owner.signed_in.context();
    let query = Parameters::of_query(query.as_deref()).map_err(|_| error::not_found(&context))?;
    let done = match query.text("done") {
        REVOKED => Some(context.words().revoked),
        REVOKED_ALL => Some(context.words().revoked_all),
        _ => None,
    };
    let after = query.one("after", MAX_ID).ok().flatten().unwrap_or_default();
    owner.show(StatusCode::OK, after, Outcome { done, ..Outcome::default() }).await
}

/// `POST /account/tokens`: makes a token, and shows its secret in the response alone (`docs/security-requirements.md#a23`).
async fn create(owner: TokenOwner, body: Bytes) -> Result<Response, Response> {
    let form = owner.signed_in.own_form(CREATE_FORM, &body).ok_or_else(|| owner.forgery())?;
    match Entered::read(&form) {
        Ok(entered) => owner.create(&entered).await,
        Err(field) => {
            let error = Some(field.text(owner.signed_in.context().words()));
            owner.show(StatusCode::BAD_REQUEST, "", Outcome { error, ..Outcome::default() }).await
        }
    }
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
async fn revoke(owner: TokenOwner, body: Bytes) -> Result<Response, Response> {
    let form = owner.signed_in.own_form(REVOKE_FORM, &body).ok_or_else(|| owner.forgery())?;
    let id = form.one("id", MAX_ID).ok().flatten().unwrap_or_default();
    let revoked = owner.own_tokens.revoke(&owner.signed_in.on_behalf(), id).await;
    revoked.map_err(|status| owner.failure(&status))?;
    Ok(see_other(&format!("{}?done={REVOKED}", owner.path(TOKENS))))
}

/// `GET /account/tokens/revoke-all`: asks for confirmation.
async fn confirm_revoke_all(owner: TokenOwner) -> Response {
    let signed_in = &owner.signed_in;
    let context = signed_in.context();
    let (browser, cookie) = signed_in.browser();
    let page = ConfirmRevokeAll {
        page: context.page(context.words().revoke_all_title),
        navigation: context.navigation(Section::Tokens),
        csrf: signed_in.csrf(&browser, REVOKE_ALL_FORM),
        tokens_path: owner.path(TOKENS),
        revoke_all_path: owner.path(REVOKE_ALL),
    };
    with_cookies(context.respond(StatusCode::OK, &page), cookie)
}

/// `POST /account/tokens/revoke-all`.
async fn revoke_all(owner: TokenOwner, body: Bytes) -> Result<Response, Response> {
    owner.signed_in.own_form(REVOKE_ALL_FORM, &body).ok_or_else(|| owner.forgery())?;
    let revoked = owner.own_tokens.revoke_all(&owner.signed_in.on_behalf()).await;
    let count = revoked.map_err(|status| owner.failure(&status))?;
    tracing::debug!(count, "a user has revoked all app tokens");
    Ok(see_other(&format!("{}?done={REVOKED_ALL}", owner.path(TOKENS))))
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
