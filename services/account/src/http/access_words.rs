//! What the pages on sessions, connected applications and activity say, in each language.

mod de;
mod en;
mod fr;

#[cfg(test)]
mod tests;

use web::i18n::Language;

/// What these pages say in this language.
pub(super) const fn access_words(language: Language) -> &'static AccessWords {
    match language {
        Language::English => &en::WORDS,
        Language::German => &de::WORDS,
        Language::French => &fr::WORDS,
    }
}

/// All that these pages say in one language.
#[derive(Debug)]
pub(super) struct AccessWords {
    // the navigation
    /// The link to the page on which users change how they sign in.
    pub(super) sign_in_methods: &'static str,
    /// The link to the sessions.
    pub(super) sessions: &'static str,
    /// The link to the connected applications.
    pub(super) connected: &'static str,
    /// The link to the activity.
    pub(super) activity: &'static str,

    // columns
    pub(super) device: &'static str,
    pub(super) address: &'static str,
    pub(super) since: &'static str,
    pub(super) last_used: &'static str,
    /// Stands for an address or a time that is not known.
    pub(super) unknown: &'static str,
    pub(super) unknown_device: &'static str,

    // the sessions
    pub(super) sessions_title: &'static str,
    pub(super) sessions_lead: &'static str,
    pub(super) sessions_none: &'static str,
    /// Marks the session of the browser that shows the page.
    pub(super) this_session: &'static str,
    pub(super) end: &'static str,
    pub(super) end_others: &'static str,
    pub(super) session_ended: &'static str,
    pub(super) others_ended: &'static str,

    // signing out everywhere
    pub(super) end_all: &'static str,
    pub(super) end_all_title: &'static str,
    pub(super) end_all_means: &'static str,
    pub(super) cancel: &'static str,
    pub(super) signed_out_title: &'static str,
    pub(super) signed_out: &'static str,
    pub(super) sign_in_again: &'static str,

    // the connected applications
    pub(super) connected_title: &'static str,
    pub(super) connected_lead: &'static str,
    pub(super) connected_none: &'static str,
    pub(super) application: &'static str,
    /// The heading of the scopes.
    pub(super) may: &'static str,
    pub(super) not_used: &'static str,
    pub(super) disconnect: &'static str,
    pub(super) disconnected: &'static str,
    pub(super) scope_openid: &'static str,
    pub(super) scope_profile: &'static str,
    pub(super) scope_email: &'static str,
    pub(super) scope_address: &'static str,
    pub(super) scope_phone: &'static str,
    pub(super) scope_offline: &'static str,

    // the activity
    pub(super) activity_title: &'static str,
    pub(super) activity_lead: &'static str,
    pub(super) activity_none: &'static str,
    pub(super) time: &'static str,
    pub(super) what: &'static str,
    pub(super) earlier: &'static str,
    pub(super) event_sign_in: &'static str,
    pub(super) event_sign_in_failed: &'static str,
    pub(super) event_second_factor_required: &'static str,
    pub(super) event_sign_out: &'static str,
    pub(super) event_authorize: &'static str,
    pub(super) event_consent: &'static str,
    pub(super) event_consent_refused: &'static str,
    pub(super) event_disconnect: &'static str,
    pub(super) event_disconnect_by_administrator: &'static str,
    pub(super) event_device: &'static str,
    pub(super) event_device_refused: &'static str,
    pub(super) event_second_factor: &'static str,
    pub(super) event_second_factor_failed: &'static str,
    pub(super) event_second_factor_enrol: &'static str,
    pub(super) event_second_factor_replace: &'static str,
    pub(super) event_trusted_devices_forget: &'static str,
    pub(super) event_second_factor_remove: &'static str,
    pub(super) event_second_factor_reset: &'static str,
    pub(super) event_recovery_codes: &'static str,
    pub(super) event_invitation: &'static str,
    pub(super) event_password_link: &'static str,
    pub(super) event_password_link_throttled: &'static str,
    pub(super) event_password_reset: &'static str,
    pub(super) event_mail_link: &'static str,
    pub(super) event_mail_link_throttled: &'static str,
    pub(super) event_mail_change: &'static str,
    pub(super) event_mail_change_taken: &'static str,
    pub(super) event_session_end: &'static str,
    pub(super) event_session_end_by_administrator: &'static str,
    pub(super) event_session_end_others: &'static str,
    pub(super) event_session_end_all: &'static str,
    pub(super) event_session_end_all_by_administrator: &'static str,

    // pages that say why something was not done
    pub(super) ended_title: &'static str,
    pub(super) ended: &'static str,
    pub(super) no_session_title: &'static str,
    pub(super) no_session: &'static str,
    pub(super) no_current_title: &'static str,
    pub(super) no_current: &'static str,
}
