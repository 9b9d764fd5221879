//! What the pages for profile and password say, in each language.

mod de;
mod en;
mod fr;

#[cfg(test)]
mod tests;

use web::i18n::{Language, Phrase};

/// What these pages say in this language.
pub(super) const fn text(language: Language) -> &'static SelfServiceText {
    match language {
        Language::English => &en::TEXT,
        Language::German => &de::TEXT,
        Language::French => &fr::TEXT,
    }
}

/// All that these pages say in one language, beyond what all pages of this service say.
#[derive(Debug)]
pub(super) struct SelfServiceText {
    // the profile
    /// The link to the profile.
    pub(super) profile: &'static str,
    pub(super) profile_title: &'static str,
    pub(super) profile_lead: &'static str,
    pub(super) profile_saved: &'static str,
    pub(super) profile_errors: &'static str,
    /// At a value that someone else has changed, with what is stored now.
    pub(super) changed_meanwhile: Phrase,
    pub(super) save: &'static str,
    /// The heading of what the user only reads.
    pub(super) fixed_title: &'static str,
    pub(super) fixed: &'static str,
    /// The day of the last change follows.
    pub(super) updated: &'static str,
    pub(super) display_name: &'static str,
    pub(super) given_name: &'static str,
    pub(super) family_name: &'static str,
    pub(super) middle_name: &'static str,
    pub(super) nickname: &'static str,
    pub(super) profile_page: &'static str,
    pub(super) picture: &'static str,
    pub(super) website: &'static str,
    pub(super) gender: &'static str,
    pub(super) birthdate: &'static str,
    pub(super) zoneinfo: &'static str,
    pub(super) locale: &'static str,
    pub(super) phone_number: &'static str,
    /// A verified number.
    pub(super) phone_number_verified: &'static str,
    /// The heading of the members of the address.
    pub(super) address: &'static str,
    pub(super) address_formatted: &'static str,
    pub(super) address_street: &'static str,
    pub(super) address_locality: &'static str,
    pub(super) address_region: &'static str,
    pub(super) address_postal_code: &'static str,
    pub(super) address_country: &'static str,

    // how values have to look
    pub(super) url_hint: &'static str,
    pub(super) birthdate_hint: &'static str,
    pub(super) zoneinfo_hint: &'static str,
    pub(super) locale_hint: &'static str,
    pub(super) phone_number_hint: &'static str,
    pub(super) address_formatted_hint: &'static str,

    // what is wrong with them
    pub(super) display_name_error: &'static str,
    pub(super) text_error: &'static str,
    pub(super) url_error: &'static str,
    pub(super) birthdate_error: &'static str,
    pub(super) zoneinfo_error: &'static str,
    pub(super) locale_error: &'static str,
    pub(super) phone_number_error: &'static str,

    // the mail address
    /// The link to the form.
    pub(super) mail_change: &'static str,
    pub(super) mail_title: &'static str,
    pub(super) mail_lead: &'static str,
    pub(super) mail_current: &'static str,
    pub(super) mail_new: &'static str,
    /// The button.
    pub(super) mail_send: &'static str,
    /// The link to the profile.
    pub(super) mail_back: &'static str,
    pub(super) mail_not_sent: &'static str,
    pub(super) mail_error: &'static str,
    pub(super) mail_sent_title: &'static str,
    /// With the new address.
    pub(super) mail_sent: Phrase,

    // a sign-in that is too old
    pub(super) sign_in_again_title: &'static str,
    pub(super) recent_needed: &'static str,
    /// The credential comes from no session of the provider.
    pub(super) no_session: &'static str,

    // the password
    /// The link to the page.
    pub(super) password: &'static str,
    pub(super) password_title: &'static str,
    pub(super) password_lead: &'static str,
    pub(super) old_password: &'static str,
    pub(super) new_password: &'static str,
    pub(super) new_password_hint: Phrase,
    /// The button that shows it.
    pub(super) show_old_password: &'static str,
    /// The button that shows it.
    pub(super) show_new_password: &'static str,
    /// The button.
    pub(super) change_password: &'static str,
    pub(super) elsewhere: &'static str,
    pub(super) changed_title: &'static str,
    pub(super) changed: &'static str,
    /// The link to the sign-in.
    pub(super) sign_in_again: &'static str,
    pub(super) not_changed: &'static str,
    pub(super) old_password_missing: &'static str,
    pub(super) old_password_wrong: &'static str,
    pub(super) unchanged: &'static str,
    pub(super) throttled: Phrase,
    pub(super) uncertain: &'static str,
    /// The directory has rules for passwords, and this one violates them.
    pub(super) directory_quality: &'static str,
    /// The directory remembers old passwords.
    pub(super) directory_history: &'static str,
    /// The directory demands time between two changes.
    pub(super) directory_too_soon: &'static str,
    /// The directory does not let the user do it.
    pub(super) directory_not_permitted: &'static str,

    // what is wrong with a new password
    pub(super) weakness_short: Phrase,
    pub(super) weakness_long: &'static str,
    pub(super) weakness_control_characters: &'static str,
    pub(super) weakness_app_token: &'static str,
    pub(super) weakness_common: &'static str,
    pub(super) weakness_pattern: &'static str,
    pub(super) weakness_context: &'static str,
    pub(super) weakness_guessable: &'static str,
    /// A reason that is not known here.
    pub(super) weakness_other: &'static str,
    /// The score follows.
    pub(super) strength: &'static str,
    pub(super) strength_very_weak: &'static str,
    pub(super) strength_weak: &'static str,
    pub(super) strength_fair: &'static str,
    pub(super) strength_good: &'static str,
    pub(super) strength_very_good: &'static str,
}
