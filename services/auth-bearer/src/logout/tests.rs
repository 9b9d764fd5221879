use proptest::prelude::*;

use super::*;

fn form(kind: &str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::try_from(kind).expect("a type"))])
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn r6_a_token_comes_in_the_form_once_and_never_in_a_query() {
    let token = |query: Option<&str>, kind: &str, body: &str| token_of(query, &form(kind), body.as_bytes());
    assert_eq!(token(None, FORM, "logout_token=a.b.c").as_deref(), Ok("a.b.c"));
    assert_eq!(token(Some(""), &format!("{FORM}; charset=utf-8"), "x=1&logout_token=a").as_deref(), Ok("a"));
    for (query, kind, body) in [
        (Some("logout_token=a"), FORM, "logout_token=a"),
        (Some("access_token=a"), FORM, "logout_token=a"),
        (None, FORM, "logout_token=a&logout_token=a"),
        (None, FORM, "logout_token="),
        (None, FORM, ""),
        (None, "application/json", "logout_token=a"),
        (None, "", "logout_token=a"),
    ] {
        assert_eq!(token(query, kind, body), Err(LogoutError::Request), "{query:?} {kind} {body}");
    }
}

proptest! {
    #[test]
    fn no_body_breaks_the_reader(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = token_of(None, &form(FORM), &body);
    }
}
