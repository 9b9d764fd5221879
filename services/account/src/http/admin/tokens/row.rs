//! A token, as administrators see it.

use proto::doorward::apptokens::v1::{Kind, Token};
use web::csrf::Browser;
use web::date::LocalizedTime;

use super::super::super::i18n::words;
use super::super::super::scope_text;
use super::super::super::tokens::time;
use super::super::access_text::access_text;
use super::super::administrator::Administrator;
use super::super::user_names::UserNames;

/// The path of the page of a token, below that of the administration and before its identifier.
pub(super) const TOKEN: &str = "/tokens/show/";

/// The purpose of the form that revokes the token with this identifier.
pub(super) fn revoke_form(id: &str) -> String {
    format!("admin-revoke-token {id}")
}

/// A token, as the list and its own page show it.
pub(super) struct Row {
    pub(super) id: String,
    /// The token of the form that revokes it.
    pub(super) csrf: String,
    pub(super) path: String,
    pub(super) label: String,
    pub(super) owner: String,
    /// How it came to be.
    pub(super) kind: &'static str,
    pub(super) created_by: String,
    pub(super) scopes: Vec<String>,
    pub(super) created: Option<LocalizedTime>,
    pub(super) expires: Option<LocalizedTime>,
    pub(super) last_used: Option<LocalizedTime>,
    pub(super) last_used_from: String,
    pub(super) last_used_by: String,
    pub(super) revoked: Option<LocalizedTime>,
}

impl Row {
    pub(super) fn new(administrator: &Administrator, browser: &Browser, token: Token, names: &UserNames) -> Self {
        let language = administrator.context().language;
        let texts = access_text(language);
        let minute = |seconds| time(seconds).map(|time| LocalizedTime::minute(time, language));
        Self {
            csrf: administrator.signed_in.csrf(browser, &revoke_form(&token.id)),
            path: administrator.path(&format!("{TOKEN}{}", token.id)),
            owner: names.of(&token.owner_id),
            kind: match token.kind() {
                Kind::Unspecified | Kind::App => texts.kind_app,
                Kind::Personal => texts.kind_personal,
                Kind::Impersonated => texts.kind_impersonated,
            },
            created_by: names.of(&token.created_by),
            scopes: token.scopes.iter().map(|scope| scope_text::describe(words(language), scope)).collect(),
            created: minute(token.created),
            expires: token.expires.and_then(minute),
            last_used: token.last_used.and_then(minute),
            revoked: token.revoked.and_then(minute),
            last_used_from: token.last_used_from,
            last_used_by: token.last_used_by,
            label: token.label,
            id: token.id,
        }
    }
}
