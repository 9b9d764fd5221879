mod claims;

use proptest::prelude::*;

use super::*;
use crate::response::Carrier;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

type Pairs = Vec<(String, String)>;

fn pairs(parameters: &[(&str, &str)]) -> Pairs {
    parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A valid request with these parameters in place of its own, or added; an empty value removes one.
fn with(parameters: &[(&str, &str)]) -> Pairs {
    let good = [
        ("client_id", "web"),
        ("redirect_uri", "https://a.example/cb"),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("state", "s"),
    ];
    let kept = good.iter().filter(|(name, _)| parameters.iter().all(|(other, _)| other != name));
    pairs(&kept.chain(parameters).copied().collect::<Vec<_>>())
}

fn read(parameters: &[(&str, &str)]) -> AuthorizationRequest {
    AuthorizationRequest::read(&with(parameters)).expect("a good request")
}

fn refused(parameters: &[(&str, &str)]) -> RequestError {
    AuthorizationRequest::read(&with(parameters)).expect_err("a bad request")
}

/// The code of a refusal that goes back to the client with its state.
#[track_caller]
fn redirected(parameters: &[(&str, &str)]) -> ErrorCode {
    let error = refused(parameters);
    let reply = error.reply.expect("it is redirected");
    assert_eq!(reply.state.as_deref(), Some("s"));
    error.code
}

#[test]
fn a_request_is_read_whole() {
    let request = read(&[
        ("response_type", "id_token code"),
        ("response_mode", "form_post"),
        ("nonce", "n"),
        ("prompt", "select_account consent"),
        ("max_age", "300"),
        ("display", "popup"),
        ("ui_locales", "de-AT en"),
        ("claims_locales", "se"),
        ("acr_values", "urn:x:2 1"),
        ("id_token_hint", "a.b.c"),
        ("login_hint", "einstein@example.org"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("claims", r#"{"userinfo":{"name":{"essential":true}}}"#),
        ("extra", "foobar"),
    ]);
    assert_eq!(
        request.addressee,
        Addressee { client_id: "web".to_owned(), redirect_uri: Some("https://a.example/cb".to_owned()) }
    );
    assert_eq!(request.response_type, ResponseType::CODE_ID_TOKEN);
    assert_eq!(request.delivery, Delivery { carrier: Carrier::FormPost, signed: false });
    assert_eq!(request.scope.to_string(), "openid profile");
    assert_eq!((request.state.as_deref(), request.nonce.as_deref()), (Some("s"), Some("n")));
    assert_eq!(request.prompt, Prompt::AtLeast { login: false, consent: true, select_account: true });
    assert_eq!((request.max_age, request.display), (Some(Duration::from_mins(5)), Some(Display::Popup)));
    assert_eq!((request.ui_locales.join(" "), request.claims_locales.join(" ")), ("de-AT en".into(), "se".into()));
    assert_eq!(request.acr_values, ["urn:x:2", "1"]);
    assert_eq!(request.id_token_hint.as_ref().map(UnverifiedJwt::as_str), Some("a.b.c"));
    assert_eq!(request.login_hint.as_deref(), Some("einstein@example.org"));
    assert_eq!(request.challenge.as_ref().map(Challenge::to_text).as_deref(), Some(CHALLENGE));
    assert!(request.claims.userinfo["name"].essential);
    assert!(!format!("{request:?}").contains("a.b.c"), "row E10: no token in a log");
    assert_eq!(request.to_parameters().len(), 18, "what was ignored is not kept");
    assert_eq!(AuthorizationRequest::read(&request.to_parameters()), Ok(request));
}

#[test]
fn the_least_that_a_request_has_is_enough() {
    let request =
        AuthorizationRequest::read(&pairs(&[("client_id", "cli"), ("response_type", "code")])).expect("OAuth");
    assert_eq!((request.addressee.redirect_uri, request.state, request.nonce), (None, None, None));
    assert!(request.scope.is_empty() && request.claims.is_empty() && request.challenge.is_none());
    assert_eq!((request.prompt, request.max_age), (Prompt::default(), None));
    assert_eq!(request.delivery, Delivery { carrier: Carrier::Query, signed: false });
}

#[test]
fn i3_nothing_is_redirected_before_client_and_redirect_uri_are_read() {
    let long_uri = format!("https://a.example/{}", "x".repeat(redirect_max()));
    let wrong: &[&[(&str, &str)]] = &[
        &[],
        &[("client_id", "")],
        &[("redirect_uri", "https://a.example/cb"), ("response_type", "code")],
        &[("client_id", "a"), ("client_id", "b"), ("redirect_uri", "https://a.example/cb")],
        &[("client_id", "a"), ("redirect_uri", "https://a.example/cb"), ("redirect_uri", "https://evil.example/cb")],
        &[("client_id", "a\n"), ("redirect_uri", "https://a.example/cb")],
        &[("client_id", "a"), ("redirect_uri", "https://a.example/cb\r\nSet-Cookie: x=1")],
        &[("client_id", "a"), ("redirect_uri", &long_uri)],
    ];
    for wrong in wrong {
        let wrong = pairs(wrong);
        let error = Addressee::read(&wrong).expect_err("has no client");
        assert_eq!((error.code, &error.reply), (ErrorCode::InvalidRequest, &None), "{wrong:?}");
        assert_eq!(AuthorizationRequest::read(&wrong), Err(error), "{wrong:?}");
    }
    let crowd: Pairs = (0..=MAX_PARAMETERS).map(|number| (format!("p{number}"), String::new())).collect();
    for error in
        [Addressee::read(&crowd).err(), RequestObject::read(&crowd).err(), AuthorizationRequest::read(&crowd).err()]
    {
        assert_eq!(error.expect("too many").reply, None);
    }
}

fn redirect_max() -> usize {
    crate::redirect::MAX_BYTES
}

#[test]
fn i3_the_addressee_is_read_whatever_else_is_wrong() {
    for parameters in [&[("response_type", "x")], &[("prompt", "none login")], &[("request", "x")], &[("claims", "{")]]
    {
        let addressee = Addressee::read(&with(parameters)).expect("it is there");
        assert_eq!(addressee.client_id, "web");
    }
}

#[test]
fn i3_all_other_errors_are_redirected_with_their_state() {
    let cases: &[(&str, &str, ErrorCode)] = &[
        ("response_type", "", ErrorCode::InvalidRequest),
        ("response_type", "none", ErrorCode::UnsupportedResponseType),
        ("response_type", "id_token", ErrorCode::InvalidRequest),
        ("response_mode", "web_message", ErrorCode::InvalidRequest),
        ("scope", "openid \"", ErrorCode::InvalidScope),
        ("scope", "openid pro\\file", ErrorCode::InvalidScope),
        ("nonce", "a\u{0}b", ErrorCode::InvalidRequest),
        ("prompt", "none login", ErrorCode::InvalidRequest),
        ("prompt", "create", ErrorCode::InvalidRequest),
        ("max_age", "-1", ErrorCode::InvalidRequest),
        ("code_challenge", "short", ErrorCode::InvalidRequest),
        ("code_challenge_method", "S256", ErrorCode::InvalidRequest),
        ("claims", "[]", ErrorCode::InvalidRequest),
        ("registration", "{}", ErrorCode::RegistrationNotSupported),
        ("request", "a.b.c", ErrorCode::RequestNotSupported),
        ("request_uri", "https://a.example/r", ErrorCode::RequestUriNotSupported),
    ];
    for (name, value, code) in cases {
        assert_eq!(redirected(&[(name, value)]), *code, "{name}={value:?}");
    }
}

#[test]
fn a_parameter_comes_once() {
    let ours = [
        "response_type",
        "response_mode",
        "scope",
        "nonce",
        "prompt",
        "max_age",
        "display",
        "ui_locales",
        "claims_locales",
        "acr_values",
        "id_token_hint",
        "login_hint",
        "code_challenge",
        "code_challenge_method",
        "claims",
        "request",
        "request_uri",
    ];
    for name in ours {
        assert_eq!(redirected(&[(name, "1"), (name, "1")]), ErrorCode::InvalidRequest, "{name}");
    }
    let error = refused(&[("state", "s"), ("state", "t")]);
    assert_eq!(error.reply.expect("it is redirected").state, None, "neither is the client's for certain");
    let twice = read(&[("resource", "https://a"), ("resource", "https://b"), ("user", "x")]);
    assert_eq!(twice, read(&[]), "what is not known is ignored, also twice");
}

#[test]
fn a_parameter_without_a_value_is_left_out() {
    let empty = read(&[("state", ""), ("nonce", ""), ("prompt", ""), ("max_age", ""), ("claims", ""), ("request", "")]);
    let left_out: Pairs = with(&[("state", "")]).into_iter().filter(|(_, value)| !value.is_empty()).collect();
    assert_eq!(AuthorizationRequest::read(&left_out), Ok(empty));
}

#[test]
fn sizes_are_bounded() {
    let limits = [
        ("state", MAX_STATE),
        ("nonce", MAX_NONCE),
        ("login_hint", MAX_LOGIN_HINT),
        ("id_token_hint", MAX_ID_TOKEN_HINT),
        ("acr_values", MAX_LIST),
        ("ui_locales", MAX_LIST),
        ("claims_locales", MAX_LIST),
    ];
    for (name, max) in limits {
        read(&[(name, &"x".repeat(max))]);
        assert_eq!(refused(&[(name, &"x".repeat(max + 1))]).code, ErrorCode::InvalidRequest, "{name}");
    }
    let padded = |length: usize| format!("{{{}}}", " ".repeat(length - 2));
    read(&[("claims", &padded(MAX_CLAIMS))]);
    assert_eq!(redirected(&[("claims", &padded(MAX_CLAIMS + 1))]), ErrorCode::InvalidRequest);
    assert_eq!(redirected(&[("scope", &"x".repeat(1025))]), ErrorCode::InvalidScope);
    let long = "x".repeat(MAX_STATE + 1);
    for state in [long.as_str(), "a\nb"] {
        let reply = refused(&[("state", state)]).reply.expect("it is redirected");
        assert_eq!(reply.state.as_deref(), Some(state), "the client can do nothing with an answer without");
    }
}

#[test]
fn conformance_a_nonce_is_needed_where_an_id_token_comes_from_the_authorization_endpoint() {
    for response_type in ResponseType::ALL {
        let text = response_type.to_string();
        if response_type.issues_id_token() {
            assert_eq!(redirected(&[("response_type", &text)]), ErrorCode::InvalidRequest, "{text}");
            assert_eq!(
                redirected(&[("response_type", &text), ("nonce", "n"), ("scope", "profile")]),
                ErrorCode::InvalidRequest,
                "{text} without openid"
            );
        } else {
            assert_eq!(read(&[("response_type", &text)]).nonce, None, "{text}");
        }
        assert_eq!(read(&[("response_type", &text), ("nonce", "n")]).response_type, response_type);
    }
}

#[test]
fn conformance_openid_needs_a_redirect_uri() {
    let error = refused(&[("redirect_uri", "")]);
    assert_eq!((error.code, error.reply), (ErrorCode::InvalidRequest, None));
    assert_eq!(read(&[("redirect_uri", ""), ("scope", "read")]).addressee.redirect_uri, None);
}

#[test]
fn an_error_travels_as_the_request_asks_where_that_is_allowed() {
    let delivery = |parameters: &[(&str, &str)]| refused(parameters).reply.expect("it is redirected").delivery;
    let wrong = ("max_age", "x");
    let plain = |carrier| Delivery { carrier, signed: false };
    assert_eq!(delivery(&[wrong]), plain(Carrier::Query));
    assert_eq!(delivery(&[wrong, ("response_mode", "form_post")]), plain(Carrier::FormPost));
    assert_eq!(delivery(&[wrong, ("response_type", "token")]), plain(Carrier::Fragment));
    assert_eq!(delivery(&[("response_type", "id_token")]), plain(Carrier::Fragment), "the nonce is missing");
    let in_query = [("response_type", "token"), ("response_mode", "query")];
    assert_eq!(delivery(&in_query), plain(Carrier::Fragment), "not as asked: no token may stand in a query");
    let in_query = [("response_type", "token"), ("response_mode", "query.jwt")];
    assert_eq!(delivery(&in_query), Delivery { carrier: Carrier::Fragment, signed: true });
    assert_eq!(delivery(&[("response_type", "x"), ("response_mode", "fragment")]), plain(Carrier::Fragment));
    assert_eq!(delivery(&[("response_type", "x"), ("response_mode", "x")]), plain(Carrier::Query));
    assert_eq!(delivery(&[wrong, ("response_mode", "jwt")]), Delivery { carrier: Carrier::Query, signed: true });
}

#[test]
fn prompts_are_read() {
    let prompt = |text| read(&[("prompt", text)]).prompt;
    assert_eq!(prompt("none"), Prompt::Nothing);
    assert_eq!(prompt("none none"), Prompt::Nothing);
    assert_eq!(prompt("login"), Prompt::AtLeast { login: true, consent: false, select_account: false });
    assert_eq!(prompt("consent  login"), Prompt::AtLeast { login: true, consent: true, select_account: false });
    assert_eq!(prompt("unknown"), Prompt::default());
    assert_eq!(prompt("Login"), Prompt::default());
    for (wrong, error) in [
        ("none consent", PromptError::NotAlone),
        ("none unknown", PromptError::NotAlone),
        ("create", PromptError::Create),
        ("login create", PromptError::Create),
    ] {
        assert_eq!(wrong.parse::<Prompt>(), Err(error), "{wrong}");
    }
}

#[test]
fn max_age_is_a_number_of_seconds() {
    let max_age = |text| read(&[("max_age", text)]).max_age.map(|age| age.as_secs());
    assert_eq!((max_age("0"), max_age("1"), max_age("010000")), (Some(0), Some(1), Some(10_000)));
    for large in ["4294967295", "9007199254740991", "99999999999999999999999"] {
        assert_eq!(max_age(large), Some(u32::MAX.into()), "{large}");
    }
    for wrong in ["-1", "+1", "1.5", "1e3", "x", " 1", "1 ", "٣", "-0"] {
        assert_eq!(redirected(&[("max_age", wrong)]), ErrorCode::InvalidRequest, "{wrong}");
    }
}

#[test]
fn hints_that_are_not_understood_are_no_errors() {
    assert_eq!(read(&[("display", "hologram")]).display, None);
    assert_eq!(read(&[("display", "page")]).display, Some(Display::Page));
    let list = read(&[("ui_locales", "de-AT  x_y zh-Hant-TW 1a a-123456789 ü - sl-rozaj-biske-1994")]).ui_locales;
    assert_eq!(list, ["de-AT", "zh-Hant-TW", "sl-rozaj-biske-1994"]);
    assert_eq!(read(&[("state", "ü 'x' <b>&\"\\")]).state.as_deref(), Some("ü 'x' <b>&\"\\"), "state is opaque");
}

#[test]
fn i5_a_plain_challenge_is_read_for_the_policy_to_refuse() {
    let request = read(&[("code_challenge", CHALLENGE)]);
    let policy = crate::pkce::Policy::default();
    assert_eq!(policy.check(request.challenge.as_ref()), Err(crate::pkce::PkceError::PlainRefused));
    assert_eq!(policy.check(read(&[]).challenge.as_ref()), Err(crate::pkce::PkceError::ChallengeRequired));
}

#[test]
fn a_request_object_is_recognised_and_never_ignored() {
    let object = |parameters: &[(&str, &str)]| RequestObject::read(&with(parameters));
    assert_eq!(object(&[]), Ok(None));
    assert_eq!(object(&[("request", "a.b.c")]), Ok(Some(RequestObject::Value(UnverifiedJwt::new("a.b.c".to_owned())))));
    let pushed = "urn:ietf:params:oauth:request_uri:x";
    assert_eq!(object(&[("request_uri", pushed)]), Ok(Some(RequestObject::Reference(pushed.to_owned()))));
    let both = object(&[("request", "a.b.c"), ("request_uri", pushed)]).expect_err("both");
    assert_eq!((both.code, both.reply.expect("redirected").state.as_deref()), (ErrorCode::InvalidRequest, Some("s")));
    assert!(object(&[("request_uri", &format!("https://{}", "x".repeat(512)))]).is_err());
    assert!(object(&[("request", &"x".repeat(16 * 1024 + 1))]).is_err());
    let alone = pairs(&[("client_id", "a"), ("request_uri", pushed)]);
    assert!(RequestObject::read(&alone).is_ok(), "RFC 9101 and 9126: nothing else is needed");
    let value = RequestObject::Value(UnverifiedJwt::new("secret.jwt.text".to_owned()));
    assert!(!format!("{value:?}").contains("secret"));
}

/// The parameters, each with values that mean something to it.
const KNOWN: &[(&str, &[&str])] = &[
    ("client_id", &["web", "cells-sync"]),
    ("redirect_uri", &["https://a.example/cb", "http://127.0.0.1:49152"]),
    ("response_type", &["code", "id_token token", "token code id_token", "none"]),
    ("response_mode", &["query", "fragment", "form_post", "form_post.jwt", "fragment.jwt", "query.jwt", "jwt"]),
    ("scope", &["openid", "openid profile offline_access", "read"]),
    ("state", &["t", "a b&c=d"]),
    ("nonce", &["m"]),
    ("prompt", &["none", "login", "consent login", "select_account consent", "create", "unknown"]),
    ("max_age", &["0", "300", "99999999999", "-1"]),
    ("display", &["page", "popup", "touch", "wap", "other"]),
    ("ui_locales", &["de-AT en", "x_y fr"]),
    ("claims_locales", &["se", "de de"]),
    ("acr_values", &["1 2", "urn:x"]),
    ("id_token_hint", &["a.b.c"]),
    ("login_hint", &["einstein", "Ünal <u@example.org>"]),
    ("code_challenge", &[CHALLENGE]),
    ("code_challenge_method", &["S256", "plain"]),
    (
        "claims",
        &["{}", r#"{"userinfo":{"name":null}}"#, r#"{"id_token":{"acr":{"values":["1","2"],"essential":true}}}"#],
    ),
    ("request", &["a.b.c"]),
    ("request_uri", &["urn:x"]),
    ("registration", &["{}"]),
    ("extra", &["foobar"]),
];

fn any_pairs() -> impl Strategy<Value = Pairs> {
    let name = || prop::sample::select(KNOWN).prop_map(|(name, _)| (*name).to_owned());
    let known = prop::sample::select(KNOWN).prop_flat_map(|(name, values)| {
        prop::sample::select(values).prop_map(move |value| ((*name).to_owned(), value.to_owned()))
    });
    let pair = prop_oneof![8 => known, 1 => (name(), ".{0,20}"), 1 => (".{0,5}", ".{0,20}")];
    prop::collection::vec(pair, 0..12)
}

/// A valid request with a few changes, so that many are accepted.
fn near_pairs() -> impl Strategy<Value = Pairs> {
    let kinds = prop::sample::select(ResponseType::ALL.to_vec());
    (kinds, any_pairs()).prop_map(|(kind, changes)| {
        let mut all = with(&[("response_type", &kind.to_string()), ("nonce", "n")]);
        for (name, value) in changes.into_iter().take(6) {
            all.retain(|(other, _)| *other != name);
            all.push((name, value));
        }
        all
    })
}

proptest! {
    #[test]
    fn no_parameters_make_a_panic_and_what_is_accepted_survives(pairs in prop_oneof![any_pairs(), near_pairs()]) {
        let addressee = Addressee::read(&pairs);
        match AuthorizationRequest::read(&pairs) {
            Ok(request) => {
                prop_assert_eq!(addressee.as_ref(), Ok(&request.addressee));
                prop_assert_eq!(RequestObject::read(&pairs), Ok(None));
                prop_assert_eq!(AuthorizationRequest::read(&request.to_parameters()), Ok(request));
            }
            Err(error) => {
                prop_assert!(addressee.is_ok() || error.reply.is_none());
                let allowed = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
                prop_assert!(error.description.chars().all(allowed), "{}", error);
            }
        }
    }

    #[test]
    fn a_prompt_is_written_as_it_is_read(text in "((none|login|consent|select_account|create|x) ?){0,4}|.{0,20}") {
        if let Ok(prompt) = text.parse::<Prompt>() {
            prop_assert_eq!(prompt.to_string().parse(), Ok(prompt));
        }
    }

    #[test]
    fn locales_are_written_as_they_are_read(text in "([a-z]{2}(-[A-Z]{2})?[ _]){0,5}|.{0,20}") {
        let list = locales(&text);
        prop_assert!(list.iter().all(|tag| text.contains(tag.as_str())));
        prop_assert_eq!(locales(&list.join(" ")), list);
    }

    #[test]
    fn a_display_is_read_by_its_name_only(text in "page|popup|touch|wap|.{0,10}") {
        if let Some(display) = Display::read(&text) {
            prop_assert_eq!(display.as_str(), text);
        }
    }
}
