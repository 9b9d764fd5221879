//! Events of the audit log in plain words, as administrators read them.

use super::super::super::access_words::AccessWords;
use super::super::super::event_text;
use super::super::access_text::AccessText;

/// The events that the filter offers, each with an outcome by which it is described.
const EVENTS: [(&str, &str); 30] = [
    ("sign_in", "success"),
    ("sign_out", "done"),
    ("consent", "success"),
    ("disconnect", "done"),
    ("disconnect_by_administrator", "done"),
    ("device", "done"),
    ("second_factor", "success"),
    ("second_factor_enrol", "done"),
    ("second_factor_remove", "done"),
    ("second_factor_reset", "done"),
    ("recovery_codes_replace", "done"),
    ("invitation", "done"),
    ("password_reset_request", "success"),
    ("password_reset", "success"),
    ("mail_change_request", "success"),
    ("mail_change", "success"),
    ("session_end", "done"),
    ("session_end_others", "done"),
    ("session_end_all", "done"),
    ("session_end_by_administrator", "done"),
    ("session_end_all_by_administrator", "done"),
    ("session_end_every_user", "done"),
    ("client_add", "done"),
    ("client_update", "done"),
    ("client_secret_rotate", "done"),
    ("client_remove", "done"),
    ("initial_access_add", "done"),
    ("signing_key_rotate", "done"),
    ("signing_key_retire", "done"),
    ("audit_export", "done"),
];

/// What happened; an event of a later version by its name and outcome.
pub(super) fn describe(texts: &AccessText, words: &AccessWords, event: &str, outcome: &str) -> String {
    let text = match (event, outcome) {
        ("session_end_by_administrator", _) => texts.event_session_end,
        ("session_end_all_by_administrator", _) => texts.event_session_end_all,
        ("session_end_every_user", "begun") => texts.event_every_user_begun,
        ("session_end_every_user", _) => texts.event_every_user,
        ("disconnect_by_administrator", _) => texts.event_disconnect,
        ("second_factor_reset", _) => texts.event_second_factor_reset,
        ("invitation", _) => texts.event_invitation,
        ("client_add", _) => texts.event_client_add,
        ("client_update", _) => texts.event_client_update,
        ("client_secret_rotate", _) => texts.event_client_secret,
        ("client_remove", _) => texts.event_client_remove,
        ("initial_access_add", _) => texts.event_initial_access,
        ("signing_key_rotate", _) => texts.event_key_rotate,
        ("signing_key_retire", _) => texts.event_key_retire,
        ("audit_export", _) => texts.event_audit_export,
        _ => return event_text::describe(words, event, outcome),
    };
    text.to_owned()
}

/// The names of events, and what they are called.
pub(super) fn choices(
    texts: &'static AccessText,
    words: &'static AccessWords,
) -> impl Iterator<Item = (&'static str, String)> {
    EVENTS.into_iter().map(|(event, outcome)| (event, describe(texts, words, event, outcome)))
}

/// An outcome that the filter offers, in plain words.
pub(super) fn outcome<'a>(texts: &AccessText, outcome: &'a str) -> &'a str {
    match outcome {
        "success" => texts.outcome_success,
        "failure" => texts.outcome_failure,
        "done" => texts.outcome_done,
        "refused" => texts.outcome_refused,
        "begun" => texts.outcome_begun,
        "cancelled" => texts.outcome_cancelled,
        "taken_back" => texts.outcome_taken_back,
        "second_factor_required" => texts.outcome_second_factor_required,
        "throttled" => texts.outcome_throttled,
        "no_password" => texts.outcome_no_password,
        "taken" => texts.outcome_taken,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use web::i18n::Language;

    use super::super::super::super::access_words::access_words;
    use super::super::super::access_text::access_text;
    use super::*;

    #[test]
    fn every_event_of_the_filter_has_a_description_of_its_own() {
        for language in Language::ALL {
            let mut texts: Vec<_> = choices(access_text(language), access_words(language)).collect();
            for (event, text) in &texts {
                assert!(!text.contains(&format!("{event} (")), "{language:?}: {text}");
            }
            texts.sort_by(|(_, one), (_, other)| one.cmp(other));
            texts.dedup_by(|(_, one), (_, other)| one == other);
            assert_eq!(texts.len(), EVENTS.len(), "{language:?}");
        }
    }
}
