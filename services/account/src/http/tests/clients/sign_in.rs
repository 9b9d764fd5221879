//! How long ago an administrator may have signed in who opens or sends a form for clients and signing keys.

use std::time::Duration;

use axum::http::StatusCode;
use proto::doorward::idp::v1::{ClientSource, KeyState};
use serde_json::json;

use super::{CLIENTS, KEYS, World};

/// Just too long.
const TEN_MINUTES: Duration = Duration::from_mins(10);

/// `docs/security-requirements.md#n20`, `docs/security-requirements.md#n21`
#[tokio::test]
async fn pages_with_forms_need_a_recent_sign_in_so_that_no_input_is_lost() {
    let world = World::new().await;
    world.add_client("wiki", ClientSource::Added, &json!({}));
    world.add_client("tool", ClientSource::Registered, &json!({}));
    world.add_client("web", ClientSource::BuiltIn, &json!({}));
    world.add_client("shop", ClientSource::Configured, &json!({}));
    world.add_key("k1", "ES256", KeyState::Current);
    let mut admin = world.admin();
    let forms = [
        (format!("{CLIENTS}/new"), "%2Fadmin%2Fclients%2Fnew"),
        (format!("{CLIENTS}/of/wiki"), "%2Fadmin%2Fclients%2Fof%2Fwiki"),
        (format!("{CLIENTS}/of/wiki/metadata"), "%2Fadmin%2Fclients%2Fof%2Fwiki"),
        (format!("{CLIENTS}/of/tool?done=saved"), "%2Fadmin%2Fclients%2Fof%2Ftool"),
        (format!("{CLIENTS}/of/wiki/secret"), "%2Fadmin%2Fclients%2Fof%2Fwiki%2Fsecret"),
        (format!("{CLIENTS}/of/wiki/remove"), "%2Fadmin%2Fclients%2Fof%2Fwiki%2Fremove"),
        (format!("{KEYS}/rotate?algorithm=ES256"), "%2Fadmin%2Fkeys%2Frotate%3Falgorithm%3DES256"),
        (format!("{KEYS}/retire?kid=k1"), "%2Fadmin%2Fkeys%2Fretire%3Fkid%3Dk1"),
    ];
    for (path, return_to) in &forms {
        world.signed_in(TEN_MINUTES);
        let sent = admin.get(path).await;
        let sign_in = format!("/_doorward/login?rd={return_to}&max_age=300");
        assert_eq!((sent.status, sent.location()), (StatusCode::SEE_OTHER, sign_in.as_str()), "{path}");
        world.signed_in(Duration::from_secs(299));
        let shown = admin.get(path).await;
        assert!(shown.status == StatusCode::OK && shown.page.contains("<form method=\"post\""), "{}", shown.page);
    }
    // what is only shown needs none
    world.signed_in(TEN_MINUTES);
    let lists = [CLIENTS.to_owned(), format!("{CLIENTS}/of/web"), format!("{CLIENTS}/of/shop"), KEYS.to_owned()];
    for path in lists {
        assert_eq!(admin.get(&path).await.status, StatusCode::OK, "{path}");
    }
}

/// A form: where it is shown, where it is sent, and with what.
type Form<'a> = (String, String, &'a [(&'a str, &'a str)]);

/// Sends forms that were shown in time too late: each leads to the sign-in that returns to its page, and changes nothing. Sent again in
/// time, each of them is accepted.
async fn assert_late_forms_change_nothing(world: &World, forms: &[Form<'_>], return_to: &str) {
    let mut admin = world.admin();
    let mut late = Vec::new();
    for (shown, sent, fields) in forms {
        let csrf = admin.get(shown).await.field("csrf", 1);
        late.push((sent, csrf, fields));
    }
    let before = world.known().clone();
    world.signed_in(TEN_MINUTES);
    for (sent, csrf, fields) in &late {
        let reply = admin.post(sent, &[&[("csrf", csrf.as_str())], **fields].concat()).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{sent}: {}", reply.page);
        let sign_in = format!("href=\"/_doorward/login?rd={return_to}");
        assert!(reply.page.contains(&sign_in) && reply.page.contains("max_age=300"), "{sent}: {}", reply.page);
        assert_eq!(*world.known(), before, "{sent}");
    }
    world.signed_in(Duration::ZERO);
    for (sent, csrf, fields) in &late {
        let reply = admin.post(sent, &[&[("csrf", csrf.as_str())], **fields].concat()).await;
        assert!(matches!(reply.status, StatusCode::OK | StatusCode::SEE_OTHER), "{sent}: {}", reply.page);
    }
    assert_ne!(*world.known(), before);
}

/// `docs/security-requirements.md#n20`
#[tokio::test]
async fn client_form_sent_after_ten_minutes_leads_to_the_sign_in_and_changes_nothing() {
    let world = World::new().await;
    world.add_client("wiki", ClientSource::Added, &json!({}));
    let path = |below: &str| format!("{CLIENTS}{below}");
    let new = [("name", "Files"), ("kind", "web"), ("redirect_uris", "https://files.example/cb")];
    let forms: [Form<'_>; 5] = [
        (path("/new"), path("/new"), &new),
        (path("/of/wiki"), path("/of/wiki"), &[("name", "Another")]),
        (path("/of/wiki"), path("/of/wiki/metadata"), &[("metadata", r#"{"scope": "openid"}"#)]),
        (path("/of/wiki/secret"), path("/of/wiki/secret"), &[("grace", "0")]),
        (path("/of/wiki/remove"), path("/of/wiki/remove"), &[("id", "wiki")]),
    ];
    assert_late_forms_change_nothing(&world, &forms, "%2Fadmin%2Fclients%2F").await;
}

/// `docs/security-requirements.md#n21`
#[tokio::test]
async fn key_form_sent_after_ten_minutes_leads_to_the_sign_in_and_changes_nothing() {
    let world = World::new().await;
    world.add_key("k1", "ES256", KeyState::Current);
    let forms = ["/rotate?algorithm=ES256", "/rotate?algorithm=ES256&at_once=1", "/retire?kid=k1"];
    let nothing: &[(&str, &str)] = &[];
    let forms = forms.map(|below| (format!("{KEYS}{below}"), format!("{KEYS}{below}"), nothing));
    assert_late_forms_change_nothing(&world, &forms, "%2Fadmin%2Fkeys%2F").await;
}
