//! What the administration pages share, and what those for users and groups say, in each language.

mod de;
mod en;
mod fr;

#[cfg(test)]
mod tests;

use web::i18n::Language;

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
    pub(super) second_factor_needed: &'static str,
    /// The link to the sign-in.
    pub(super) sign_in_again: &'static str,
    pub(super) gone_title: &'static str,
    pub(super) gone: &'static str,
    pub(super) refused_title: &'static str,
    pub(super) refused: &'static str,
    // INSERT
}
