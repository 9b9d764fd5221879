//! Every page, filled with a text.

use super::*;

/// Every page but that of `form_post`, with `text` in every place that the page does not control.
pub(super) fn pages(context: &PageContext<'_>, text: &str) -> Vec<Response> {
    let client = client(text, Source::Registered);
    let scopes =
        ["openid", "profile", "offline_access", text].map(|name| RequestedScope { name, optional: name != "openid" });
    let redirect_uri = Some(REDIRECT);
    let user = user(text);
    let too_old = Some(UNIX_EPOCH + Duration::from_hours(1));
    let [requested, old] = [None, too_old].map(|too_old| Reauthentication { user: Arc::new(user.clone()), too_old });
    let options = CeremonyOptions { options: text.to_owned(), ceremony: text.to_owned() };
    let form = |error, again| SignIn {
        flow: text,
        csrf: text,
        cancel: text,
        username: text,
        client: Some(&client),
        redirect_uri,
        error,
        remember: true,
        can_reset: true,
        again,
        passkey: Some(PasskeyPrompt { options: &options, script: PASSKEY_SCRIPT }),
    };
    let row = ConsentRow {
        client_id: text,
        name: text,
        scopes: scopes.to_vec(),
        since: LocalizedTime::day(UNIX_EPOCH, context.language),
    };
    let wrong = RequestError { code: ErrorCode::InvalidScope, description: text.to_owned().into(), reply: None };
    let hidden = [("state", text), (text, "value")];
    let confirm = DeviceConfirm { csrf: text, user_code: text, client: &client, scopes: &scopes, person: text };
    let mut pages = vec![
        sign_in(context, &SignIn::default()),
        sign_in(context, &form(None, None)),
        sign_in(context, &form(Some(SignInError::WrongCredentials), None)),
        sign_in(context, &form(Some(SignInError::TooMany { retry_after: 120 }), Some(&requested))),
        sign_in(context, &form(None, Some(&old))),
        sign_in(context, &form(Some(SignInError::Unavailable), None)),
        sign_in(context, &form(Some(SignInError::Expired), None)),
        sign_in(context, &form(Some(SignInError::Passkey), None)),
        consent(
            context,
            &Consent { flow: text, csrf: text, client: &client, person: text, scopes: &scopes, redirect_uri },
        ),
        account(context, &Account { flow: text, csrf: text, cancel: text, user: &user, client: &client, redirect_uri }),
        confirm_sign_out(context, &SignOut { csrf: text, client_name: Some(text), hidden: &hidden, redirect_uri }),
        confirm_sign_out(context, &SignOut::default()),
        signed_out(context, &[format!("https://app.example/out?{text}")], Some(&format!("{REDIRECT}?state={text}"))),
        signed_out(context, &[], None),
        device_code(context, text, text, None),
        device_code(context, text, text, Some(CodeError::Wrong)),
        device_code(context, text, text, Some(CodeError::TooMany { retry_after: 30 })),
        device_code(context, text, text, Some(CodeError::Unavailable)),
        device_code(context, text, text, Some(CodeError::Expired)),
        device_confirm(context, &confirm),
        device_done(context, true),
        device_done(context, false),
        out_of_band(context, Ok(text)),
        out_of_band(context, Err((text, text))),
        consents(context, FormTokens { remove: text, sign_out: text }, text, &[row]),
        consents(context, FormTokens { remove: text, sign_out: text }, text, &[]),
        message(context, StatusCode::IM_A_TEAPOT, text, text),
        error(context, &wrong),
    ];
    pages.extend(factor_pages(context, text));
    pages.extend(passkey_pages(context, text));
    pages.extend(Notice::ALL.map(|what| notice(context, what)));
    pages
}

/// The pages for second factors.
fn factor_pages(context: &PageContext<'_>, text: &str) -> Vec<Response> {
    let enrolment = enrolment(text);
    let redirect_uri = Some(REDIRECT);
    let errors = [
        None,
        Some(FactorError::Wrong),
        Some(FactorError::TooMany { retry_after: 30 }),
        Some(FactorError::Expired),
        Some(FactorError::Passkey),
    ];
    let options = CeremonyOptions { options: text.to_owned(), ceremony: text.to_owned() };
    let passkey = Some(PasskeyPrompt { options: &options, script: PASSKEY_SCRIPT });
    let form = FactorCode { flow: text, csrf: text, cancel: text, redirect_uri, ..FactorCode::default() };
    let choices = [(CodeField::RecoveryCode, passkey), (CodeField::Nothing, passkey), (CodeField::Nothing, None)];
    let choices = choices.map(|(code, passkey)| factor_code(context, &FactorCode { code, passkey, ..form }));
    let forms = errors.into_iter().flat_map(|error| {
        let code = FactorCode { error, passkey, ..form };
        let enrol =
            FactorEnrolment { flow: text, csrf: text, cancel: text, redirect_uri, error, enrolment: &enrolment };
        [factor_code(context, &code), factor_enrolment(context, &enrol)]
    });
    forms
        .chain(choices)
        .chain([recovery_codes(context, &[text.to_owned()], text)])
        .chain(security::pages(context, text))
        .collect()
}

/// The list of passkeys.
fn passkey_pages(context: &PageContext<'_>, text: &str) -> Vec<Response> {
    let options = CeremonyOptions { options: text.to_owned(), ceremony: text.to_owned() };
    let day = || LocalizedTime::day(UNIX_EPOCH, context.language);
    let rows = [Some(day()), None].map(|used| PasskeyRow {
        id: text.to_owned(),
        label: text,
        added: day(),
        is_for_another_address: used.is_none(),
        used,
    });
    let list = Passkeys { csrf: text, rows: &rows, options: Some(&options), script: PASSKEY_SCRIPT, error: None };
    let errors = [
        PasskeyListError::Refused,
        PasskeyListError::Expired,
        PasskeyListError::LimitReached,
        PasskeyListError::Needed,
    ];
    let with_errors = errors.map(|error| passkeys(context, &Passkeys { error: Some(error), ..list }));
    let empty = Passkeys { rows: &[], options: None, ..list };
    [passkeys(context, &list), passkeys(context, &empty)].into_iter().chain(with_errors).collect()
}

pub(super) fn enrolment(text: &str) -> Enrolment {
    Enrolment {
        handle: text.to_owned(),
        secret: text.to_owned(),
        address: text.to_owned(),
        picture: "data:image/svg+xml;base64,eA==".to_owned(),
    }
}
