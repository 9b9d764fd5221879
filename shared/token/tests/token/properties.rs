//! What holds for every input.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::support::{NOW, SECRET, alan, at, forge, ring, signed, verifier};
use authn::{
    Actor, Authenticated, ExternalIdentity, OpaqueEntry, Role, Scope, Scopes, User, UserId, UserStatus, UserType,
};
use proptest::{collection, option, prelude::*};
use serde_json::json;
use token::{Claims, Minter};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,20}", "[<>&\u{2028}\"\\\\]{0,5}", Just("roles".to_owned())]
}

fn entry() -> impl Strategy<Value = OpaqueEntry> {
    (text(), collection::vec(any::<u8>(), 0..20)).prop_map(|(decoder, value)| OpaqueEntry { decoder, value })
}

fn ids() -> impl Strategy<Value = UserId> {
    let external = (text(), text()).prop_map(|(idp, opaque_id)| ExternalIdentity { idp, opaque_id });
    let external = collection::vec(external, 0..3);
    (text(), ".{1,36}", 0..=8, text(), external).prop_map(|(idp, opaque_id, kind, tenant_id, external_identities)| {
        UserId { idp, opaque_id, kind: UserType::from_number(kind), tenant_id, external_identities }
    })
}

fn users() -> impl Strategy<Value = User> {
    let texts = (text(), text(), any::<bool>(), text());
    let lists = (collection::vec(text(), 0..4), collection::vec(text(), 0..4));
    // roles never stand among the other entries of a user that came over a wire
    let entries = collection::btree_map(text().prop_filter("roles", |key| key != "roles"), entry(), 0..3);
    (ids(), texts, lists, entries, any::<(i64, i64)>(), 0..=2).prop_map(
        |(id, (username, mail, mail_verified, display_name), (groups, roles), opaque, numbers, status)| User {
            id,
            username,
            mail,
            mail_verified,
            display_name,
            groups,
            roles,
            opaque,
            uid_number: numbers.0,
            gid_number: numbers.1,
            status: UserStatus::from_number(status),
            password_changed: Some(at(NOW)),
        },
    )
}

fn scopes() -> impl Strategy<Value = Scopes> {
    let scope = (entry(), 0..=7).prop_map(|(resource, role)| Scope { resource, role: Role::from_number(role) });
    collection::btree_map(text(), scope, 0..3).prop_map(|scopes: BTreeMap<_, _>| Scopes(scopes))
}

fn actors() -> impl Strategy<Value = Actor> {
    collection::vec(".{1,20}", 1..=4).prop_map(|subjects| {
        let chain = subjects.into_iter().map(Actor::from).reduce(|former, actor| actor.nested_in(former).unwrap());
        chain.unwrap()
    })
}

fn answers() -> impl Strategy<Value = Authenticated> {
    (users(), scopes(), option::of(1..1000_u64), text(), option::of(actors()), option::of(text())).prop_map(
        |(user, scopes, end, amr, actor, sid)| Authenticated {
            user: Arc::new(user),
            scopes: Arc::new(scopes),
            not_after: end.map(|end| at(NOW + end)),
            amr: amr.into(),
            actor,
            sid,
            revalidate: None,
        },
    )
}

proptest! {
    #[test]
    fn what_is_minted_is_what_is_read(answer in answers(), skip_groups: bool) {
        let token = Minter::new(ring(), Duration::from_mins(5), skip_groups).mint(at(NOW), &answer).unwrap();
        let Claims { user, scopes, issuer, issued_at, expires_at, jti, amr, actor, sid, groups_omitted } =
            verifier().verify(at(NOW), &token).unwrap();
        // the directory and the authenticator handle that
        let mut expected = User { password_changed: None, ..answer.user.as_ref().clone() };
        if skip_groups {
            expected.groups.clear();
        }
        prop_assert_eq!(groups_omitted, skip_groups);
        prop_assert_eq!(&issuer, &expected.id.idp);
        prop_assert_eq!(user, expected);
        prop_assert_eq!(&scopes, answer.scopes.as_ref());
        prop_assert_eq!(issued_at, at(NOW));
        prop_assert_eq!(expires_at, answer.not_after.unwrap_or(at(NOW + 300)).min(at(NOW + 300)));
        prop_assert_eq!(jti.map(|id| id.len()), Some(22));
        prop_assert_eq!(amr.concat(), answer.amr.as_ref());
        prop_assert_eq!(actor, answer.actor);
        prop_assert_eq!(sid, answer.sid);
    }

    #[test]
    fn no_text_is_accepted_or_panics(token in "\\PC*") {
        prop_assert!(verifier().verify(at(NOW), &token).is_err());
    }

    #[test]
    fn no_bytes_are_accepted_or_panic(bytes in collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(verifier().verify(at(NOW), &String::from_utf8_lossy(&bytes)).is_err());
    }

    #[test]
    fn nothing_that_looks_like_a_token_is_accepted_or_panics(token in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,200}\\.[A-Za-z0-9_-]{0,50}") {
        prop_assert!(verifier().verify(at(NOW), &token).is_err());
    }

    #[test]
    fn no_header_panics(header in "\\PC{0,60}", claims in "\\PC{0,60}") {
        prop_assert!(verifier().verify(at(NOW), &signed(&header, &claims, SECRET)).is_err());
    }

    #[test]
    fn no_signed_claims_panic(text in "[\\[\\]{}:,\"a-z0-9.e-]{0,80}", exp: i64, iat: u64, aud in text(), role: i32, value in text()) {
        let token = signed(r#"{"alg":"HS256","typ":"JWT"}"#, &text, SECRET);
        prop_assert!(verifier().verify(at(NOW), &token).is_err());
        let scope = json!({"user": {"resource": {"value": value}, "role": role}});
        let claims = json!({"exp": exp, "iat": iat, "aud": aud, "user": {"id": {"type": role}}, "scope": scope});
        prop_assert!(verifier().verify(at(NOW), &forge(&claims)).is_err());
    }

    #[test]
    fn no_changed_byte_goes_unnoticed(index: prop::sample::Index, byte in "[A-Za-z0-9_.-]") {
        let token = Minter::new(ring(), Duration::from_mins(5), false).mint(at(NOW), &alan()).unwrap();
        let place = index.index(token.len());
        prop_assume!(token[place..=place] != byte);
        let mut changed = token;
        changed.replace_range(place..=place, &byte);
        prop_assert!(verifier().verify(at(NOW), &changed).is_err());
    }
}

#[test]
fn null_and_missing_members_are_equal() {
    let user = json!({"id": {"opaque_id": "7"}, "groups": null, "opaque": {"map": {"a": null, "b": {"value": null}}}});
    let claims = json!({"aud": ["reva"], "exp": NOW + 9, "iat": NOW, "user": user, "scope": null, "other": {"x": [1]}});
    let claims = verifier().verify(at(NOW), &forge(&claims)).unwrap();
    assert_eq!(claims.scopes, Scopes::default());
    assert_eq!(claims.user.opaque.into_keys().collect::<Vec<_>>(), ["a", "b"]);
    assert!(claims.user.groups.is_empty() && claims.user.roles.is_empty());
}

#[test]
fn roles_and_roles_that_cannot_be_read_are_no_administrator_s() {
    for (value, admin) in [
        ("WyI3MTg4MTg4My0xNzY4LTQ2YmQtYTI0ZC1hMzU2YTJhZmRmN2YiXQ==", true),
        ("IjcxODgxODgzLTE3NjgtNDZiZC1hMjRkLWEzNTZhMmFmZGY3ZiI=", false),
        ("", false),
    ] {
        let user = json!({"id": {"opaque_id": "7"}, "opaque": {"map": {"roles": {"decoder": "json", "value": value}}}});
        let claims = json!({"aud": ["reva"], "exp": NOW + 9, "iat": NOW, "user": user});
        assert_eq!(verifier().verify(at(NOW), &forge(&claims)).unwrap().user.is_admin(), admin, "{value}");
    }
}
