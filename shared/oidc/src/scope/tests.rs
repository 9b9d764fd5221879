use proptest::prelude::*;

use super::*;

fn scopes(text: &str) -> Scopes {
    text.parse().expect("a scope")
}

#[test]
fn the_order_of_the_request_does_not_matter() {
    let one = scopes("openid offline_access email profile");
    assert_eq!(one, scopes("profile email offline_access openid openid"));
    assert_eq!(one.to_string(), "email offline_access openid profile");
    assert_eq!(scopes(""), Scopes::default());
}

#[test]
fn only_the_grammar_is_accepted() {
    for good in ["openid", "LibgreGraph.UUID", "https://a.example/read", "node:1:rw", "!", "#", "[", "]~"] {
        assert_eq!(scopes(good).to_string(), good);
    }
    for wrong in ["a\tb", "a\nb", "a\"b", "a\\b", "ö", "a\0", "\u{7f}"] {
        assert_eq!(wrong.parse::<Scopes>(), Err(ScopeError::Malformed), "{wrong:?}");
    }
    assert_eq!(Scopes::of(["a b"]), Err(ScopeError::Malformed));
    assert_eq!(Scopes::of([""]), Err(ScopeError::Malformed));
}

#[test]
fn further_blanks_are_no_tokens() {
    for text in ["openid email ", "openid  email", " openid email", "  openid   email  "] {
        assert_eq!(scopes(text), scopes("openid email"), "{text:?}");
    }
    assert_eq!(scopes(" "), Scopes::default());
}

#[test]
fn a_set_is_bounded() {
    let tokens: Vec<String> = (0..=MAX_TOKENS).map(|number| format!("t{number}")).collect();
    let most = tokens[1..].join(" ");
    assert_eq!(scopes(&most).iter().count(), MAX_TOKENS);
    assert_eq!(tokens.join(" ").parse::<Scopes>(), Err(ScopeError::TooLong));
    assert_eq!(scopes(&most).union(&scopes(&tokens[0])), Err(ScopeError::TooLong));
    assert_eq!(scopes(&most).union(&scopes("t1")), Ok(scopes(&most)));
    assert_eq!(scopes(&"x".repeat(MAX_BYTES)).to_string().len(), MAX_BYTES);
    assert_eq!("x".repeat(MAX_BYTES + 1).parse::<Scopes>(), Err(ScopeError::TooLong));
    assert_eq!(Scopes::of(["x".repeat(MAX_BYTES + 1).as_str()]), Err(ScopeError::TooLong));
    let half = "x".repeat(MAX_BYTES / 2);
    assert_eq!(scopes(&half).union(&scopes(&half.replace('x', "y"))), Err(ScopeError::TooLong), "the space counts");
}

#[test]
fn i13_a_refresh_asks_for_no_more_than_was_granted() {
    let granted = scopes("openid profile offline_access");
    assert!(scopes("openid").is_subset(&granted) && scopes("").is_subset(&granted) && granted.is_subset(&granted));
    assert!(!scopes("admin").is_subset(&granted) && !scopes("openid admin").is_subset(&granted));
    assert!(!scopes("open").is_subset(&granted) && !scopes("OPENID").is_subset(&granted));
}

#[test]
fn each_standard_scope_has_its_claims() {
    assert_eq!(
        scopes("email phone").claims().collect::<Vec<_>>(),
        ["email", "email_verified", "phone_number", "phone_number_verified"]
    );
    assert_eq!(claims(PROFILE).len(), 14);
    assert_eq!((claims(OPENID), claims(ADDRESS)), (["sub"].as_slice(), ["address"].as_slice()));
    for other in [OFFLINE_ACCESS, OFFLINE, PYDIO, "groups", "Profile", ""] {
        assert!(claims(other).is_empty(), "{other}");
    }
}

#[test]
fn both_words_ask_for_a_refresh_token() {
    assert!(scopes("openid offline_access").asks_offline());
    assert!(scopes("openid email profile pydio offline").asks_offline());
    assert!(!scopes("openid email profile pydio").asks_offline());
    assert!(scopes("openid").asks_openid() && !scopes("openid2 profile").asks_openid());
}

proptest! {
    #[test]
    fn what_is_accepted_is_written_as_one_text(text in "([a-c!#~]{1,2}( [a-c]{1,2}){0,5})|.{0,40}") {
        if let Ok(scopes) = text.parse::<Scopes>() {
            let written = scopes.to_string();
            prop_assert_eq!(written.parse::<Scopes>(), Ok(scopes.clone()));
            prop_assert!(text.split(' ').all(|token| token.is_empty() || scopes.contains(token)));
        }
    }

    #[test]
    fn a_union_holds_both_and_nothing_else(one in "[a-e]( [a-e]){0,4}", other in "[a-e]( [a-e]){0,4}") {
        let (one, other) = (scopes(&one), scopes(&other));
        let both = one.union(&other).expect("a few");
        prop_assert!(one.is_subset(&both) && other.is_subset(&both));
        prop_assert!(both.iter().all(|token| one.contains(token) || other.contains(token)));
    }
}
