//! Events of an account in plain words.

use super::access_words::AccessWords;

/// What an event says; its name and its outcome if it is not known here.
pub(super) fn describe(texts: &AccessWords, event: &str, outcome: &str) -> String {
    let text = match (event, outcome) {
        ("sign_in", "success") => texts.event_sign_in,
        ("sign_in", "failure") => texts.event_sign_in_failed,
        ("sign_in", "second_factor_required") => texts.event_second_factor_required,
        ("sign_out", _) => texts.event_sign_out,
        ("authorize", "success") => texts.event_authorize,
        ("consent", "success") => texts.event_consent,
        ("consent", "refused") => texts.event_consent_refused,
        ("consent", "taken_back") | ("disconnect", _) => texts.event_disconnect,
        ("disconnect_by_administrator", _) => texts.event_disconnect_by_administrator,
        ("device", "done") => texts.event_device,
        ("device", "refused") => texts.event_device_refused,
        ("second_factor", "success") => texts.event_second_factor,
        ("second_factor", "failure") => texts.event_second_factor_failed,
        ("second_factor_enrol", _) => texts.event_second_factor_enrol,
        ("second_factor_replace", _) => texts.event_second_factor_replace,
        ("trusted_devices_forget", _) => texts.event_trusted_devices_forget,
        ("second_factor_remove", _) => texts.event_second_factor_remove,
        ("second_factor_reset", _) => texts.event_second_factor_reset,
        ("recovery_codes_replace", _) => texts.event_recovery_codes,
        ("invitation", _) => texts.event_invitation,
        ("password_reset_request", "throttled") => texts.event_password_link_throttled,
        ("password_reset_request", _) => texts.event_password_link,
        ("password_reset", _) => texts.event_password_reset,
        ("mail_change_request", "throttled") => texts.event_mail_link_throttled,
        ("mail_change_request", _) => texts.event_mail_link,
        ("mail_change", "taken") => texts.event_mail_change_taken,
        ("mail_change", _) => texts.event_mail_change,
        ("session_end", _) => texts.event_session_end,
        ("session_end_by_administrator", _) => texts.event_session_end_by_administrator,
        ("session_end_others", _) => texts.event_session_end_others,
        ("session_end_all", _) => texts.event_session_end_all,
        ("session_end_all_by_administrator", _) => texts.event_session_end_all_by_administrator,
        _ => return format!("{event} ({outcome})"),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use web::i18n::Language;

    use super::super::access_words::access_words;
    use super::*;

    #[test]
    fn events_are_described_in_plain_words() {
        let describe = |event, outcome| describe(access_words(Language::English), event, outcome);
        assert_eq!(describe("sign_in", "success"), "Signed in");
        assert_eq!(describe("consent", "refused"), "Refused access to an application");
        assert_eq!(describe("session_end_all", "done"), "Signed out everywhere");
        assert_eq!(describe("invitation", "done"), "An administrator sent you an invitation");
        assert_eq!(describe("password_reset_request", "success"), "Link for a forgotten password requested");
        assert_eq!(
            describe("password_reset_request", "throttled"),
            "Too many links for a forgotten password requested"
        );
        assert_eq!(describe("password_reset", "success"), "Password set by a link in a mail");
        assert_eq!(describe("mail_change_request", "success"), "Link to another mail address requested");
        assert_eq!(describe("mail_change_request", "throttled"), "Too many links to another mail address requested");
        assert_eq!(describe("mail_change", "success"), "Mail address changed by a link in a mail");
        assert_eq!(describe("mail_change", "taken"), "Mail address not changed: another account has it");
        assert_eq!(describe("key_added", "done"), "key_added (done)", "an event of a later version");
    }
}
