use authn::Access as Wanted;
use authn::Permission;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn claims(value: Value) -> Map<String, Value> {
    let Value::Object(claims) = value else { panic!("an object") };
    claims
}

fn rules(audiences: &[&str], authorized_parties: &[&str]) -> Rules {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Rules { audiences: owned(audiences), authorized_parties: owned(authorized_parties), ..Rules::default() }
}

/// The same of our own provider.
fn own(audiences: &[&str], authorized_parties: &[&str]) -> Rules {
    Rules { is_own: true, ..rules(audiences, authorized_parties) }
}

/// The scopes in words, and the method, of a token that counts.
fn access(value: Value, rules: &Rules) -> Result<(String, &'static str), Reason> {
    let claims = claims(value);
    check(&claims, rules)?;
    let access = Access::of(&claims, rules)?;
    let keys: Vec<_> = access.scopes.keys().filter(|key| !Scopes::is_marker(key)).collect();
    assert_eq!(access.scopes.amr().any(|method| method == amr::OIDC_CLIENT), access.amr == amr::OIDC_CLIENT);
    Ok((keys.join(" "), access.amr))
}

#[test]
fn our_own_provider_says_which_clients_act_as_the_whole_user() {
    let open = own(&[], &[]);
    let token = |first_party: bool, scope: &str| {
        access(json!({"client_id": "x", "first_party": first_party, "scope": scope, "amr": ["pwd"]}), &open)
    };
    assert_eq!(token(true, "openid profile"), Ok(("user".to_owned(), amr::OIDC)));
    assert_eq!(token(true, "openid path:/photos:r"), Ok(("path:/photos".to_owned(), amr::OIDC)));
    for scope in ["openid profile", "openid", "", "email groups roles offline_access"] {
        assert_eq!(token(false, scope), Err(Reason::ForeignClient), "{scope}");
    }
    assert_eq!(token(false, "openid user"), Ok(("user".to_owned(), amr::OIDC_CLIENT)));
    assert_eq!(token(false, "tokens:read profile"), Ok(("profile tokens".to_owned(), amr::OIDC_CLIENT)));
    for scope in ["openid path:photos:r", "tokens:all", "node:x:rw"] {
        assert_eq!(token(true, scope), Err(Reason::Policy), "{scope} is no scope, and not all of them");
    }
    let strange = access(json!({"client_id": "x", "first_party": "true", "scope": "openid"}), &open);
    assert_eq!(strange, Err(Reason::Malformed));
}

/// `docs/security-requirements.md#i81`
#[test]
fn service_accounts_are_those_that_our_own_provider_states() {
    let token = |more: Value| {
        let mut token = json!({"sub": "job", "client_id": "job", "first_party": false, "scope": "user"});
        token.as_object_mut().expect("an object").extend(claims(more));
        token
    };
    let stated = || token(json!({"service_account": true}));
    assert_eq!(access(stated(), &own(&[], &[])), Ok(("user".to_owned(), amr::SERVICE)));
    for (token, rules) in [
        (stated(), rules(&[], &[])),
        (stated(), rules(&[], &["job"])),
        (token(json!({})), own(&[], &[])),
        (token(json!({"service_account": false})), own(&[], &[])),
        (token(json!({"service_account": "true"})), own(&[], &[])),
    ] {
        assert_eq!(access(token.clone(), &rules), Err(Reason::UnknownUser), "{token} {rules:?}");
    }
    let of_a_user = token(json!({"service_account": true, "sub": "4c51", "amr": ["pwd"]}));
    assert_eq!(access(of_a_user, &own(&[], &[])), Ok(("user".to_owned(), amr::OIDC_CLIENT)));
    for scope in ["openid", ""] {
        let bare = token(json!({"service_account": true, "scope": scope}));
        assert_eq!(access(bare, &own(&[], &["job"])), Err(Reason::Policy), "{scope:?}");
    }
}

/// `docs/security-requirements.md#i81`
#[test]
fn audiences_and_authorized_parties_hold_for_service_accounts_too() {
    let edge = "https://cloud.example";
    let accepted = || Ok(("user".to_owned(), amr::SERVICE));
    for (rules, aud, expected) in [
        (own(&["web"], &[]), json!(["job"]), Err(Reason::ForeignToken)),
        (own(&["web", edge], &[]), json!(["job", edge]), accepted()),
        (own(&["web", edge], &[]), json!(["job", "https://other.example"]), Err(Reason::ForeignToken)),
        (own(&[], &["web"]), json!(["job", edge]), Err(Reason::ForeignToken)),
        (own(&[], &["web", "job"]), json!(["job"]), accepted()),
    ] {
        let token = json!({
            "sub": "job", "client_id": "job", "first_party": false, "service_account": true, "scope": "user", "aud": aud,
        });
        assert_eq!(access(token, &rules), expected, "{rules:?}");
    }
}

#[test]
fn token_without_sign_in_or_with_an_actor_is_not_interactive() {
    let open = own(&[], &[]);
    for more in [json!({}), json!({"amr": []}), json!({"amr": ["pwd"], "act": {"sub": "x"}})] {
        let mut token = json!({"client_id": "x", "first_party": true, "scope": "openid"});
        token.as_object_mut().expect("an object").extend(claims(more.clone()));
        assert_eq!(access(token, &open), Ok(("user".to_owned(), amr::OIDC_CLIENT)), "{more}");
    }
}

/// `docs/security-requirements.md#x11`
#[test]
fn actor_of_a_token_is_read_or_the_token_is_refused() {
    let open = own(&[], &[]);
    let actor_in = |token: Value, act: Value| {
        let mut token = claims(token);
        token.insert("act".to_owned(), act);
        Access::of(&token, &open).map(|access| access.actor.map(|actor| actor.to_string()))
    };
    let of_user = json!({"client_id": "x", "first_party": true, "scope": "openid", "amr": ["pwd"]});
    let actor = |act: Value| actor_in(of_user.clone(), act);
    let nested = json!({"sub": "c", "client_id": "x", "act": {"sub": "b", "act": {"sub": "a"}}});
    assert_eq!(actor(nested), Ok(Some("c < b < a".to_owned())));
    let deep = json!({"sub": "e", "act": {"sub": "d", "act": {"sub": "c", "act": {"sub": "b", "act": {"sub": "a"}}}}});
    for malformed in [json!("x"), json!({}), json!({"sub": ""}), json!({"sub": 7}), json!([{"sub": "x"}]), deep] {
        assert_eq!(actor(malformed.clone()), Err(Reason::Malformed), "{malformed}");
    }
    let of_service = || json!({"sub": "job", "client_id": "job", "service_account": true, "scope": "user"});
    assert_eq!(actor_in(of_service(), json!({"sub": "x"})), Ok(Some("x".to_owned())));
    assert_eq!(actor_in(of_service(), json!("x")), Err(Reason::Malformed));
    assert_eq!(Access::of_any_client().actor, None, "a userinfo response says nothing of actors");
}

#[test]
fn operator_who_names_a_client_or_an_audience_decides_for_a_foreign_issuer() {
    let token = |client: &str| json!({"azp": client, "aud": ["us", "account"], "scope": "openid"});
    let whole = |amr| Ok(("user".to_owned(), amr));
    for (rules, client, expected) in [
        (rules(&[], &[]), "web", whole(amr::OIDC)),
        (rules(&[], &[]), "OpenCloudDesktop", whole(amr::OIDC)),
        (rules(&[], &[]), "third", Err(Reason::ForeignClient)),
        (rules(&["us"], &[]), "third", whole(amr::OIDC_CLIENT)),
        (rules(&["us"], &[]), "web", whole(amr::OIDC)),
        (rules(&["them"], &[]), "web", Err(Reason::ForeignToken)),
        (rules(&[], &["third"]), "third", whole(amr::OIDC)),
        (rules(&[], &["third"]), "web", Err(Reason::ForeignToken)),
        (rules(&["us"], &["third"]), "third", whole(amr::OIDC)),
        (rules(&["them"], &["third"]), "third", Err(Reason::ForeignToken)),
    ] {
        assert_eq!(access(token(client), &rules), expected, "{client} {rules:?}");
    }
    assert_eq!(access(json!({"aud": "web", "scope": "openid"}), &rules(&[], &[])), Err(Reason::ForeignClient));
    let two = json!({"azp": "web", "client_id": "third", "scope": "openid"});
    assert_eq!(access(two, &rules(&[], &[])), Err(Reason::ForeignClient), "every claim that names a client counts");
    let api = json!({"azp": "third", "scope": "user"});
    assert_eq!(access(api, &rules(&[], &[])), Err(Reason::ForeignClient), "only our provider asks users for it");
}

#[test]
fn client_that_the_operator_names_acts_as_the_user_though_it_is_not_first_party() {
    let token = json!({"client_id": "wiki", "first_party": false, "aud": ["wiki", "us"], "scope": "openid"});
    assert_eq!(access(token.clone(), &own(&[], &["wiki"])), Ok(("user".to_owned(), amr::OIDC)));
    assert_eq!(access(token, &own(&["us"], &[])), Err(Reason::ForeignClient), "an audience names no client");
}

/// Any provider's clients may have a claim of that name.
#[test]
fn first_party_claim_is_accepted_from_our_own_provider_only() {
    let token = |first_party: Value| json!({"azp": "third", "aud": "us", "first_party": first_party, "scope": "openid user tokens:write", "amr": ["pwd"]});
    for first_party in [json!(true), json!(false), json!("true")] {
        assert_eq!(access(token(first_party), &rules(&[], &[])), Err(Reason::ForeignClient));
    }
    let by_audience = access(token(json!(true)), &rules(&["us"], &[]));
    assert_eq!(by_audience.map(|(_, amr)| amr), Ok(amr::OIDC_CLIENT), "no sign-in at a client that is known");
    let party = json!({"azp": "third", "first_party": true, "scope": "openid"});
    assert_eq!(access(party, &rules(&[], &["web"])), Err(Reason::ForeignToken));
}

/// RFC 9068 5: the identifier of a client that acts for itself may be that of a user.
#[test]
fn token_in_which_a_client_acts_for_itself_is_no_users() {
    for name in CLIENT {
        let mut token = claims(json!({"sub": "einstein", "aud": "us", "first_party": true, "scope": "user"}));
        token.insert(name.to_owned(), json!("einstein"));
        for rules in [own(&[], &[]), own(&["us"], &["einstein"]), rules(&["us"], &[]), rules(&[], &["einstein"])] {
            assert_eq!(check(&token, &rules), Err(Reason::UnknownUser), "{name} {rules:?}");
        }
    }
    let users = json!({"sub": "einstein", "azp": "web", "scope": "openid"});
    assert!(access(users, &rules(&[], &[])).is_ok());
}

/// A token that names no client is admitted by its audience alone, and the log says so.
#[test]
fn remedy_for_a_refused_client_names_the_settings() {
    let nameless = json!({"sub": "4c51", "aud": "us", "scope": "openid"});
    assert_eq!(access(nameless.clone(), &rules(&[], &[])), Err(Reason::ForeignClient));
    assert_eq!(access(nameless, &rules(&["us"], &[])), Ok(("user".to_owned(), amr::OIDC_CLIENT)));
    for setting in ["AUDIENCE", "AUTHORIZED_PARTIES", "OWN_ISSUERS"] {
        assert!(remedy(&rules(&[], &[])).contains(&format!("AUTH_BEARER_OIDC_{setting}")), "{setting}");
    }
    assert!(remedy(&own(&[], &[])).contains("trusted: true"));
}

#[test]
fn scope_is_read_from_a_text_and_from_a_list() {
    let open = rules(&["us"], &[]);
    for scope in [json!({"scope": "openid tokens:write"}), json!({"scp": ["openid", "tokens:write"]})] {
        let mut token = claims(scope);
        token.insert("aud".to_owned(), json!("us"));
        check(&token, &open).expect("counts");
        let access = Access::of(&token, &open).expect("counts");
        assert!(access.scopes.allow(&Wanted::Tokens(Permission::Write)) && !access.scopes.is_full_user());
    }
}

#[test]
fn only_userinfo_accepts_a_token_of_any_client() {
    let access = Access::of_any_client();
    assert!(access.scopes.is_full_user() && access.amr == amr::OIDC_CLIENT);
}

proptest! {
    #[test]
    fn third_party_never_gets_more_than_its_scope(scope in "[a-z:/ ]{0,40}", client in "[a-z]{3,8}") {
        let token = json!({"client_id": client, "first_party": false, "scope": scope, "amr": ["pwd"]});
        let asks_for_all = scope.split(' ').any(|token| token == "user");
        if let Ok((keys, method)) = access(token, &own(&[], &[])) {
            prop_assert_eq!(method, amr::OIDC_CLIENT);
            prop_assert_eq!(keys.split(' ').any(|key| key == "user"), asks_for_all);
        }
    }
}
