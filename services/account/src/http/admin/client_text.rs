//! What the administration pages for clients and signing keys say, in each language.

mod de;
mod en;
mod fr;

#[cfg(test)]
mod tests;

use web::i18n::{Language, Phrase};

/// What these pages say in this language.
pub(super) const fn client_text(language: Language) -> &'static ClientText {
    match language {
        Language::English => &en::TEXT,
        Language::German => &de::TEXT,
        Language::French => &fr::TEXT,
    }
}

/// All that these pages say in one language, beyond what all pages of this service say.
#[derive(Debug)]
pub(super) struct ClientText {
    /// The link to the clients, and the title of their list.
    pub(super) clients: &'static str,
    pub(super) clients_lead: &'static str,
    pub(super) clients_none: &'static str,
    /// The button, and the title of the form.
    pub(super) new_client: &'static str,
    pub(super) client_id: &'static str,
    /// Where a client comes from.
    pub(super) source: &'static str,
    pub(super) built_in: &'static str,
    pub(super) configured: &'static str,
    pub(super) added: &'static str,
    pub(super) registered: &'static str,
    pub(super) document: &'static str,
    pub(super) read_only: &'static str,
    /// The warning on the page of the edge's own client.
    pub(super) edge_client: &'static str,
    /// What an application is.
    pub(super) kind: &'static str,
    pub(super) kind_web: &'static str,
    pub(super) kind_page: &'static str,
    pub(super) kind_native: &'static str,
    pub(super) kind_device: &'static str,
    pub(super) redirect_uris: &'static str,
    pub(super) one_per_line: &'static str,
    pub(super) post_logout_uris: &'static str,
    pub(super) trusted: &'static str,
    pub(super) second_factor: &'static str,
    /// The button of the form.
    pub(super) add_client: &'static str,
    /// The heading of the form on the page of a client.
    pub(super) settings: &'static str,
    /// The heading of the form for experts.
    pub(super) metadata: &'static str,
    pub(super) metadata_hint: &'static str,
    pub(super) metadata_invalid: &'static str,
    pub(super) saved: &'static str,
    pub(super) removed: &'static str,
    /// The link, the title of the page and the button.
    pub(super) new_secret: &'static str,
    pub(super) new_secret_means: &'static str,
    pub(super) former_secret: &'static str,
    pub(super) ends_now: &'static str,
    pub(super) ends_in_a_day: &'static str,
    pub(super) ends_in_a_month: &'static str,
    /// The title of the page that shows a secret.
    pub(super) secret_title: &'static str,
    pub(super) secret_care: &'static str,
    pub(super) copy: &'static str,
    pub(super) copied: &'static str,
    pub(super) issuer: &'static str,
    /// The URL of the metadata of the issuer.
    pub(super) discovery_url: &'static str,
    pub(super) without_secret: &'static str,
    /// The link to the client.
    pub(super) to_client: &'static str,
    /// The link, and the button.
    pub(super) remove: &'static str,
    pub(super) remove_means: &'static str,
    pub(super) type_id: &'static str,
    pub(super) type_wrong: &'static str,
    /// The link to the signing keys, and the title of their list.
    pub(super) keys: &'static str,
    pub(super) keys_lead: &'static str,
    pub(super) algorithm: &'static str,
    pub(super) key_id: &'static str,
    pub(super) state: &'static str,
    pub(super) state_next: &'static str,
    pub(super) state_current: &'static str,
    pub(super) state_retired: &'static str,
    pub(super) state_over: &'static str,
    pub(super) signs_from: &'static str,
    /// Until when what a retired key has signed is valid.
    pub(super) valid_until: &'static str,
    /// The link for a new key of an algorithm.
    pub(super) rotate: Phrase,
    pub(super) rotate_means: &'static str,
    /// The link for a key of an algorithm that signs at once.
    pub(super) rotate_at_once: Phrase,
    pub(super) rotate_at_once_means: &'static str,
    /// The button.
    pub(super) make_key: &'static str,
    pub(super) key_made: &'static str,
    /// The link, the title of the page and the button.
    pub(super) retire: &'static str,
    pub(super) retire_means: &'static str,
    /// The same for a key that does not sign yet.
    pub(super) retire_next_means: &'static str,
    pub(super) key_retired: &'static str,
}
