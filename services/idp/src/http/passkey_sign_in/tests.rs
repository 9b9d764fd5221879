//! Signing in with a passkey, alone and after the password, as a browser does it.

use authn::UserType;
use oidc::jose::UnverifiedJwt;
use serde_json::{Value, json};

use super::*;
use crate::testing::authenticator::{Authenticator, options_of};
use crate::testing::{Bench, Browser, PASSWORD, Reply};

const BACK: &str = "https://app.example/back";

async fn bench() -> (Bench, Browser) {
    let bench = Bench::new().await;
    let metadata = json!({ "pkce": "optional", "consent": "trusted", "grant_types": ["authorization_code"] });
    bench.add("app", &metadata).await;
    (bench, Browser::default())
}

fn parameter(reply: &Reply, name: &str) -> Option<String> {
    let (_, query) = reply.location()?.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
}

async fn authorize(bench: &Bench, browser: &mut Browser, more: &[(&str, &str)]) -> Reply {
    let query = [("client_id", "app"), ("response_type", "code"), ("redirect_uri", BACK), ("scope", "openid")];
    bench.get(browser, bench.endpoints().paths.authorization, &[query.as_slice(), more].concat()).await
}

/// The page that a response leads to.
async fn follow(bench: &Bench, browser: &mut Browser, reply: &Reply) -> Reply {
    let flow = parameter(reply, "flow").unwrap_or_else(|| panic!("no flow: {:?} {}", reply.location(), reply.text));
    bench.get(browser, page::SIGN_IN, &[("flow", &flow)]).await
}

/// Sends the form of a page.
async fn send(bench: &Bench, browser: &mut Browser, form: &Reply, path: &str, more: &[(&str, &str)]) -> Reply {
    let csrf = form.csrf();
    let fields = [("flow", form.field("flow").expect("a flow")), ("csrf", csrf.as_str())];
    bench.post(browser, path, &[fields.as_slice(), more].concat()).await
}

/// Answers the challenge of a page.
async fn use_passkey(
    bench: &Bench,
    browser: &mut Browser,
    (form, path): (&Reply, &str),
    authenticator: &mut Authenticator,
) -> Reply {
    let credential = authenticator.get(&options_of(form).expect("asks for a passkey"));
    let ceremony = form.field("ceremony").expect("a ceremony");
    send(bench, browser, form, path, &[("ceremony", ceremony), ("credential", &credential)]).await
}

async fn give_password(bench: &Bench, browser: &mut Browser, more: &[(&str, &str)]) -> Reply {
    let reply = authorize(bench, browser, more).await;
    let form = follow(bench, browser, &reply).await;
    let reply = send(bench, browser, &form, page::LOGON, &[("username", "einstein"), ("password", PASSWORD)]).await;
    follow(bench, browser, &reply).await
}

/// The claims `amr` and `acr` of the ID token.
async fn level(bench: &Bench, reply: &Reply) -> (Value, Value) {
    let code = parameter(reply, "code").unwrap_or_else(|| panic!("no code: {:?} {}", reply.location(), reply.text));
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK), ("client_id", "app")];
    let answer = bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await.is(200);
    let jwt = UnverifiedJwt::parse(answer["id_token"].as_str().expect("a token")).expect("a JWT");
    let claim = |name: &str| jwt.claims().get(name).cloned().unwrap_or_default();
    (claim("amr"), claim("acr"))
}

#[tokio::test]
async fn passkey_signs_in_alone_at_the_level_phr() {
    for (is_synced, key) in [(false, "hwk"), (true, "swk")] {
        let (bench, mut browser) = bench().await;
        let mut authenticator = Authenticator::new();
        authenticator.is_synced = is_synced;
        authenticator.register(&bench).await.expect("is added");
        for (acr_values, acr) in [("", "phr"), ("phr", "phr"), ("mfa", "mfa"), ("1", "phr")] {
            let more = [("acr_values", acr_values), ("prompt", "login")];
            let reply = authorize(&bench, &mut browser, &more).await;
            let form = follow(&bench, &mut browser, &reply).await;
            assert!(form.text.contains("autocomplete=\"username webauthn\""), "{}", form.text);
            let done = use_passkey(&bench, &mut browser, (&form, page::PASSKEY), &mut authenticator).await;
            assert_eq!(level(&bench, &done).await, (json!([key, "user", "mfa"]), json!(acr)), "{acr_values}");
        }
    }
}

/// `docs/security-requirements.md#f20`
#[tokio::test]
async fn answer_in_another_browser_or_with_another_form_signs_no_one_in() {
    let (bench, mut browser) = bench().await;
    let mut authenticator = Authenticator::new();
    authenticator.register(&bench).await.expect("is added");
    let reply = authorize(&bench, &mut browser, &[]).await;
    let [form, other] = [follow(&bench, &mut browser, &reply).await, follow(&bench, &mut browser, &reply).await];
    let mut stranger = Browser::default();
    let stolen = use_passkey(&bench, &mut stranger, (&form, page::PASSKEY), &mut authenticator).await;
    assert_eq!(stolen.status, 403, "the form is not the browser's");
    let credential = authenticator.get(&options_of(&form).expect("asks for a passkey"));
    let ceremony = form.field("ceremony").expect("a ceremony");
    let mixed = [("ceremony", ceremony), ("credential", credential.as_str())];
    let mixed = send(&bench, &mut browser, &other, page::PASSKEY, &mixed).await;
    assert_eq!(mixed.status, 400, "the ceremony is not the form's");
    assert!(mixed.field("ceremony").is_some(), "another challenge: {}", mixed.text);
}

/// `docs/security-requirements.md#f22`
#[tokio::test]
async fn disabled_account_and_service_account_get_the_answer_of_an_unknown_passkey() {
    let (bench, mut browser) = bench().await;
    let mut authenticator = Authenticator::new();
    authenticator.register(&bench).await.expect("is added");
    let reply = authorize(&bench, &mut browser, &[]).await;
    let attempt = async |browser: &mut Browser, authenticator: &mut Authenticator| {
        let form = follow(&bench, browser, &reply).await;
        let refused = use_passkey(&bench, browser, (&form, page::PASSKEY), authenticator).await;
        let alert = refused.text.split("id=\"error\">").nth(1).and_then(|rest| rest.split('<').next());
        (refused.status.as_u16(), alert.map(str::to_owned))
    };
    let unknown = attempt(&mut browser, &mut Authenticator::new()).await;
    assert!(unknown.0 == 401 && unknown.1.is_some(), "{unknown:?}");
    bench.change(|user| user.as_mut().expect("a user").id.kind = UserType::Service);
    assert_eq!(attempt(&mut browser, &mut authenticator).await, unknown);
    bench.change(|user| *user = None);
    assert_eq!(attempt(&mut browser, &mut authenticator).await, unknown);
}

#[tokio::test]
async fn passkey_is_the_second_factor_of_a_user_who_has_one() {
    let (bench, mut browser) = bench().await;
    let mut authenticator = Authenticator::new();
    authenticator.register(&bench).await.expect("is added");
    let form = give_password(&bench, &mut browser, &[]).await;
    assert!(!form.text.contains("one-time-code"), "there is no app: {}", form.text);
    let wrong = use_passkey(&bench, &mut browser, (&form, page::FACTOR), &mut Authenticator::new()).await;
    assert_eq!(wrong.status, 401, "{}", wrong.text);
    let done = use_passkey(&bench, &mut browser, (&wrong, page::FACTOR), &mut authenticator).await;
    assert_eq!(level(&bench, &done).await, (json!(["pwd", "hwk", "user", "mfa"]), json!("phr")));

    bench.enrol().await;
    let form = give_password(&bench, &mut Browser::default(), &[]).await;
    assert!(form.text.contains("one-time-code") && options_of(&form).is_some(), "both: {}", form.text);
}

#[tokio::test]
async fn client_that_needs_phr_gets_no_code_in_its_place() {
    let (bench, mut browser) = bench().await;
    let more = [("acr_values", "phr")];
    let (secret, _) = bench.enrol().await;
    let form = give_password(&bench, &mut browser, &more).await;
    bench.advance(std::time::Duration::from_secs(30));
    let code = crate::testing::totp_code(&secret, bench.clock.now());
    let reply = send(&bench, &mut browser, &form, page::FACTOR, &[("code", &code)]).await;
    let needed = follow(&bench, &mut browser, &reply).await;
    assert!(needed.text.contains(page::PASSKEYS) && !needed.text.contains("name=\"code\""), "{}", needed.text);
    let mut authenticator = Authenticator::new();
    authenticator.register(&bench).await.expect("is added");
    let reply = authorize(&bench, &mut browser, &more).await;
    let form = follow(&bench, &mut browser, &reply).await;
    assert!(!form.text.contains("name=\"code\""), "{}", form.text);
    let done = use_passkey(&bench, &mut browser, (&form, page::FACTOR), &mut authenticator).await;
    assert_eq!(level(&bench, &done).await.1, json!("phr"));
}
