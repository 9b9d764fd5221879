//! The app tokens of all users: a search, the page of each token, and the forms that revoke one or all of a user
//! (`docs/security-requirements.md#n40`).

mod row;

use std::time::{Duration, UNIX_EPOCH};

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, RawQuery};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use proto::doorward::apptokens::v1::{
    GetTokenRequest, PersonRef, RevokeTokenRequest, RevokeTokensRequest, SearchTokensRequest, Token,
    app_tokens_api_client::AppTokensApiClient, person_ref::By,
};
use web::cookie::with_cookies;
use web::form::{BadParameters, Parameters};
use web::i18n::Language;
use web::response::see_other;

use super::super::i18n::words;
use super::super::page::{Navigation, Page};
use super::AdminSection;
use super::access_text::{AccessText, access_text};
use super::administrator::Administrator;
use super::confirm::Confirm;
use super::link::with_query;
use super::user_names::{NamedUser, UserNames, distinct};
use crate::administration::tokens::search;
use crate::config::ADMIN;
use crate::state::AccountState;
use crate::transport::Transport;
use row::{Row, TOKEN, revoke_form};

/// The path of the search, below that of the administration.
pub(super) const TOKENS: &str = "/tokens";
/// The path of the form that revokes one.
const REVOKE: &str = "/tokens/revoke";
/// The path of the form that revokes all of a user.
const REVOKE_ALL: &str = "/tokens/revoke-all";
/// How many a page shows.
const PAGE: u32 = 50;
/// The longest text that is searched for, and the longest identifier, in bytes.
const MAX_TEXT: usize = 256;
/// For how many days a token was not used, and in how many it ends.
const UNUSED_DAYS: [&str; 4] = ["30", "90", "180", "365"];
const EXPIRY_DAYS: [&str; 3] = ["7", "30", "90"];
/// Values of the parameter `done`: what the form before the page has done.
const REVOKED: &str = "revoked";
const REVOKED_ALL: &str = "revoked-all";

/// The pages. Without auth-app they answer 404.
pub(super) fn router() -> Router<AccountState> {
    Router::new()
        .route(&format!("{ADMIN}{TOKENS}"), get(list))
        .route(&format!("{ADMIN}{TOKEN}{{id}}"), get(show))
        .route(&format!("{ADMIN}{REVOKE}"), post(revoke))
        .route(&format!("{ADMIN}{REVOKE_ALL}"), get(confirm_revoke_all).post(revoke_all))
}

/// An administrator, and auth-app, which has the tokens.
struct TokenAdministrator {
    administrator: Administrator,
    api: AppTokensApiClient<Transport>,
}

impl FromRequestParts<AccountState> for TokenAdministrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let administrator = Administrator::from_request_parts(parts, state).await?;
        match &state.administration.tokens {
            Some(api) => Ok(Self { administrator, api: api.clone() }),
            None => Err(administrator.not_found()),
        }
    }
}

/// What is searched for, as it was entered.
#[derive(Default)]
struct Entered {
    user: String,
    label: String,
    /// Days, or empty.
    unused: String,
    expires: String,
}

impl Entered {
    fn read(query: &Parameters) -> Result<Self, BadParameters> {
        let one = |name| Ok(query.one(name, MAX_TEXT)?.unwrap_or_default().trim().to_owned());
        Ok(Self { user: one("user")?, label: one("label")?, unused: one("unused")?, expires: one("expires")? })
    }
}

impl Entered {
    /// Whether nothing but the user narrows the list.
    fn is_for_user_alone(&self) -> bool {
        self.label.is_empty() && self.unused.is_empty() && self.expires.is_empty()
    }
}

/// A choice of a field.
struct Choice {
    value: &'static str,
    text: String,
    is_selected: bool,
}

fn days(values: &[&'static str], selected: &str, language: Language) -> Vec<Choice> {
    let choice = |&value: &&'static str| Choice {
        value,
        text: words(language).days.with(value),
        is_selected: value == selected,
    };
    values.iter().map(choice).collect()
}

#[derive(Template)]
#[template(path = "admin_tokens.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AccessText,
    done: Option<&'static str>,
    entered: Entered,
    /// What the page says if there is no such user.
    no_such_user: Option<&'static str>,
    unused: Vec<Choice>,
    expiry: Vec<Choice>,
    rows: Vec<Row>,
    next: Option<String>,
    tokens_path: String,
    revoke_path: String,
    /// The page that revokes all of the user who is searched for.
    revoke_all_path: Option<String>,
}

#[derive(Template)]
#[template(path = "admin_token.html")]
struct Show<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AccessText,
    row: Row,
    tokens_path: String,
    revoke_path: String,
}

impl TokenAdministrator {
    fn texts(&self) -> &'static AccessText {
        access_text(self.administrator.context().language)
    }

    /// The user who is named in a search.
    async fn named(&self, named: &str) -> Result<NamedUser, Response> {
        let found = NamedUser::find(&self.administrator.signed_in.state, named).await;
        found.map_err(|error| self.administrator.failure(&status::grpc(error.kind(), error.to_string())))
    }

    /// Requires that the directory has a user with this identifier, or that tokens of one who is gone are left: nothing would be revoked
    /// otherwise, and the page would say that it is.
    async fn require_user(&self, id: &str) -> Result<(), Response> {
        if self.administrator.is_in_directory(id).await? {
            return Ok(());
        }
        let owner = Some(with_id(id.to_owned()));
        let (found, _) = self.search(SearchTokensRequest { owner, page_size: 1, ..Default::default() }).await?;
        if found.is_empty() { Err(self.administrator.no_such_user()) } else { Ok(()) }
    }

    /// Searches until there are tokens to show, and returns where the search goes on.
    async fn search(&self, request: SearchTokensRequest) -> Result<(Vec<Token>, String), Response> {
        let found = search(&self.api, &self.administrator.signed_in.on_behalf(), request).await;
        found.map_err(|status| self.administrator.failure(&status))
    }

    /// So many days before or after now, in seconds since the epoch.
    fn seconds(&self, days: &str, known: &[&str], is_past: bool) -> Option<i64> {
        let days = known.contains(&days).then(|| days.parse::<u64>().ok())??;
        let (now, span) = (self.administrator.signed_in.state.clock.now(), Duration::from_hours(24 * days));
        let time = if is_past { now.checked_sub(span) } else { now.checked_add(span) };
        i64::try_from(time?.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
    }
}

fn with_id(id: String) -> PersonRef {
    PersonRef { by: Some(By::Id(id)) }
}

/// `GET /admin/tokens`.
async fn list(tokens: TokenAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let (administrator, texts) = (&tokens.administrator, tokens.texts());
    let query = Parameters::of_query(query.as_deref()).map_err(|_| administrator.not_found())?;
    let entered = Entered::read(&query).map_err(|_| administrator.not_found())?;
    let after = query.one("after", MAX_TEXT).map_err(|_| administrator.not_found())?.unwrap_or_default();
    let searched = tokens.named(&entered.user).await?;
    let request = SearchTokensRequest {
        owner: searched.id().map(str::to_owned).map(with_id),
        label: entered.label.clone(),
        unused_since: tokens.seconds(&entered.unused, &UNUSED_DAYS, true),
        expires_before: tokens.seconds(&entered.expires, &EXPIRY_DAYS, false),
        page_size: PAGE,
        page_token: after.to_owned(),
    };
    let (found, next) = tokens.search(request).await?;
    let names =
        UserNames::find(&administrator.signed_in, distinct(found.iter().map(|token| token.owner_id.as_str()))).await;
    let tokens_path = administrator.path(TOKENS);
    let next = Some(next).filter(|next| !next.is_empty()).map(|next| {
        let Entered { user, label, unused, expires } = &entered;
        let parameters =
            [("user", &**user), ("label", label), ("unused", unused), ("expires", expires), ("after", &next)];
        with_query(&tokens_path, &parameters)
    });
    // an identifier on a page behind the first one has rows before
    let has_rows = !found.is_empty() || !after.is_empty();
    let context = administrator.context();
    let (browser, cookie) = administrator.signed_in.browser();
    let page = List {
        page: context.page(texts.tokens_title),
        navigation: administrator.navigation(AdminSection::Tokens),
        texts,
        done: match query.text("done") {
            REVOKED => Some(texts.token_revoked),
            REVOKED_ALL => Some(texts.tokens_revoked),
            _ => None,
        },
        unused: days(&UNUSED_DAYS, &entered.unused, context.language),
        expiry: days(&EXPIRY_DAYS, &entered.expires, context.language),
        no_such_user: (searched.is_unknown(has_rows) && next.is_none() && entered.is_for_user_alone())
            .then_some(administrator.texts().unknown_user),
        entered,
        rows: found.into_iter().map(|token| Row::new(administrator, &browser, token, &names)).collect(),
        next,
        revoke_path: administrator.path(REVOKE),
        revoke_all_path: searched
            .existing(has_rows)
            .filter(|_| administrator.has_sign_ins())
            .map(|id| with_query(&administrator.path(REVOKE_ALL), &[("user", id)])),
        tokens_path,
    };
    Ok(with_cookies(context.respond(StatusCode::OK, &page), cookie))
}

/// `GET /admin/tokens/show/{id}`: one token, also one that is revoked or has expired.
async fn show(tokens: TokenAdministrator, Path(id): Path<String>) -> Result<Response, Response> {
    let (administrator, texts) = (&tokens.administrator, tokens.texts());
    let call = administrator.signed_in.on_behalf().call(GetTokenRequest { id });
    let found = tokens.api.clone().get_token(call).await.map_err(|status| administrator.failure(&status))?;
    let token = found.into_inner().token.ok_or_else(|| administrator.not_found())?;
    let names =
        UserNames::find(&administrator.signed_in, distinct([token.owner_id.as_str(), token.created_by.as_str()])).await;
    let context = administrator.context();
    let (browser, cookie) = administrator.signed_in.browser();
    let page = Show {
        page: context.page(texts.token_title),
        navigation: administrator.navigation(AdminSection::Tokens),
        texts,
        row: Row::new(administrator, &browser, token, &names),
        tokens_path: administrator.path(TOKENS),
        revoke_path: administrator.path(REVOKE),
    };
    Ok(with_cookies(context.respond(StatusCode::OK, &page), cookie))
}

/// `POST /admin/tokens/revoke`: revokes one token.
async fn revoke(tokens: TokenAdministrator, body: Bytes) -> Result<Response, Response> {
    let administrator = &tokens.administrator;
    let token = administrator.signed_in.object_of_form("id", MAX_TEXT, revoke_form, &body);
    let token = token.ok_or_else(|| administrator.forgery())?;
    let call = administrator.signed_in.on_behalf().call(RevokeTokenRequest { token });
    tokens.api.clone().revoke_token(call).await.map_err(|status| administrator.failure(&status))?;
    Ok(see_other(&with_query(&administrator.path(TOKENS), &[("done", REVOKED)])))
}

/// `GET /admin/tokens/revoke-all?user=`: asks for confirmation.
async fn confirm_revoke_all(tokens: TokenAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let (administrator, texts) = (&tokens.administrator, tokens.texts());
    let query = Parameters::of_query(query.as_deref()).map_err(|_| administrator.not_found())?;
    let user_id = query.one("user", MAX_TEXT).ok().flatten().ok_or_else(|| administrator.not_found())?;
    let path = with_query(&administrator.path(REVOKE_ALL), &[("user", user_id)]);
    administrator.recent_sign_in(&path).await?;
    tokens.require_user(user_id).await?;
    let context = administrator.context();
    let name = UserNames::find(&administrator.signed_in, distinct([user_id])).await.of(user_id);
    let title = texts.revoke_all_title.with(&name);
    let (browser, cookie) = administrator.signed_in.browser();
    let page = Confirm {
        page: context.page(&title),
        navigation: administrator.navigation(AdminSection::Tokens),
        texts: administrator.texts(),
        name: &name,
        means: texts.revoke_all_means,
        unfinished: None,
        field: None,
        button: context.words().revoke_all,
        is_danger: true,
        csrf: administrator.signed_in.csrf(&browser, &revoke_all_form(user_id)),
        path,
        cancel_path: with_query(&administrator.path(TOKENS), &[("user", user_id)]),
    };
    Ok(with_cookies(context.respond(StatusCode::OK, &page), cookie))
}

/// The purpose of the form that revokes all tokens of the user with this identifier.
fn revoke_all_form(user_id: &str) -> String {
    format!("admin-revoke-all-tokens {user_id}")
}

/// `POST /admin/tokens/revoke-all?user=`: revokes all tokens of a user.
async fn revoke_all(tokens: TokenAdministrator, RawQuery(query): RawQuery, body: Bytes) -> Result<Response, Response> {
    let administrator = &tokens.administrator;
    let query = Parameters::of_query(query.as_deref()).map_err(|_| administrator.not_found())?;
    let user_id = query.one("user", MAX_TEXT).ok().flatten().ok_or_else(|| administrator.not_found())?;
    let form = administrator.signed_in.own_form(&revoke_all_form(user_id), &body);
    form.ok_or_else(|| administrator.forgery())?;
    administrator.recent_sign_in(&with_query(&administrator.path(REVOKE_ALL), &[("user", user_id)])).await?;
    let message = RevokeTokensRequest { owner: Some(with_id(user_id.to_owned())) };
    let call = administrator.signed_in.on_behalf().call(message);
    tokens.api.clone().revoke_tokens(call).await.map_err(|status| administrator.failure(&status))?;
    Ok(see_other(&with_query(&administrator.path(TOKENS), &[("user", user_id), ("done", REVOKED_ALL)])))
}
