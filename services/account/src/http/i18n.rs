//! What the pages say, in each language.

mod de;
mod en;
mod fr;

#[cfg(test)]
mod tests;

use web::i18n::{Language, Phrase};

/// What the pages say in this language.
pub(super) const fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &en::WORDS,
        Language::German => &de::WORDS,
        Language::French => &fr::WORDS,
    }
}

/// All that the pages say in one language.
#[derive(Debug)]
pub(super) struct Words {
    // every page
    /// What screen readers call the navigation.
    pub(super) navigation: &'static str,
    /// The link to the front page.
    pub(super) applications: &'static str,
    /// The link to the overview.
    pub(super) overview: &'static str,
    /// The link to the app tokens.
    pub(super) tokens: &'static str,
    /// The link that signs out.
    pub(super) sign_out: &'static str,

    // the front page
    pub(super) applications_title: &'static str,
    pub(super) signed_in_as: Phrase,
    pub(super) applications_none: &'static str,
    pub(super) to_account: &'static str,

    // the overview
    pub(super) overview_title: &'static str,
    pub(super) name: &'static str,
    pub(super) username: &'static str,
    pub(super) mail: &'static str,
    pub(super) groups: &'static str,
    pub(super) roles: &'static str,
    /// Stands for a value that is empty.
    pub(super) none: &'static str,
    pub(super) role_admin: &'static str,
    pub(super) role_space_admin: &'static str,
    pub(super) role_user: &'static str,
    pub(super) role_guest: &'static str,

    // the list of app tokens
    pub(super) tokens_title: &'static str,
    pub(super) tokens_lead: &'static str,
    pub(super) tokens_none: &'static str,
    pub(super) label: &'static str,
    /// The heading of the scopes.
    pub(super) allows: &'static str,
    pub(super) created: &'static str,
    pub(super) expires: &'static str,
    pub(super) last_used: &'static str,
    pub(super) never_used: &'static str,
    pub(super) never_expires: &'static str,
    /// When a sliding token ends however much it is used.
    pub(super) extended: Phrase,
    /// The address of the last use.
    pub(super) used_from: Phrase,
    pub(super) by_administrator: &'static str,
    pub(super) revoke: &'static str,
    pub(super) next_page: &'static str,
    pub(super) revoked: &'static str,
    pub(super) revoked_all: &'static str,

    // revoking all of them
    pub(super) revoke_all: &'static str,
    pub(super) revoke_all_title: &'static str,
    pub(super) revoke_all_means: &'static str,
    pub(super) cancel: &'static str,

    // a new token
    pub(super) create_title: &'static str,
    pub(super) label_hint: &'static str,
    pub(super) valid_for: &'static str,
    pub(super) days: Phrase,
    pub(super) hours: Phrase,
    pub(super) until_date: &'static str,
    /// What screen readers call the field for the day.
    pub(super) date: &'static str,
    pub(super) access: &'static str,
    pub(super) limited: &'static str,
    pub(super) path: &'static str,
    pub(super) path_hint: &'static str,
    /// The field with what may be done in the folder.
    pub(super) permission: &'static str,
    pub(super) create: &'static str,
    pub(super) created_title: &'static str,
    pub(super) created_copy: &'static str,
    pub(super) created_care: &'static str,
    /// The button that copies the token.
    pub(super) copy: &'static str,
    /// What the button says afterwards.
    pub(super) copied: &'static str,
    pub(super) usage: &'static str,
    pub(super) back_to_tokens: &'static str,

    // scopes
    pub(super) scope_user: &'static str,
    pub(super) scope_profile: &'static str,
    pub(super) scope_tokens_read: &'static str,
    pub(super) scope_tokens_write: &'static str,
    pub(super) scope_path: Phrase,
    pub(super) scope_node: Phrase,
    pub(super) may_read: &'static str,
    pub(super) may_write: &'static str,
    pub(super) may_read_and_write: &'static str,

    // what is wrong with the form
    pub(super) error_label: &'static str,
    pub(super) error_expiry: &'static str,
    pub(super) error_scopes: &'static str,
    pub(super) error_path: &'static str,
    pub(super) error_refused: &'static str,
    pub(super) too_many: &'static str,
    /// Above what is meant for developers.
    pub(super) details: &'static str,

    // pages that say why something was not done
    pub(super) unauthenticated_title: &'static str,
    pub(super) unauthenticated: &'static str,
    pub(super) denied_title: &'static str,
    pub(super) denied: &'static str,
    pub(super) for_administrators_title: &'static str,
    pub(super) for_administrators: &'static str,
    pub(super) not_found_title: &'static str,
    pub(super) not_found: &'static str,
    pub(super) no_token_title: &'static str,
    pub(super) no_token: &'static str,
    pub(super) forgery_title: &'static str,
    pub(super) forgery: &'static str,
    pub(super) unavailable_title: &'static str,
    pub(super) unavailable: &'static str,
    pub(super) fault_title: &'static str,
    pub(super) fault: &'static str,
}
