//! The health of the services: whether each is ready, what is wrong, since when it runs, and the age of certificates and signing
//! keys. It has no secrets and no addresses (`docs/security-requirements.md#n61`).

mod certificate;
pub(crate) mod explanation;

use std::time::SystemTime;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use proto::doorward::idp::v1::Key;
use runtime::ServiceHealth;
use web::date::LocalizedTime;
use web::i18n::Language;

use super::super::page::{Navigation, Page};
use super::super::tokens::time;
use super::administrator::Administrator;
use super::health_text::{HealthText, health_text};
use super::{AdminPage, AdminSection};
use crate::administration::health::{Health, VERSION};
use crate::config::ADMIN;
use crate::remote_health::RemoteHealth;
use crate::state::AccountState;
use certificate::CertificateRow;

/// The path of the page, below that of the administration.
const HEALTH: &str = "/health";

/// The entry in the navigation.
pub(super) const PAGE: AdminPage = AdminPage {
    section: AdminSection::Health,
    path: HEALTH,
    label: |language| health_text(language).health,
    is_available: |_| true,
};

/// The page.
pub(super) fn router() -> Router<AccountState> {
    Router::new().route(&format!("{ADMIN}{HEALTH}"), get(show))
}

/// A service, as the page shows it.
struct Row {
    name: &'static str,
    /// `None` if the service does not say.
    is_ready: Option<bool>,
    problems: Vec<String>,
    /// Known of the services of this process alone, like the version.
    since: Option<LocalizedTime>,
    version: Option<&'static str>,
}

impl Row {
    fn here(language: Language, service: &ServiceHealth) -> Self {
        Self {
            name: service.name,
            is_ready: Some(service.failing.is_empty()),
            problems: service.failing.iter().map(|failing| explanation::of_check(language, failing)).collect(),
            since: Some(LocalizedTime::minute(service.started, language)),
            version: Some(VERSION),
        }
    }

    fn remote(language: Language, name: &'static str, health: RemoteHealth) -> Self {
        let problems = explanation::of_remote(language, health).map(str::to_owned).into_iter().collect();
        Self { name, is_ready: health.is_ready(), problems, since: None, version: None }
    }

    fn state(&self, texts: &HealthText) -> &'static str {
        match self.is_ready {
            Some(true) => texts.ready,
            Some(false) => texts.not_ready,
            None => texts.unknown,
        }
    }
}

/// A key that signs now, as the page shows it.
struct KeyRow {
    algorithm: String,
    kid: String,
    since: Option<LocalizedTime>,
}

#[derive(Template)]
#[template(path = "admin_health.html")]
struct HealthPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static HealthText,
    /// What is said of all services: that they are ready, or which are not.
    summary: String,
    is_well: bool,
    rows: Vec<Row>,
    /// Whether services may run that are not listed, as these pages call none of them.
    has_others: bool,
    certificates: Vec<CertificateRow>,
    keys: Vec<KeyRow>,
}

fn key_row(key: Key, language: Language) -> KeyRow {
    let since = time(key.active).map(|time| LocalizedTime::minute(time, language));
    KeyRow { algorithm: key.algorithm, kid: key.kid, since }
}

/// What is said of all services, and whether none has a problem.
fn summary(texts: &HealthText, rows: &[Row]) -> (String, bool) {
    let names = |is_ready: Option<bool>| {
        let found: Vec<&str> = rows.iter().filter(|row| row.is_ready == is_ready).map(|row| row.name).collect();
        found.join(", ")
    };
    match (names(Some(false)), names(None)) {
        (failing, _) if !failing.is_empty() => (texts.some_not_ready.with(&failing), false),
        (_, unknown) if !unknown.is_empty() => (texts.some_unknown.with(&unknown), true),
        _ => (texts.all_ready.to_owned(), true),
    }
}

/// `GET /admin/health`. All services are asked at the same time.
async fn show(administrator: Administrator) -> Response {
    let (context, state) = (administrator.context(), &administrator.signed_in.state);
    let (language, texts) = (context.language, health_text(context.language));
    let by = administrator.signed_in.on_behalf();
    let Health { here, remote, signing_keys } = state.administration.health(&by).await;
    let has_others = !remote.is_empty();
    let now: SystemTime = state.clock.now();
    let certificates = here.iter().flat_map(|service| CertificateRow::all_of(texts, language, service, now)).collect();
    let rows = here.iter().map(|service| Row::here(language, service));
    let rows: Vec<Row> =
        rows.chain(remote.into_iter().map(|(name, health)| Row::remote(language, name, health))).collect();
    let (summary, is_well) = summary(texts, &rows);
    let page = HealthPage {
        page: context.page(texts.health_title),
        navigation: administrator.navigation(AdminSection::Health),
        texts,
        summary,
        is_well,
        rows,
        has_others,
        certificates,
        keys: signing_keys.into_iter().map(|key| key_row(key, language)).collect(),
    };
    context.respond(StatusCode::OK, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_names_services_that_fail_and_then_those_that_say_nothing() {
        let texts = health_text(Language::English);
        let row = |name, health| Row::remote(Language::English, name, health);
        let ready = || row("users", RemoteHealth::Ready);
        assert_eq!(summary(texts, &[ready()]), (texts.all_ready.to_owned(), true));
        let unknown = [ready(), row("idp", RemoteHealth::Unknown)];
        assert_eq!(summary(texts, &unknown), ("No service reports a problem; not known: idp".to_owned(), true));
        let failing = [
            row("idp", RemoteHealth::Unknown),
            row("users", RemoteHealth::NoAnswer),
            row("auth-app", RemoteHealth::NotReady),
        ];
        assert_eq!(summary(texts, &failing), ("Not ready: users, auth-app".to_owned(), false));
    }
}
