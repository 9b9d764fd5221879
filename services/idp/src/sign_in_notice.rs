//! The mail to a user who has signed in with a browser that the user has not used before.

use std::time::SystemTime;

use authn::{Caller, Groups, UserId};
use web::date::LocalizedTime;
use web::i18n::Language;

use crate::account_links::sender;
use crate::account_mail::{Letter, language_of};
use crate::engine::provider::Provider;
use crate::store::EventFilter;

/// The most that is shown of what a browser calls itself, in characters.
const MAX_USER_AGENT: usize = 160;

/// Sends the mail. A user who signs in for the first time gets none.
pub(crate) async fn send(provider: Provider, user: String, (at, language): (SystemTime, Language), caller: Caller) {
    match has_signed_in_before(&provider, &user, at).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            tracing::warn!(%error, person = user, "a user is not notified of a sign-in");
            return;
        }
    }
    let id = UserId { opaque_id: user.clone(), ..UserId::default() };
    let found = match provider.directory.user(&id, Groups::Skip).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, person = user, "a user is not notified of a sign-in");
            return;
        }
    };
    let language = language_of(&*provider.directory, &found, language).await;
    let user_agent: String = caller.user_agent.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT).collect();
    let address = caller.source.map(|source| source.to_string()).unwrap_or_default();
    let sender = sender(&provider);
    let link = sessions_page(&provider.config.account_url, sender.url);
    let letter = Letter::NewSignIn {
        time: LocalizedTime::minute(at, language),
        user_agent: if user_agent.is_empty() { "-" } else { &user_agent },
        address: if address.is_empty() { "-" } else { &address },
        link: link.as_deref(),
    };
    if let Err(error) = provider.mail.send(&sender, (&found, language), &letter) {
        tracing::warn!(%error, person = user, "a user is not notified of a sign-in");
    }
}

/// The URL of the account page with the user's sessions: below `IDP_ACCOUNT_URL`, which may be a path of the issuer's site. `None` where the
/// account pages are not known.
fn sessions_page(account_url: &str, site: &str) -> Option<String> {
    let account_url = account_url.trim_end_matches('/');
    match account_url {
        "" => None,
        path if path.starts_with('/') => Some(format!("{site}{path}/sessions")),
        url => Some(format!("{url}/sessions")),
    }
}

async fn has_signed_in_before(provider: &Provider, user: &str, at: SystemTime) -> Result<bool, store::StoreError> {
    let filter = EventFilter {
        user: Some(user.to_owned()),
        event: Some("sign_in".to_owned()),
        outcome: Some("success".to_owned()),
        address: None,
        since: None,
        // this sign-in may be stored already
        until: Some(at),
    };
    Ok(!provider.store.events(&filter, None, 1).await?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_leads_to_the_sessions_on_the_account_pages() {
        let site = "https://cloud.example";
        for (account_url, expected) in [
            ("/account", Some("https://cloud.example/account/sessions")),
            ("/me/", Some("https://cloud.example/me/sessions")),
            ("https://account.example/me", Some("https://account.example/me/sessions")),
            ("", None),
        ] {
            assert_eq!(sessions_page(account_url, site).as_deref(), expected, "{account_url}");
        }
    }
}
