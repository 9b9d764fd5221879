//! What the pages say, in each language.

mod de;
mod en;
pub(super) mod factor;
mod fr;
pub(super) mod link;
pub(super) mod mail_link;
pub(super) mod passkey;
pub(super) mod security;

use web::i18n::{Language, Phrase};

#[cfg(test)]
mod tests;

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
    /// The button that goes on.
    pub(super) next: &'static str,
    /// The link to what an application does with data.
    pub(super) policy: &'static str,
    /// The link to an application's terms.
    pub(super) terms: &'static str,
    /// Who is signed in.
    pub(super) signed_in_as: Phrase,
    /// Above the warning about an application that registered itself.
    pub(super) unverified_title: &'static str,
    /// That warning.
    pub(super) unverified: &'static str,
    /// From which host an application describes itself.
    pub(super) described_at: Phrase,
    /// Where the answer goes.
    pub(super) destination: Phrase,

    // signing in
    /// The heading.
    pub(super) sign_in_title: &'static str,
    /// For which application.
    pub(super) sign_in_to: Phrase,
    /// The field.
    pub(super) username: &'static str,
    /// The field.
    pub(super) password: &'static str,
    /// The box.
    pub(super) remember: &'static str,
    /// The button.
    pub(super) sign_in: &'static str,
    /// The heading where a signed-in user has to enter the password again.
    pub(super) again_title: &'static str,
    /// Why, if an application demands it.
    pub(super) again_requested: Phrase,
    /// Why, if the sign-in is too old.
    pub(super) again_too_old: Phrase,
    /// For which application it is too old.
    pub(super) again_for: Phrase,
    /// The button that shows the password.
    pub(super) show_password: &'static str,
    /// The button that goes back to the application.
    pub(super) cancel: &'static str,
    pub(super) wrong_credentials: &'static str,
    pub(super) too_many: Phrase,
    pub(super) cannot_now: &'static str,
    pub(super) form_expired: &'static str,

    // choosing an account
    /// The heading.
    pub(super) account_title: &'static str,
    /// The button.
    pub(super) continue_as: Phrase,
    /// The other button.
    pub(super) other_account: &'static str,

    // consent
    /// The title of the window.
    pub(super) consent_title: &'static str,
    /// The heading.
    pub(super) consent_heading: Phrase,
    /// Above what it asks for.
    pub(super) consent_list: &'static str,
    /// The button.
    pub(super) allow: &'static str,
    /// The other button.
    pub(super) deny: &'static str,
    /// The text before the link to the list of consents.
    pub(super) consent_later: &'static str,

    // what applications ask for
    /// `openid`
    pub(super) openid: &'static str,
    pub(super) openid_means: &'static str,
    /// `profile`
    pub(super) profile: &'static str,
    pub(super) profile_means: &'static str,
    /// `email`
    pub(super) email: &'static str,
    pub(super) email_means: &'static str,
    /// `address`
    pub(super) address: &'static str,
    pub(super) address_means: &'static str,
    /// `phone`
    pub(super) phone: &'static str,
    pub(super) phone_means: &'static str,
    /// `offline_access`
    pub(super) offline: &'static str,
    pub(super) offline_means: &'static str,
    /// `groups`
    pub(super) groups: &'static str,
    pub(super) groups_means: &'static str,
    pub(super) whole_account: &'static str,
    pub(super) whole_account_means: &'static str,
    pub(super) tokens: &'static str,
    pub(super) tokens_means: &'static str,
    /// `roles`
    pub(super) roles: &'static str,
    pub(super) roles_means: &'static str,
    /// A scope of which nothing more is known than its name.
    pub(super) other_means: &'static str,

    // signing out
    /// The heading.
    pub(super) sign_out_title: &'static str,
    /// Where an application asks for it.
    pub(super) sign_out_asked: Phrase,
    /// Where no application is known to request it.
    pub(super) sign_out_plain: &'static str,
    /// The button.
    pub(super) sign_out: &'static str,
    /// The other button.
    pub(super) stay: &'static str,
    /// The heading afterwards.
    pub(super) signed_out_title: &'static str,
    /// What to do then.
    pub(super) signed_out: &'static str,
    /// The link to the front page.
    pub(super) front_page: &'static str,
    /// Where the browser is on its way back.
    pub(super) back_soon: &'static str,

    // devices
    /// The heading.
    pub(super) device_title: &'static str,
    /// What to do.
    pub(super) device_enter: &'static str,
    /// The field.
    pub(super) device_code: &'static str,
    pub(super) device_wrong: &'static str,
    /// The heading once the code is known.
    pub(super) device_heading: Phrase,
    /// Above the code.
    pub(super) device_compare: &'static str,
    /// The heading afterwards.
    pub(super) device_done_title: &'static str,
    /// What to do then.
    pub(super) device_done: &'static str,
    /// The heading if it was denied.
    pub(super) device_denied_title: &'static str,
    /// What to do then.
    pub(super) device_denied: &'static str,

    // a code that is carried by hand
    /// The heading.
    pub(super) code_title: &'static str,
    /// What to do.
    pub(super) code_carry: &'static str,
    /// What to mind.
    pub(super) code_care: &'static str,
    /// The button that copies it.
    pub(super) copy: &'static str,
    /// What the button says then.
    pub(super) copied: &'static str,
    /// The heading where there is none.
    pub(super) code_failed_title: &'static str,
    /// What to do then.
    pub(super) code_failed: &'static str,

    // applications that were let in
    /// The heading.
    pub(super) consents_title: &'static str,
    /// Whose.
    pub(super) consents_of: Phrase,
    /// Where there are none.
    pub(super) consents_none: &'static str,
    /// Since when.
    pub(super) since: Phrase,
    /// The button.
    pub(super) remove: &'static str,

    /// The button that ends everything.
    pub(super) everywhere: &'static str,
    /// What that ends.
    pub(super) everywhere_means: &'static str,

    // on the way back
    /// The heading.
    pub(super) moment_title: &'static str,

    // what went wrong
    /// Above what is meant for developers.
    pub(super) details: &'static str,
    pub(super) bad_request_title: &'static str,
    pub(super) bad_request: &'static str,
    pub(super) expired_title: &'static str,
    pub(super) expired: &'static str,
    pub(super) forgery_title: &'static str,
    pub(super) forgery: &'static str,
    /// The passkeys of the user are for another host.
    pub(super) factors_unusable_title: &'static str,
    pub(super) factors_unusable: &'static str,
    pub(super) denied_title: &'static str,
    pub(super) denied: &'static str,
    pub(super) not_found_title: &'static str,
    pub(super) not_found: &'static str,
    pub(super) unavailable_title: &'static str,
    pub(super) unavailable: &'static str,
    pub(super) fault_title: &'static str,
    pub(super) fault: &'static str,
}
