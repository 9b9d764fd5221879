use std::time::{Duration, UNIX_EPOCH};

use oidc::redirect::{AnyPort, Sites, Terms};
use uuid::Uuid;

use super::hint::tests::hint;
use super::*;

const OURS: &str = "https://app.example/bye";
const NOTHING: Request<'_> =
    Request { id_token_hint: None, client_id: None, redirect_uri: None, state: None, ui_locales: None };

fn registered() -> RedirectRules {
    let terms = Terms { any_port: AnyPort::Never, sites: &Sites::default(), insecure: &[] };
    RedirectRules::parse([OURS, "oc://android.opencloud.eu"], &terms).unwrap()
}

fn session() -> Session {
    Session {
        id: Uuid::from_u128(7),
        digest: [0; 32],
        person: "einstein".to_owned(),
        signed_in: UNIX_EPOCH,
        amr: "pwd".to_owned(),
        seen: UNIX_EPOCH,
        idle: Duration::from_hours(1),
        end: UNIX_EPOCH + Duration::from_hours(1),
        remembered: false,
        user_agent: String::new(),
        address: None,
    }
}

/// The hint of a token for the client `app`.
fn own() -> Given {
    Given::Hint(hint("app", "einstein", Some(Uuid::from_u128(7))))
}

fn with_client(
    request: &Request<'_>,
    given: &Given,
    session: Option<&Session>,
) -> Result<(char, Option<String>), Refused> {
    let signed_in = session.map(|session| SignedIn { session, subject: Some("einstein") });
    decide(request, given, Some(&registered()), signed_in).map(|decision| short(&decision))
}

fn without_client(request: &Request<'_>, given: &Given) -> Result<(char, Option<String>), Refused> {
    let session = session();
    let signed_in = SignedIn { session: &session, subject: None };
    decide(request, given, None, Some(signed_in)).map(|decision| short(&decision))
}

fn short(decision: &Decision<'_>) -> (char, Option<String>) {
    let letter = match decision {
        Decision::Ask { .. } => 'a',
        Decision::End { .. } => 'e',
        Decision::NoSession { .. } => 'n',
    };
    (letter, decision.target().map(str::to_owned))
}

#[test]
fn a_hint_of_this_session_signs_out_and_goes_back_with_the_state() {
    let request = Request { redirect_uri: Some(OURS), state: Some("a b&c"), ..NOTHING };
    let gone = Ok(('e', Some(format!("{OURS}?state=a%20b%26c"))));
    assert_eq!(with_client(&request, &own(), Some(&session())), gone);
    let by_person = Given::Hint(hint("app", "einstein", Some(Uuid::from_u128(8))));
    assert_eq!(with_client(&request, &by_person, Some(&session())), gone, "an earlier session of the same person");
    let without_state = Request { state: None, ..request };
    assert_eq!(with_client(&without_state, &own(), Some(&session())), Ok(('e', Some(OURS.to_owned()))));
    let app = Request { redirect_uri: Some("oc://android.opencloud.eu"), ..NOTHING };
    let back = Ok(('e', Some("oc://android.opencloud.eu".to_owned())));
    assert_eq!(with_client(&app, &own(), Some(&session())), back);
}

#[test]
fn a_hint_without_an_address_signs_out_and_stays() {
    assert_eq!(with_client(&NOTHING, &own(), Some(&session())), Ok(('e', None)));
    let only_state = Request { state: Some("x"), ..NOTHING };
    assert_eq!(with_client(&only_state, &own(), Some(&session())), Ok(('e', None)));
}

#[test]
fn a_hint_about_another_user_needs_confirmation() {
    let other = Given::Hint(hint("app", "marie", Some(Uuid::from_u128(8))));
    assert_eq!(with_client(&NOTHING, &other, Some(&session())), Ok(('a', None)));
    // the client has been removed, so the pairwise subjects of its users are unknown
    let by_person = Given::Hint(hint("app", "einstein", None));
    assert_eq!(without_client(&NOTHING, &by_person), Ok(('a', None)));
    assert_eq!(without_client(&NOTHING, &own()), Ok(('e', None)), "the session is enough");
}

#[test]
fn i4_an_address_that_is_not_registered_is_an_error() {
    for bad in [
        "https://evil.example/",
        "https://app.example/bye?foo=bar",
        "https://app.example/bye/",
        "//evil.example",
        "/\\evil.example",
        "https:evil.example",
        "javascript:alert(1)",
    ] {
        let request = Request { redirect_uri: Some(bad), ..NOTHING };
        assert_eq!(with_client(&request, &own(), Some(&session())), Err(Refused::Unregistered), "{bad}");
        assert_eq!(with_client(&request, &own(), None), Err(Refused::Unregistered), "{bad}");
        let named = Request { client_id: Some("app"), ..request };
        assert_eq!(with_client(&named, &Given::Nothing, Some(&session())), Err(Refused::Unregistered), "{bad}");
    }
}

#[test]
fn i4_without_a_hint_that_is_ours_the_person_is_asked_and_sent_nowhere() {
    let request = Request { redirect_uri: Some(OURS), state: Some("x"), ..NOTHING };
    assert_eq!(without_client(&request, &Given::Nothing), Ok(('a', None)));
    assert_eq!(without_client(&NOTHING, &Given::Nothing), Ok(('a', None)));
    assert_eq!(without_client(&Request { state: Some("x"), ..NOTHING }, &Given::Nothing), Ok(('a', None)));
    assert_eq!(without_client(&request, &Given::Forged), Ok(('a', None)));
    let named = Request { client_id: Some("app"), ..request };
    assert_eq!(with_client(&named, &Given::Forged, Some(&session())), Ok(('a', None)));
}

#[test]
fn a_client_that_only_names_itself_gets_the_browser_back_after_the_person_was_asked() {
    let request = Request { client_id: Some("app"), redirect_uri: Some(OURS), ..NOTHING };
    assert_eq!(with_client(&request, &Given::Nothing, Some(&session())), Ok(('a', Some(OURS.to_owned()))));
    assert_eq!(with_client(&request, &Given::Nothing, None), Ok(('n', None)), "no user can be asked");
    assert_eq!(without_client(&request, &Given::Nothing), Err(Refused::UnknownClient));
}

#[test]
fn without_a_session_a_hint_still_redirects_the_browser_to_the_client() {
    let request = Request { redirect_uri: Some(OURS), state: Some("x"), ..NOTHING };
    assert_eq!(with_client(&request, &own(), None), Ok(('n', Some(format!("{OURS}?state=x")))));
    assert_eq!(with_client(&request, &Given::Forged, None), Ok(('n', None)));
    assert_eq!(with_client(&NOTHING, &Given::Nothing, None), Ok(('n', None)));
}

#[test]
fn a_hint_of_one_client_is_no_use_to_another() {
    let named = Request { client_id: Some("other"), ..NOTHING };
    assert_eq!(own().client(&named), Err(Refused::OtherClient));
    assert_eq!(own().client(&NOTHING), Ok(Some("app")));
    assert_eq!(own().client(&Request { client_id: Some("app"), ..NOTHING }), Ok(Some("app")));
    assert_eq!(Given::Forged.client(&named), Ok(Some("other")));
    assert_eq!(Given::Nothing.client(&NOTHING), Ok(None));
}
