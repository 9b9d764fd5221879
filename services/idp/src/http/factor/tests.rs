//! Signing in with a second factor, as a browser does it.

mod replay;

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::engine::factors::totp::STEP;
use crate::engine::factors::{passkey as passkeys, recovery_code};
use crate::store::EventFilter;
use crate::testing::authenticator::{Authenticator, options_of};
use crate::testing::{Bench, Browser, EINSTEIN, MailBox, PASSWORD as RELATIVITY, Reply, totp_code};
use oidc::jose::UnverifiedJwt;

const BACK: &str = "https://app.example/back";

/// A provider with the client `app`, and with these settings changed.
async fn bench(change: impl FnOnce(&mut crate::Config), more: Value) -> Bench {
    let bench = Bench::with(change).await;
    let mut metadata = json!({
        "pkce": "optional", "consent": "trusted", "grant_types": ["authorization_code", "refresh_token"],
    });
    metadata.as_object_mut().expect("members").extend(more.as_object().expect("members").clone());
    bench.add("app", &metadata).await;
    bench
}

async fn plain_bench() -> Bench {
    bench(|_| (), json!({})).await
}

fn answered(reply: &Reply, name: &str) -> Option<String> {
    let (_, query) = reply.location()?.split_once(['?', '#'])?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
}

#[track_caller]
fn flow(reply: &Reply) -> String {
    answered(reply, "flow").unwrap_or_else(|| panic!("no flow: {} {:?} {}", reply.status, reply.location(), reply.text))
}

async fn authorize(bench: &Bench, browser: &mut Browser, more: &[(&str, &str)]) -> Reply {
    let query = [("client_id", "app"), ("response_type", "code"), ("redirect_uri", BACK), ("scope", "openid")];
    bench.get(browser, bench.endpoints().paths.authorization, &[query.as_slice(), more].concat()).await
}

async fn show_page(bench: &Bench, browser: &mut Browser, flow: &str) -> Reply {
    bench.get(browser, page::SIGN_IN, &[("flow", flow)]).await
}

/// Sends the form of a page.
async fn send(bench: &Bench, browser: &mut Browser, form: &Reply, path: &str, more: &[(&str, &str)]) -> Reply {
    let csrf = form.csrf();
    let sealed = form.field("flow").expect("a flow").to_owned();
    let fields = [("flow", sealed.as_str()), ("csrf", csrf.as_str())];
    bench.post(browser, path, &[fields.as_slice(), more].concat()).await
}

/// Sends the form that cancels.
async fn cancel(bench: &Bench, browser: &mut Browser, page: &Reply) -> Reply {
    let form = page.text.split("<form ").find(|form| form.contains(page::CANCEL)).expect("can be cancelled");
    let [sealed, csrf] = ["flow", "csrf"].map(|name| {
        let (_, rest) = form.split_once(&format!("name=\"{name}\" value=\"")).expect("a field");
        rest.split_once('"').expect("a value").0
    });
    bench.post(browser, page::CANCEL, &[("flow", sealed), ("csrf", csrf)]).await
}

/// Sends the right password, from an authorization request on.
async fn give_password(bench: &Bench, browser: &mut Browser, more: &[(&str, &str)]) -> Reply {
    let reply = authorize(bench, browser, more).await;
    let form = show_page(bench, browser, &flow(&reply)).await;
    send(bench, browser, &form, page::LOGON, &[("username", "einstein"), ("password", RELATIVITY)]).await
}

/// The claims of the ID token and the whole answer.
async fn redeem(bench: &Bench, reply: &Reply) -> (Value, Value) {
    let code = answered(reply, "code").unwrap_or_else(|| panic!("no code: {:?} {}", reply.location(), reply.text));
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK), ("client_id", "app")];
    let answer = bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await.is(200);
    (claims(&answer["id_token"]), answer)
}

fn claims(token: &Value) -> Value {
    let jwt = UnverifiedJwt::parse(token.as_str().expect("a token")).expect("a JWT");
    Value::Object(jwt.claims().clone())
}

fn next_code(bench: &Bench, secret: &str) -> String {
    bench.advance(Duration::from_secs(STEP));
    totp_code(secret, bench.clock.now())
}

/// The outcomes of sign-ins that are stored, the newest first.
async fn sign_ins(bench: &Bench) -> Vec<String> {
    let provider = &bench.provider;
    provider.audit_events.flush(&provider.store, &*provider.directory).await.expect("stores");
    let filter = EventFilter { event: Some("sign_in".to_owned()), ..EventFilter::default() };
    let stored = provider.store.events(&filter, None, 10).await.expect("reads");
    stored.into_iter().map(|event| event.outcome).collect()
}

/// `docs/security-requirements.md#f1`
#[tokio::test]
async fn password_of_an_enrolled_user_opens_nothing_without_the_code() {
    let (bench, mut browser) = (plain_bench().await, Browser::default());
    let (secret, _) = bench.enrol().await;
    let reply = give_password(&bench, &mut browser, &[]).await;
    assert_eq!(bench.provider.store.sessions_of(EINSTEIN, bench.clock.now()).await.expect("reads"), [], "no session");
    let begun = flow(&reply);
    let form = show_page(&bench, &mut browser, &begun).await;
    assert!(form.status == 200 && form.text.contains("one-time-code"), "{}", form.text);
    let consents = bench.get(&mut browser, page::CONSENTS, &[]).await;
    assert_eq!(consents.status, 303, "not signed in");
    let stranger = show_page(&bench, &mut Browser::default(), &begun).await;
    assert_eq!(stranger.status, 303, "the password does not count in another browser");
    let wrong = send(&bench, &mut browser, &form, page::FACTOR, &[("code", "12345")]).await;
    assert_eq!(wrong.status, 401, "{}", wrong.text);
    let code = next_code(&bench, &secret);
    let done = send(&bench, &mut browser, &wrong, page::FACTOR, &[("code", &code)]).await;
    let (id_token, _) = redeem(&bench, &done).await;
    assert_eq!((&id_token["amr"], &id_token["acr"]), (&json!(["pwd", "otp", "mfa"]), &json!("mfa")));
}

/// `docs/security-requirements.md#f1`
#[tokio::test]
async fn changed_password_ends_a_sign_in_that_waits_for_the_code() {
    let (bench, mut browser) = (plain_bench().await, Browser::default());
    let (secret, _) = bench.enrol().await;
    let reply = give_password(&bench, &mut browser, &[]).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    let code = next_code(&bench, &secret);
    bench.change(|user| user.as_mut().expect("a user").password_changed = Some(bench.clock.now()));
    let reply = send(&bench, &mut browser, &form, page::FACTOR, &[("code", &code)]).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    assert!(form.text.contains("name=\"password\""), "{}", form.text);
}

#[tokio::test]
async fn cancelled_second_factor_after_the_password_leads_back_to_the_sign_in() {
    let (bench, mut browser) = (plain_bench().await, Browser::default());
    bench.enrol().await;
    let reply = give_password(&bench, &mut browser, &[]).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    let cancelled = cancel(&bench, &mut browser, &form).await;
    let form = show_page(&bench, &mut browser, &flow(&cancelled)).await;
    assert!(form.text.contains("name=\"password\""), "{}", form.text);
    let cancelled = cancel(&bench, &mut browser, &form).await;
    assert_eq!(answered(&cancelled, "error").as_deref(), Some("access_denied"));
}

/// `docs/security-requirements.md#s6`
#[tokio::test]
async fn outcomes_of_codes_are_stored_with_address_and_browser() {
    let (bench, mut browser) = (plain_bench().await, Browser::default());
    let (secret, _) = bench.enrol().await;
    let reply = give_password(&bench, &mut browser, &[]).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    let wrong = send(&bench, &mut browser, &form, page::FACTOR, &[("code", "12345")]).await;
    assert_eq!(sign_ins(&bench).await, ["second_factor_required"], "the password alone is no sign-in");
    let code = next_code(&bench, &secret);
    send(&bench, &mut browser, &wrong, page::FACTOR, &[("code", &code)]).await;
    assert_eq!(sign_ins(&bench).await, ["success", "second_factor_required"], "the newest first");
    let provider = &bench.provider;
    provider.audit_events.flush(&provider.store, &*provider.directory).await.expect("stores");
    let stored = provider.store.events(&EventFilter::default(), None, 10).await.expect("reads");
    for outcome in ["failure", "success"] {
        let found = stored.iter().find(|event| event.event == "second_factor" && event.outcome == outcome);
        let event = found.unwrap_or_else(|| panic!("no {outcome}: {stored:?}"));
        assert_eq!((event.user.as_str(), event.address), (EINSTEIN, Some([192, 0, 2, 1].into())));
    }
    let sessions = provider.store.sessions_of(EINSTEIN, bench.clock.now()).await.expect("reads");
    let [session] = sessions.as_slice() else { panic!("one: {sessions:?}") };
    assert_eq!(session.address, Some([192, 0, 2, 1].into()));
}

/// `docs/security-requirements.md#f6`
#[tokio::test]
async fn user_without_a_factor_enrols_where_it_is_required() {
    let (bench, mut browser) =
        (bench(|config| config.mfa.policy = "required".to_owned(), json!({})).await, Browser::default());
    let reply = give_password(&bench, &mut browser, &[]).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    let secret = |form: &Reply| {
        let (_, rest) = form.text.split_once("<code class=\"whole\">").expect("a secret");
        rest.split_once('<').expect("an end").0.to_owned()
    };
    let (first, handle) = (secret(&form), form.field("enrolment").expect("a handle").to_owned());
    assert!(form.text.contains("src=\"data:image/svg+xml;base64,"), "{}", form.text);
    let forged = bench.post(&mut browser, page::ENROL, &[("enrolment", &handle), ("code", "1"), ("csrf", "x")]).await;
    assert_eq!(forged.status, 400, "without a flow");
    let again = send(&bench, &mut browser, &form, page::ENROL, &[("enrolment", &handle), ("code", "12345")]).await;
    assert_eq!((again.status.as_u16(), secret(&again)), (401, first.clone()), "the secret stays after a wrong code");
    let code = totp_code(&first, bench.clock.now());
    let done = send(&bench, &mut browser, &again, page::ENROL, &[("enrolment", &handle), ("code", &code)]).await;
    assert_eq!(done.text.matches("<li><code>").count(), 10, "{}", done.text);
    let (_, link) = done.text.split_once("href=\"https://cloud.example/signin/v1/identifier?flow=").expect("a link");
    let next = link.split_once('"').expect("an end").0.to_owned();
    let (id_token, _) = redeem(&bench, &show_page(&bench, &mut browser, &next).await).await;
    assert_eq!(id_token["acr"], "mfa");
}

/// `docs/security-requirements.md#f6`
#[tokio::test]
async fn session_that_was_left_open_enrols_a_factor_only_after_the_password() {
    let (bench, mut browser) = (plain_bench().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    let reply = authorize(&bench, &mut browser, &[("acr_values", "mfa")]).await;
    let begun = flow(&reply);
    let form = show_page(&bench, &mut browser, &begun).await;
    assert!(form.field("enrolment").is_some(), "a new session: {}", form.text);
    bench.advance(FRESH);
    let asks_password = |page: &Reply| page.field("enrolment").is_none() && page.text.contains("name=\"password\"");
    let sent = send(&bench, &mut browser, &form, page::ENROL, &[("enrolment", "x"), ("code", "123456")]).await;
    assert!(asks_password(&sent), "no enrolment begins by the form: {} {}", sent.status, sent.text);
    let form = show_page(&bench, &mut browser, &begun).await;
    assert!(asks_password(&form), "{}", form.text);
    let password = [("username", "einstein"), ("password", RELATIVITY)];
    let reply = send(&bench, &mut browser, &form, page::LOGON, &password).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    assert!(form.field("enrolment").is_some(), "{}", form.text);
}

/// `docs/security-requirements.md#f5`
#[tokio::test]
async fn password_alone_replaces_no_second_factor() {
    let (bench, mut browser) = (plain_bench().await, Browser::default());
    let user = bench.user();
    let foreign = enrolment::begin(&bench.provider, &user).expect("begins");
    bench.change(|user| user.as_mut().expect("a user").groups = vec!["physics".to_owned()]);
    let reply = give_password(&bench, &mut browser, &[("acr_values", "mfa")]).await;
    // signed in without a factor, and asked to enrol one, when another browser enrols one
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    assert!(form.field("enrolment").is_some(), "{}", form.text);
    bench.enrol().await;
    let code = totp_code(&foreign.secret, bench.clock.now());
    let more = [("enrolment", foreign.handle.as_str()), ("code", code.as_str())];
    let refused = send(&bench, &mut browser, &form, page::ENROL, &more).await;
    let form = show_page(&bench, &mut browser, &flow(&refused)).await;
    assert!(form.field("enrolment").is_none() && form.text.contains("name=\"trust\""), "{}", form.text);
}

/// `docs/security-requirements.md#f7`
#[tokio::test]
async fn session_is_stepped_up_by_acr_values_and_by_an_essential_claim() {
    let claim = json!({ "id_token": { "acr": { "essential": true, "value": "advanced" } } }).to_string();
    for (more, acr) in [(("acr_values", "mfa"), "mfa"), (("claims", claim.as_str()), "advanced")] {
        let (bench, mut browser) = (plain_bench().await, Browser::default());
        let (secret, _) = bench.enrol().await;
        let before = bench.sign_in(&mut browser, EINSTEIN).await;
        let (id_token, _) = redeem(&bench, &authorize(&bench, &mut browser, &[]).await).await;
        assert_eq!((&id_token["amr"], &id_token["acr"]), (&json!(["pwd"]), &json!("1")));
        let silent = authorize(&bench, &mut browser, &[more, ("prompt", "none")]).await;
        assert_eq!(answered(&silent, "error").as_deref(), Some("interaction_required"));
        let reply = authorize(&bench, &mut browser, &[more]).await;
        let form = show_page(&bench, &mut browser, &flow(&reply)).await;
        let cancelled = cancel(&bench, &mut browser, &form).await;
        assert_eq!(answered(&cancelled, "error").as_deref(), Some("access_denied"));
        let code = next_code(&bench, &secret);
        let done = send(&bench, &mut browser, &form, page::FACTOR, &[("code", &code)]).await;
        let (id_token, _) = redeem(&bench, &done).await;
        assert_eq!((&id_token["amr"], &id_token["acr"]), (&json!(["pwd", "otp", "mfa"]), &json!(acr)));
        assert_eq!(id_token["auth_time"], json!(seconds(before.signed_in)), "the password is as old as it was");
        assert!(!bench.is_signed_in(before.id).await, "the session has a new identifier");
        let silent = authorize(&bench, &mut browser, &[more, ("prompt", "none")]).await;
        assert!(answered(&silent, "code").is_some(), "{:?}", silent.location());
    }
}

/// `docs/security-requirements.md#f7`
#[tokio::test]
async fn request_does_not_lower_the_level_that_its_client_is_registered_for() {
    let (bench, mut browser) = (bench(|_| (), json!({ "default_acr_values": ["mfa"] })).await, Browser::default());
    bench.enrol().await;
    bench.sign_in(&mut browser, EINSTEIN).await;
    for more in [&[][..], &[("acr_values", "1")]] {
        let reply = authorize(&bench, &mut browser, more).await;
        assert!(answered(&reply, "code").is_none() && answered(&reply, "flow").is_some(), "{more:?}");
    }
}

#[tokio::test]
async fn level_that_is_not_offered_is_refused_if_it_is_essential_and_ignored_if_not() {
    let (bench, mut browser) =
        (bench(|config| config.mfa.policy = "off".to_owned(), json!({})).await, Browser::default());
    bench.enrol().await;
    let reply = give_password(&bench, &mut browser, &[("acr_values", "mfa")]).await;
    let (id_token, _) = redeem(&bench, &reply).await;
    assert_eq!(id_token["acr"], "1");
    for value in ["mfa", "phr"] {
        let claim = json!({ "id_token": { "acr": { "essential": true, "values": [value] } } }).to_string();
        let reply = authorize(&bench, &mut browser, &[("claims", &claim)]).await;
        assert_eq!(answered(&reply, "error").as_deref(), Some("unmet_authentication_requirements"), "{value}");
    }
}

/// `docs/security-requirements.md#f10`
#[tokio::test]
async fn trusted_device_spares_the_code_unless_a_client_needs_it() {
    let (bench, mut browser) = (plain_bench().await, Browser::default());
    let (secret, _) = bench.enrol().await;
    let reply = give_password(&bench, &mut browser, &[]).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    let code = next_code(&bench, &secret);
    let done = send(&bench, &mut browser, &form, page::FACTOR, &[("code", &code), ("trust", "yes")]).await;
    assert!(answered(&done, "code").is_some(), "{:?}", done.location());
    let reply = give_password(&bench, &mut browser, &[("prompt", "login")]).await;
    let (id_token, _) = redeem(&bench, &reply).await;
    assert_eq!((&id_token["amr"], &id_token["acr"]), (&json!(["pwd"]), &json!("1")), "no code was given");
    let reply = authorize(&bench, &mut browser, &[("acr_values", "mfa")]).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    assert!(form.text.contains("one-time-code"), "{}", form.text);
}

#[tokio::test]
async fn factor_of_the_session_counts_on_after_the_password_where_that_is_configured() {
    for keeps in [false, true] {
        let bench = bench(|config| config.mfa.keep_on_reauthentication = keeps, json!({})).await;
        let mut browser = Browser::default();
        let (secret, _) = bench.enrol().await;
        let reply = give_password(&bench, &mut browser, &[]).await;
        let form = show_page(&bench, &mut browser, &flow(&reply)).await;
        let code = next_code(&bench, &secret);
        send(&bench, &mut browser, &form, page::FACTOR, &[("code", &code)]).await;
        let reply = give_password(&bench, &mut browser, &[("max_age", "0")]).await;
        assert_eq!(answered(&reply, "code").is_some(), keeps, "{:?}", reply.location());
    }
}

#[tokio::test]
async fn refreshed_and_introspected_tokens_have_the_methods_and_the_level() {
    let (bench, mut browser) = (plain_bench().await, Browser::default());
    let confidential = json!({ "token_endpoint_auth_method": "client_secret_post", "introspects_all": true });
    let resource_secret = bench.add("resource", &confidential).await;
    let (secret, _) = bench.enrol().await;
    let more = [("scope", "offline_access openid")];
    let query = [("client_id", "app"), ("response_type", "code"), ("redirect_uri", BACK)];
    let path = bench.endpoints().paths.authorization;
    let reply = bench.get(&mut browser, path, &[query.as_slice(), more.as_slice()].concat()).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    let password = [("username", "einstein"), ("password", RELATIVITY)];
    let reply = send(&bench, &mut browser, &form, page::LOGON, &password).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    let code = next_code(&bench, &secret);
    let done = send(&bench, &mut browser, &form, page::FACTOR, &[("code", &code)]).await;
    let (_, answer) = redeem(&bench, &done).await;
    let refresh = answer["refresh_token"].as_str().expect("a refresh token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "app")];
    let answer = bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await.is(200);
    let (amr, acr) = (json!(["pwd", "otp", "mfa"]), json!("mfa"));
    for token in ["id_token", "access_token"] {
        let claims = claims(&answer[token]);
        assert_eq!((&claims["amr"], &claims["acr"]), (&amr, &acr), "{token}");
    }
    let token = answer["access_token"].as_str().expect("a token");
    let form = [("token", token), ("client_id", "resource"), ("client_secret", &resource_secret)];
    let path = bench.endpoints().paths.introspection;
    let told = bench.post_with(&mut Browser::default(), path, &form, &[]).await.is(200);
    assert_eq!((&told["active"], &told["amr"], &told["acr"]), (&json!(true), &amr, &acr));
}

/// A provider with the client `app`, whose user has only a passkey, and that for another host.
async fn bench_with_a_moved_passkey(policy: &str, has_mail: bool) -> (Bench, Option<MailBox>) {
    let change = |config: &mut crate::Config| config.mfa.policy = policy.to_owned();
    let (bench, mail_box) = if has_mail {
        let (bench, mail_box) = MailBox::with(change).await;
        (bench, Some(mail_box))
    } else {
        (Bench::with(change).await, None)
    };
    bench.add("app", &json!({ "pkce": "optional", "consent": "trusted" })).await;
    Authenticator::new().register(&bench).await.expect("is added");
    passkeys::move_to_another_host(&bench.provider, EINSTEIN).await;
    (bench, mail_box)
}

/// `docs/security-requirements.md#f5`
#[tokio::test]
async fn password_of_a_user_with_a_passkey_for_another_host_signs_in_nowhere_and_enrols_nothing() {
    for (policy, has_mail) in [("optional", false), ("optional", true), ("required", false), ("required", true)] {
        let (bench, _mail_box) = bench_with_a_moved_passkey(policy, has_mail).await;
        let mut browser = Browser::default();
        let reply = give_password(&bench, &mut browser, &[]).await;
        let page = show_page(&bench, &mut browser, &flow(&reply)).await;
        assert_eq!(page.status, 403, "{policy}, mail: {has_mail}: {}", page.text);
        assert!(page.field("enrolment").is_none() && page.text.contains("do not work here"), "{}", page.text);
        let sessions = bench.provider.store.sessions_of(EINSTEIN, bench.clock.now()).await;
        assert_eq!(sessions.expect("reads"), [], "no session");
        let list = bench.get(&mut browser, page::PASSKEYS, &[]).await;
        assert_eq!(list.status, 303, "the password alone adds no passkey");
    }
}

/// `docs/security-requirements.md#f5`
#[tokio::test]
async fn session_by_password_of_a_user_with_a_passkey_for_another_host_is_not_stepped_up() {
    let (bench, _) = bench_with_a_moved_passkey("optional", false).await;
    let mut browser = Browser::default();
    bench.sign_in(&mut browser, EINSTEIN).await;
    let reply = authorize(&bench, &mut browser, &[("acr_values", "mfa")]).await;
    let page = show_page(&bench, &mut browser, &flow(&reply)).await;
    assert_eq!(page.status, 403, "{}", page.text);
    assert!(page.field("enrolment").is_none() && page.text.contains("do not work here"), "{}", page.text);
}

/// `docs/security-requirements.md#f5`
#[tokio::test]
async fn user_with_a_passkey_for_another_host_signs_in_with_a_recovery_code() {
    let (bench, _) = bench_with_a_moved_passkey("optional", false).await;
    let mut browser = Browser::default();
    let codes = recovery_code::generate(&bench.provider.random);
    let digests = recovery_code::digests(EINSTEIN, &codes);
    bench.provider.store.replace_recovery_codes(EINSTEIN, &digests).await.expect("writes");
    let reply = give_password(&bench, &mut browser, &[]).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    assert!(options_of(&form).is_none(), "the passkey is not asked for: {}", form.text);
    let done = send(&bench, &mut browser, &form, page::FACTOR, &[("code", &codes[0])]).await;
    assert!(answered(&done, "code").is_some(), "{:?}", done.location());
    let list = bench.get(&mut browser, page::PASSKEYS, &[]).await;
    assert!(list.status == 200 && list.text.contains("For another address"), "{}", list.text);
}
