//! Forms for clients and signing keys whose token is that of another form.

use axum::http::StatusCode;
use proto::doorward::idp::v1::{ClientSource, KeyState};
use serde_json::json;

use super::super::support::Browser;
use super::{CLIENTS, KEYS, World, submit};

/// Sends to each of these forms, with what it would be accepted with, the tokens of all other ones: none is accepted.
async fn assert_no_other_token_is_accepted(
    world: &World,
    admin: &mut Browser<'_>,
    forms: &[(String, Vec<(&str, &str)>)],
    others: &[String],
) {
    let before = world.known().clone();
    for (path, fields) in forms {
        let of_forms = forms.iter().map(|(other, _)| other).filter(|other| *other != path);
        for other in of_forms.chain(others) {
            let reply = submit(admin, other, path, fields).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "the token of {other} at {path}: {}", reply.page);
            assert_eq!(*world.known(), before, "the token of {other} at {path}");
        }
        let reply = admin.post(path, fields).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "no token at {path}: {}", reply.page);
        assert_eq!(*world.known(), before, "no token at {path}");
    }
}

/// `docs/security-requirements.md#n20`
#[tokio::test]
async fn form_of_another_client_or_act_changes_no_client() {
    let world = World::new().await;
    for id in ["wiki", "shop"] {
        world.add_client(id, ClientSource::Added, &json!({}));
    }
    let path = |below: &str| format!("{CLIENTS}{below}");
    let new = [("name", "Files"), ("kind", "web"), ("redirect_uris", "https://files.example/cb")];
    let forms = [
        (path("/new"), new.to_vec()),
        (path("/of/wiki"), vec![("name", "Another")]),
        (path("/of/wiki/secret"), vec![("grace", "0")]),
        (path("/of/wiki/remove"), vec![("id", "wiki")]),
    ];
    let of_another_client = ["", "/secret", "/remove"].map(|below| path(&format!("/of/shop{below}")));
    let mut admin = world.admin();
    assert_no_other_token_is_accepted(&world, &mut admin, &forms, &of_another_client).await;
    // the two forms of the page of a client have the same token
    let (metadata, change) = (path("/of/wiki/metadata"), [("metadata", r#"{"scope": "openid"}"#)]);
    let before = world.known().clone();
    for other in of_another_client.iter().chain([&path("/new"), &path("/of/wiki/secret"), &path("/of/wiki/remove")]) {
        assert_eq!(submit(&mut admin, other, &metadata, &change).await.status, StatusCode::FORBIDDEN, "{other}");
    }
    assert_eq!(*world.known(), before);
    assert_eq!(submit(&mut admin, &path("/of/wiki"), &metadata, &change).await.status, StatusCode::SEE_OTHER);
    for (path, fields) in &forms {
        let own = submit(&mut admin, path, path, fields).await;
        assert!(matches!(own.status, StatusCode::OK | StatusCode::SEE_OTHER), "{path}: {}", own.page);
    }
}

/// `docs/security-requirements.md#n21`
#[tokio::test]
async fn form_of_another_key_or_act_changes_no_key() {
    let world = World::new().await;
    world.add_key("k1", "ES256", KeyState::Retired);
    world.add_key("k2", "ES256", KeyState::Current);
    let forms = [
        "/rotate?algorithm=ES256",
        "/rotate?algorithm=ES256&at_once=1",
        "/rotate?algorithm=RS256",
        "/retire?kid=k1",
        "/retire?kid=k2",
    ];
    let forms = forms.map(|below| (format!("{KEYS}{below}"), Vec::new()));
    world.add_client("k1", ClientSource::Added, &json!({}));
    let of_a_client = ["", "/secret", "/remove"].map(|below| format!("{CLIENTS}/of/k1{below}"));
    let mut admin = world.admin();
    assert_no_other_token_is_accepted(&world, &mut admin, &forms, &of_a_client).await;
    for (path, fields) in &forms {
        assert_eq!(submit(&mut admin, path, path, fields).await.status, StatusCode::SEE_OTHER, "{path}");
    }
}
