//! The page for the signing keys of the provider, and the forms that make and withdraw them. Both need a recent sign-in
//! (`docs/security-requirements.md#n21`).

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, RawQuery};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use proto::doorward::idp::v1::keys_api_client::KeysApiClient;
use proto::doorward::idp::v1::{Key, KeyState, ListKeysRequest, RetireKeyRequest, RotateKeyRequest};
use web::cookie::with_cookies;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::i18n::Language;
use web::response::see_other;

use super::super::page::{Navigation, Page};
use super::super::tokens::time;
use super::administrator::Administrator;
use super::client_text::{ClientText, client_text};
use super::confirm::Confirm;
use super::link::with_query;
use super::{AdminPage, AdminSection};
use crate::config::ADMIN;
use crate::state::AccountState;
use crate::transport::Transport;

/// The path of the keys, below that of the administration.
const KEYS: &str = "/keys";
/// The path of the form that makes one.
const ROTATE: &str = "/keys/rotate";
/// The path of the form that withdraws one.
const RETIRE: &str = "/keys/retire";
/// The longest name of a key or an algorithm that is read, in bytes.
const MAX_NAME: usize = 256;
/// Values of the parameter `done`.
const MADE: &str = "made";
const RETIRED: &str = "retired";

/// The entry in the navigation.
pub(super) const PAGE: AdminPage = AdminPage {
    section: AdminSection::Keys,
    path: KEYS,
    label: |language| client_text(language).keys,
    is_available: |services| services.keys.is_some(),
};

/// The pages.
pub(super) fn router() -> Router<AccountState> {
    Router::new()
        .route(&format!("{ADMIN}{KEYS}"), get(list))
        .route(&format!("{ADMIN}{ROTATE}"), get(confirm_rotate).post(rotate))
        .route(&format!("{ADMIN}{RETIRE}"), get(confirm_retire).post(retire))
}

/// An administrator, and idp, which has the keys.
struct KeyAdministrator {
    administrator: Administrator,
    api: KeysApiClient<Transport>,
}

impl FromRequestParts<AccountState> for KeyAdministrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let administrator = Administrator::from_request_parts(parts, state).await?;
        match &state.administration.keys {
            Some(api) => Ok(Self { administrator, api: api.clone() }),
            None => Err(administrator.not_found()),
        }
    }
}

/// A key, as the list shows it.
struct Row {
    kid: String,
    algorithm: String,
    state: &'static str,
    created: Option<LocalizedTime>,
    active: Option<LocalizedTime>,
    /// Until when what it has signed is valid, if another key has replaced it.
    valid_until: Option<LocalizedTime>,
    /// Where it is withdrawn; `None` if it is not valid any more.
    retire_path: Option<String>,
}

/// A link to a new key.
struct NewKey {
    path: String,
    text: String,
}

#[derive(Template)]
#[template(path = "admin_keys.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static ClientText,
    done: Option<&'static str>,
    rows: Vec<Row>,
    new_keys: Vec<NewKey>,
}

/// A new key that is asked for.
struct Rotation {
    algorithm: String,
    at_once: bool,
}

impl Rotation {
    fn read(query: Option<&str>) -> Option<Self> {
        let parameters = Parameters::of_query(query).ok()?;
        let algorithm = parameters.one("algorithm", MAX_NAME).ok()??.to_owned();
        Some(Self { algorithm, at_once: !parameters.text("at_once").is_empty() })
    }

    /// The path of its form, below that of the administration.
    fn path(&self) -> String {
        with_query(ROTATE, &[("algorithm", &self.algorithm), ("at_once", if self.at_once { "1" } else { "" })])
    }

    fn form(&self) -> String {
        format!("admin-key {} {}", self.algorithm, self.at_once)
    }
}

/// Whether what a key has signed or will sign is valid, so that it can be withdrawn.
fn is_valid(key: &Key) -> bool {
    key.state() != KeyState::Over
}

impl KeyAdministrator {
    fn texts(&self) -> &'static ClientText {
        client_text(self.administrator.context().language)
    }

    fn row(&self, language: Language, key: &Key) -> Row {
        let texts = self.texts();
        let minute = |seconds| time(seconds).map(|time| LocalizedTime::minute(time, language));
        let path = || self.administrator.path(&with_query(RETIRE, &[("kid", &key.kid)]));
        Row {
            state: match key.state() {
                KeyState::Next => texts.state_next,
                KeyState::Current => texts.state_current,
                KeyState::Retired => texts.state_retired,
                KeyState::Over | KeyState::Unspecified => texts.state_over,
            },
            created: minute(key.created),
            active: minute(key.active),
            // the end of a key that was withdrawn is its beginning, as nothing that it has signed is valid
            valid_until: key.retired.filter(|end| *end > key.created).and_then(minute),
            retire_path: is_valid(key).then(path),
            algorithm: key.algorithm.clone(),
            kid: key.kid.clone(),
        }
    }

    /// All keys, those of each algorithm together, the newest first.
    async fn keys(&mut self) -> Result<Vec<Key>, Response> {
        let listed = self.api.list_keys(self.administrator.signed_in.on_behalf().call(ListKeysRequest {})).await;
        Ok(listed.map_err(|status| self.administrator.failure(&status))?.into_inner().keys)
    }

    fn new_key(&self, algorithm: &str, at_once: bool) -> NewKey {
        let texts = self.texts();
        let phrase = if at_once { texts.rotate_at_once } else { texts.rotate };
        let rotation = Rotation { algorithm: algorithm.to_owned(), at_once };
        NewKey { path: self.administrator.path(&rotation.path()), text: phrase.with(algorithm) }
    }

    /// A page that asks for confirmation; what is done to `name` is at `below`, in a form with this purpose.
    fn confirmation(
        &self,
        name: &str,
        (title, means, button): (&str, &'static str, &'static str),
        form: &str,
        below: &str,
    ) -> Response {
        let (administrator, context) = (&self.administrator, self.administrator.context());
        let (browser, cookie) = administrator.signed_in.browser();
        let page = Confirm {
            page: context.page(title),
            navigation: administrator.navigation(AdminSection::Keys),
            texts: administrator.texts(),
            name,
            means,
            unfinished: None,
            field: None,
            button,
            is_danger: true,
            csrf: administrator.signed_in.csrf(&browser, form),
            path: administrator.path(below),
            cancel_path: administrator.path(KEYS),
        };
        with_cookies(context.respond(StatusCode::OK, &page), cookie)
    }

    fn done(&self, what: &str) -> Response {
        see_other(&self.administrator.path(&with_query(KEYS, &[("done", what)])))
    }
}

/// `GET /admin/keys`.
async fn list(mut user: KeyAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let query = Parameters::of_query(query.as_deref()).map_err(|_| user.administrator.not_found())?;
    let keys = user.keys().await?;
    let (context, texts) = (user.administrator.context(), user.texts());
    let mut algorithms: Vec<&str> = keys.iter().map(|key| key.algorithm.as_str()).collect();
    algorithms.dedup();
    let new_keys = algorithms.iter().flat_map(|name| [user.new_key(name, false), user.new_key(name, true)]).collect();
    let page = List {
        page: context.page(texts.keys),
        navigation: user.administrator.navigation(AdminSection::Keys),
        texts,
        done: match query.text("done") {
            MADE => Some(texts.key_made),
            RETIRED => Some(texts.key_retired),
            _ => None,
        },
        new_keys,
        rows: keys.iter().map(|key| user.row(context.language, key)).collect(),
    };
    Ok(context.respond(StatusCode::OK, &page))
}

/// `GET /admin/keys/rotate`: asks for confirmation.
async fn confirm_rotate(user: KeyAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let rotation = Rotation::read(query.as_deref()).ok_or_else(|| user.administrator.not_found())?;
    user.administrator.recent_sign_in(&user.administrator.path(&rotation.path())).await?;
    let texts = user.texts();
    let (title, means) = if rotation.at_once {
        (texts.rotate_at_once, texts.rotate_at_once_means)
    } else {
        (texts.rotate, texts.rotate_means)
    };
    let title = title.with(&rotation.algorithm);
    let words = (title.as_str(), means, texts.make_key);
    Ok(user.confirmation(&rotation.algorithm, words, &rotation.form(), &rotation.path()))
}

/// `POST /admin/keys/rotate`.
async fn rotate(mut user: KeyAdministrator, RawQuery(query): RawQuery, body: Bytes) -> Result<Response, Response> {
    let rotation = Rotation::read(query.as_deref()).ok_or_else(|| user.administrator.not_found())?;
    let form = user.administrator.signed_in.own_form(&rotation.form(), &body);
    form.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.administrator.path(&rotation.path())).await?;
    let Rotation { algorithm, at_once } = rotation;
    let message = RotateKeyRequest { algorithm, at_once };
    let made = user.api.rotate_key(user.administrator.signed_in.on_behalf().call(message)).await;
    made.map_err(|status| user.administrator.failure(&status))?;
    Ok(user.done(MADE))
}

/// The purpose of the form that withdraws this key.
fn retire_form(kid: &str) -> String {
    format!("admin-retire-key {kid}")
}

/// `GET /admin/keys/retire`: asks for confirmation.
async fn confirm_retire(mut user: KeyAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let query = Parameters::of_query(query.as_deref()).map_err(|_| user.administrator.not_found())?;
    let kid = query.one("kid", MAX_NAME).ok().flatten().ok_or_else(|| user.administrator.not_found())?;
    let below = with_query(RETIRE, &[("kid", kid)]);
    user.administrator.recent_sign_in(&user.administrator.path(&below)).await?;
    let key = user.keys().await?.into_iter().find(|key| key.kid == kid && is_valid(key));
    let key = key.ok_or_else(|| user.administrator.not_found())?;
    let texts = user.texts();
    let means = if key.state() == KeyState::Next { texts.retire_next_means } else { texts.retire_means };
    Ok(user.confirmation(kid, (texts.retire, means, texts.retire), &retire_form(kid), &below))
}

/// `POST /admin/keys/retire`.
async fn retire(mut user: KeyAdministrator, RawQuery(query): RawQuery, body: Bytes) -> Result<Response, Response> {
    let query = Parameters::of_query(query.as_deref()).map_err(|_| user.administrator.not_found())?;
    let kid = query.one("kid", MAX_NAME).ok().flatten().ok_or_else(|| user.administrator.not_found())?;
    let form = user.administrator.signed_in.own_form(&retire_form(kid), &body);
    form.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.administrator.path(&with_query(RETIRE, &[("kid", kid)]))).await?;
    let message = RetireKeyRequest { kid: kid.to_owned() };
    let retired = user.api.retire_key(user.administrator.signed_in.on_behalf().call(message)).await;
    retired.map_err(|status| user.administrator.failure(&status))?;
    Ok(user.done(RETIRED))
}
