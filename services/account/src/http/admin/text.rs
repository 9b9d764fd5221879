//! What the administration pages share, and what those for users and groups say, in each language.

mod de;
mod en;
mod fr;

#[cfg(test)]
mod tests;

use web::i18n::{Language, Phrase};

/// What these pages say in this language.
pub(super) const fn text(language: Language) -> &'static AdminText {
    match language {
        Language::English => &en::TEXT,
        Language::German => &de::TEXT,
        Language::French => &fr::TEXT,
    }
}

/// All that these pages say in one language, beyond what all pages of this service say.
#[derive(Debug)]
pub(super) struct AdminText {
    /// The link to the administration.
    pub(super) administration: &'static str,

    // pages that say why something was not done
    pub(super) sign_in_again_title: &'static str,
    pub(super) recent_needed: &'static str,
    /// Above a form that still has what was entered.
    pub(super) recent_needed_again: &'static str,
    pub(super) second_factor_needed: &'static str,
    /// The credential comes from no session of idp.
    pub(super) no_session: &'static str,
    /// There is no idp.
    pub(super) no_provider: &'static str,
    /// The link to the sign-in.
    pub(super) sign_in_again: &'static str,
    pub(super) gone_title: &'static str,
    pub(super) gone: &'static str,
    /// Done, but a part is left that a repetition does.
    pub(super) partly_done_title: &'static str,
    pub(super) partly_done: &'static str,
    /// For a user who is named in an address.
    pub(super) unknown_user: &'static str,
    pub(super) refused_title: &'static str,
    pub(super) refused: &'static str,

    // lists
    /// The link to the users.
    pub(super) users: &'static str,
    /// The link to the groups.
    pub(super) groups: &'static str,
    /// The button of a search.
    pub(super) search: &'static str,
    pub(super) search_users: &'static str,
    pub(super) search_groups: &'static str,
    pub(super) users_none: &'static str,
    pub(super) groups_none: &'static str,
    pub(super) first_page: &'static str,
    pub(super) save: &'static str,
    pub(super) remove: &'static str,
    /// Above a form with errors.
    pub(super) not_saved: &'static str,
    /// At a value that someone else has changed, with what is stored now.
    pub(super) changed_meanwhile: Phrase,

    // a new user
    pub(super) new_user: &'static str,
    pub(super) create_user: &'static str,
    pub(super) username_hint: &'static str,
    pub(super) role: &'static str,
    pub(super) new_password: &'static str,
    /// Before what a password has to be like.
    pub(super) password_optional: &'static str,
    pub(super) show_password: &'static str,
    /// The choice to invite a new user.
    pub(super) invite: &'static str,
    pub(super) invite_hint: &'static str,
    pub(super) invite_needs_mail: &'static str,
    pub(super) invite_without_password: &'static str,
    pub(super) username_taken: &'static str,
    pub(super) username_invalid: &'static str,
    pub(super) mail_taken: &'static str,
    pub(super) mail_invalid: &'static str,
    pub(super) display_name_invalid: &'static str,

    // a user
    pub(super) edit_user: &'static str,
    pub(super) status: &'static str,
    pub(super) active: &'static str,
    pub(super) disabled: &'static str,
    pub(super) updated: &'static str,
    pub(super) identifier: &'static str,
    pub(super) read_only: &'static str,
    /// The link to sessions and applications.
    pub(super) access: &'static str,
    pub(super) activity: &'static str,
    /// The link to the profile of a user.
    pub(super) profile: &'static str,
    pub(super) change_roles: &'static str,
    pub(super) roles_lead: &'static str,
    pub(super) set_password: &'static str,
    pub(super) set_password_lead: &'static str,
    pub(super) user_saved: &'static str,
    pub(super) user_created: &'static str,
    pub(super) user_created_without_password: &'static str,
    pub(super) user_created_invited: &'static str,
    pub(super) user_created_uninvited: &'static str,
    pub(super) user_deleted: &'static str,
    pub(super) roles_changed: &'static str,
    pub(super) groups_changed: &'static str,
    pub(super) password_set: &'static str,
    pub(super) own_account: &'static str,
    pub(super) no_such_group: &'static str,
    pub(super) add_to_group: &'static str,
    pub(super) sessions_none: &'static str,
    pub(super) applications_none: &'static str,
    pub(super) application_disconnected: &'static str,

    // acts
    pub(super) sign_out_user: ActText,
    pub(super) reset_factors: ActText,
    pub(super) remove_password: ActText,
    pub(super) send_invitation: ActText,
    pub(super) disable: ActText,
    pub(super) enable: ActText,
    pub(super) delete_user: ActText,
    pub(super) delete_group: ActText,
    /// Above the form that deletes a user, after which something is left.
    pub(super) delete_unfinished: &'static str,
    /// The parts that are removed, as they are called here.
    pub(super) removed_so_far: Phrase,
    pub(super) part_password: &'static str,
    pub(super) part_second_factors: &'static str,
    pub(super) part_app_tokens: &'static str,
    pub(super) part_user: &'static str,
    pub(super) part_sessions: &'static str,
    pub(super) type_username: &'static str,
    pub(super) type_group: &'static str,
    pub(super) type_hint: Phrase,
    pub(super) type_wrong: &'static str,

    // a group
    pub(super) new_group: &'static str,
    pub(super) create_group: &'static str,
    pub(super) group_name: &'static str,
    pub(super) rename_group: &'static str,
    pub(super) members: &'static str,
    pub(super) members_none: &'static str,
    pub(super) add_member: &'static str,
    pub(super) no_such_user: &'static str,
    pub(super) group_taken: &'static str,
    pub(super) group_invalid: &'static str,
    pub(super) group_created: &'static str,
    pub(super) group_renamed: &'static str,
    pub(super) group_deleted: &'static str,
    pub(super) members_changed: &'static str,
}

/// What is said of an act that has to be confirmed.
#[derive(Debug)]
pub(super) struct ActText {
    /// The link to it, and the button that does it.
    pub(super) link: &'static str,
    /// The question.
    pub(super) title: &'static str,
    /// What it means.
    pub(super) means: &'static str,
    /// What is said when it is done.
    pub(super) done: &'static str,
}
