//! What the administration pages for service accounts say, in each language.

mod de;
mod en;
mod fr;

#[cfg(test)]
mod tests;

use web::i18n::Language;

/// What these pages say in this language.
pub(super) const fn service_account_text(language: Language) -> &'static ServiceAccountText {
    match language {
        Language::English => &en::TEXT,
        Language::German => &de::TEXT,
        Language::French => &fr::TEXT,
    }
}

/// All that these pages say in one language, beyond what all pages of this service say.
#[derive(Debug)]
pub(super) struct ServiceAccountText {
    /// The link to the accounts, and the title of their list.
    pub(super) accounts: &'static str,
    pub(super) accounts_lead: &'static str,
    pub(super) accounts_none: &'static str,
    pub(super) search: &'static str,
    /// The button, and the title of the form.
    pub(super) new_account: &'static str,
    pub(super) account_id: &'static str,
    pub(super) id_hint: &'static str,
    pub(super) valid_until: &'static str,
    pub(super) valid_until_hint: &'static str,
    pub(super) date_invalid: &'static str,
    /// The button of the form.
    pub(super) add_account: &'static str,
    pub(super) state: &'static str,
    pub(super) active: &'static str,
    pub(super) disabled: &'static str,
    pub(super) ended: &'static str,
    pub(super) overridden: &'static str,
    pub(super) overridden_means: &'static str,
    pub(super) scopes: &'static str,
    pub(super) created_by: &'static str,
    /// The heading of the form on the page of an account.
    pub(super) settings: &'static str,
    /// The box of the form.
    pub(super) disable: &'static str,
    pub(super) saved: &'static str,
    pub(super) deleted: &'static str,
    /// The heading of the secrets.
    pub(super) secrets: &'static str,
    pub(super) secrets_none: &'static str,
    pub(super) secrets_full: &'static str,
    pub(super) secret_id: &'static str,
    /// The end of a secret that has none of its own.
    pub(super) until_removed: &'static str,
    /// The link, the title of the page and the button.
    pub(super) add_secret: &'static str,
    pub(super) add_secret_means: &'static str,
    pub(super) former_secret: &'static str,
    pub(super) stays: &'static str,
    pub(super) ends_in_a_day: &'static str,
    pub(super) ends_in_a_week: &'static str,
    pub(super) ends_in_a_month: &'static str,
    /// The title of the page that shows a secret.
    pub(super) secret_title: &'static str,
    pub(super) secret_care: &'static str,
    /// The link to the account.
    pub(super) to_account: &'static str,
    /// The title of the page and the button.
    pub(super) remove_secret: &'static str,
    pub(super) remove_secret_means: &'static str,
    pub(super) secret_removed: &'static str,
    /// The link, the title of the page and the button.
    pub(super) delete: &'static str,
    pub(super) delete_means: &'static str,
    pub(super) type_id: &'static str,
    pub(super) type_wrong: &'static str,
}
