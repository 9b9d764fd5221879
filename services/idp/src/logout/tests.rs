//! The endpoint, the pages behind it and the messages to clients, over a database.

mod backchannel;
mod endpoint;
mod people;

use uuid::Uuid;

use super::*;
use crate::model::SignIn;

fn grant(scope: &str, session: Option<Uuid>) -> Grant {
    let sign_in = SignIn { session, at: 0, amr: Vec::new(), acr: String::new() };
    Grant {
        id: Uuid::from_u128(1),
        layout: Layout::OpenCloud,
        client: "web".to_owned(),
        person: Some("einstein".to_owned()),
        sign_in: Some(sign_in),
        scope: scope.parse().unwrap(),
        claims: None,
        resources: Vec::new(),
        actor: None,
        limited: false,
    }
}

#[test]
fn a_grant_ends_with_its_session_unless_it_is_for_good() {
    let session = Some(Uuid::from_u128(7));
    assert_eq!(ends_with(&grant("openid profile", session)), session);
    assert_eq!(ends_with(&grant("openid offline_access", session)), None);
    assert_eq!(ends_with(&grant("openid offline", session)), None, "the word of Cells");
    assert_eq!(ends_with(&grant("openid", None)), None, "no browser was there");
    assert_eq!(ends_with(&Grant { sign_in: None, ..grant("openid", None) }), None, "a client for itself");
}
