//! What an application asks for, in words that people understand.

use oidc::scope;

use super::i18n::Words;
use crate::engine::scopes::RequestedScope;

impl<'a> RequestedScope<'a> {
    /// What it allows.
    pub(super) fn title(self, words: &'static Words) -> &'a str {
        meaning(self.name, words).map_or(self.name, |(title, _)| title)
    }

    /// What that means.
    pub(super) fn detail(self, words: &'static Words) -> &'static str {
        meaning(self.name, words).map_or(words.other_means, |(_, detail)| detail)
    }
}

fn meaning(scope: &str, words: &'static Words) -> Option<(&'static str, &'static str)> {
    Some(match scope {
        scope::OPENID => (words.openid, words.openid_means),
        scope::PROFILE => (words.profile, words.profile_means),
        scope::EMAIL => (words.email, words.email_means),
        scope::ADDRESS => (words.address, words.address_means),
        scope::PHONE => (words.phone, words.phone_means),
        scope::OFFLINE_ACCESS | scope::OFFLINE => (words.offline, words.offline_means),
        "user" => (words.whole_account, words.whole_account_means),
        "tokens:write" => (words.tokens, words.tokens_means),
        "groups" => (words.groups, words.groups_means),
        "roles" => (words.roles, words.roles_means),
        _ => return None,
    })
}
