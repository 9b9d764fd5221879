//! What the administration pages for app tokens, sessions and the audit log say, in each language.

mod de;
mod en;
mod fr;

#[cfg(test)]
mod tests;

use web::i18n::{Language, Phrase};

/// What these pages say in this language.
pub(super) const fn access_text(language: Language) -> &'static AccessText {
    match language {
        Language::English => &en::TEXT,
        Language::German => &de::TEXT,
        Language::French => &fr::TEXT,
    }
}

/// All that these pages say in one language, beyond what all pages of this service say.
#[derive(Debug)]
pub(super) struct AccessText {
    // the navigation
    /// The link to the app tokens.
    pub(super) tokens: &'static str,
    /// The link to the sessions.
    pub(super) sessions: &'static str,
    /// The link to the audit log.
    pub(super) audit: &'static str,

    // what the searches share
    /// The button, and what screen readers call the form.
    pub(super) search: &'static str,
    pub(super) user: &'static str,
    pub(super) user_hint: &'static str,
    /// The choice that does not narrow the list.
    pub(super) any: &'static str,
    pub(super) older: &'static str,
    pub(super) identifier: &'static str,

    // the app tokens
    pub(super) tokens_title: &'static str,
    pub(super) tokens_lead: &'static str,
    pub(super) tokens_none: &'static str,
    /// A search looks through a limited number of tokens at a time.
    pub(super) tokens_none_yet: &'static str,
    pub(super) label_hint: &'static str,
    /// The days follow.
    pub(super) unused_for: &'static str,
    /// The days follow.
    pub(super) expires_within: &'static str,
    pub(super) token_title: &'static str,
    pub(super) kind: &'static str,
    pub(super) kind_app: &'static str,
    pub(super) kind_personal: &'static str,
    pub(super) kind_impersonated: &'static str,
    pub(super) created_by: &'static str,
    pub(super) revoked: &'static str,
    pub(super) token_revoked: &'static str,
    pub(super) tokens_revoked: &'static str,
    pub(super) back_to_tokens: &'static str,
    pub(super) revoke_all_of_user: &'static str,
    pub(super) revoke_all_title: Phrase,
    pub(super) revoke_all_means: &'static str,

    // the sessions
    pub(super) sessions_title: &'static str,
    pub(super) sessions_lead: &'static str,
    pub(super) sessions_none: &'static str,
    pub(super) end_all_of_user: &'static str,
    pub(super) end_all_title: Phrase,
    pub(super) end_all_means: &'static str,
    pub(super) user_signed_out: &'static str,
    /// The button, and the link to the page.
    pub(super) everyone: &'static str,
    pub(super) everyone_title: &'static str,
    pub(super) everyone_means: &'static str,
    pub(super) everyone_confirm: Phrase,
    /// In lower case.
    pub(super) everyone_phrase: &'static str,
    pub(super) everyone_wrong: &'static str,
    pub(super) everyone_left: Phrase,
    pub(super) everyone_done_title: &'static str,
    pub(super) everyone_done: &'static str,

    // the audit log
    pub(super) audit_title: &'static str,
    pub(super) audit_lead: &'static str,
    /// What is in the audit logs of other services.
    pub(super) audit_elsewhere: &'static str,
    pub(super) audit_none: &'static str,
    pub(super) outcome: &'static str,
    pub(super) outcome_success: &'static str,
    pub(super) outcome_failure: &'static str,
    pub(super) outcome_done: &'static str,
    pub(super) outcome_refused: &'static str,
    pub(super) outcome_begun: &'static str,
    pub(super) outcome_cancelled: &'static str,
    pub(super) outcome_taken_back: &'static str,
    pub(super) outcome_second_factor_required: &'static str,
    pub(super) outcome_throttled: &'static str,
    pub(super) outcome_no_password: &'static str,
    pub(super) outcome_taken: &'static str,
    pub(super) from: &'static str,
    pub(super) until: &'static str,
    pub(super) administrator: &'static str,
    pub(super) event_name: &'static str,
    pub(super) user_id: &'static str,
    pub(super) object: &'static str,
    pub(super) export_csv: &'static str,
    pub(super) export_json: &'static str,
    pub(super) address_error: &'static str,
    pub(super) date_error: &'static str,

    // events, as administrators read them
    pub(super) event_session_end: &'static str,
    pub(super) event_session_end_all: &'static str,
    pub(super) event_every_user_begun: &'static str,
    pub(super) event_every_user: &'static str,
    pub(super) event_disconnect: &'static str,
    pub(super) event_second_factor_reset: &'static str,
    pub(super) event_invitation: &'static str,
    pub(super) event_client_add: &'static str,
    pub(super) event_client_update: &'static str,
    pub(super) event_client_secret: &'static str,
    pub(super) event_client_remove: &'static str,
    pub(super) event_initial_access: &'static str,
    pub(super) event_key_rotate: &'static str,
    pub(super) event_key_retire: &'static str,
    pub(super) event_audit_export: &'static str,
}
