//! Every page for sign-in methods.

use super::*;

/// The pages for sign-in methods.
pub(super) fn pages(context: &PageContext<'_>, text: &str) -> Vec<Response> {
    let time = || LocalizedTime::day(UNIX_EPOCH, context.language);
    let none = SecurityStatus {
        app: None,
        is_enrolled: false,
        may_remove: true,
        codes_left: 0,
        devices: 0,
        account_url: None,
    };
    let used = SecurityStatus {
        app: Some(AppStatus { since: time(), used: Some(time()) }),
        is_enrolled: true,
        codes_left: 10,
        devices: 2,
        account_url: Some(text),
        ..none.clone()
    };
    let required =
        SecurityStatus { app: Some(AppStatus { since: time(), used: None }), may_remove: false, ..used.clone() };
    let tokens = SecurityTokens { codes: text, devices: text };
    let enrolment = enrolment(text);
    let form = |replaces, error| security_app(context, &AppForm { csrf: text, replaces, enrolment: &enrolment, error });
    vec![
        security(context, &none, tokens, Some(SecurityNote::Done(SecurityChange::AppRemoved))),
        security(context, &used, tokens, Some(SecurityNote::Done(SecurityChange::DevicesForgotten))),
        security(context, &required, tokens, None),
        security(context, &required, tokens, Some(SecurityNote::Required)),
        form(false, None),
        form(true, Some(FactorError::Wrong)),
        remove_app(context, text),
    ]
}
