//! What the page with the health of the services says, in each language.

mod de;
mod en;
mod fr;

#[cfg(test)]
mod tests;

use web::i18n::{Language, Phrase};

/// What this page says in this language.
pub(super) const fn health_text(language: Language) -> &'static HealthText {
    match language {
        Language::English => &en::TEXT,
        Language::German => &de::TEXT,
        Language::French => &fr::TEXT,
    }
}

/// All that this page says in one language.
#[derive(Debug)]
pub(super) struct HealthText {
    /// The link to the page.
    pub(super) health: &'static str,
    pub(super) health_title: &'static str,
    pub(super) all_ready: &'static str,
    pub(super) some_not_ready: Phrase,
    pub(super) some_unknown: Phrase,
    pub(super) service: &'static str,
    pub(super) state: &'static str,
    pub(super) problem: &'static str,
    pub(super) since: &'static str,
    pub(super) version: &'static str,
    pub(super) ready: &'static str,
    pub(super) not_ready: &'static str,
    /// Stands for what is not known of a service in another process.
    pub(super) unknown: &'static str,
    pub(super) database: &'static str,
    pub(super) ldap: &'static str,
    pub(super) clock: &'static str,
    pub(super) starting: &'static str,
    pub(super) shutting_down: &'static str,
    /// What is not well, by its name in the log.
    pub(super) other_check: Phrase,
    pub(super) remote_not_ready: &'static str,
    pub(super) remote_unknown: &'static str,
    pub(super) remote_unreachable: &'static str,
    pub(super) remote_no_answer: &'static str,
    pub(super) others: &'static str,
    pub(super) certificates: &'static str,
    pub(super) listener: &'static str,
    pub(super) valid_from: &'static str,
    pub(super) valid_until: &'static str,
    pub(super) certificate_valid: &'static str,
    pub(super) certificate_ends_soon: &'static str,
    pub(super) certificate_early: &'static str,
    pub(super) certificate_expired: &'static str,
    pub(super) keys: &'static str,
    pub(super) key_id: &'static str,
    pub(super) algorithm: &'static str,
    pub(super) signs_since: &'static str,
}
