//! Credentials of links: messages as the gateway of an OpenCloud sends them, byte by byte.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use authn::{AuthError, Caller, Credentials, Gateway, UserType, kind};
use doorward::ServiceId;
use prost::Message;
use proto::cs3::gateway::v1beta1::{AuthenticateRequest, AuthenticateResponse, gateway_api_client::GatewayApiClient};
use runtime::CapturedLog;
use testkit::{Layout, Mode, TestFamily};
use tracing::Level;

use crate::methods::other_gateway;
use crate::world::{Scripted, answered, family, framed, gateway, gateway_before};

/// `AuthenticateRequest`: `type` (2) guestlinks, `client_secret` (4).
const GUEST: &[u8] = b"\x12\x0aguestlinks\x22\x05e.y.J";
/// `AuthenticateResponse`: `status` (1) with the code OK; `token` (3); `user` (4) with the `id` (1) of `opaque_id` (2), `type` (3) GUEST and
/// `tenant_id` (4), the `username` (2) and the `mail` (3).
const ACCEPTED: &[u8] = b"\x0a\x02\x08\x01\
    \x1a\x05a.b.c\
    \x22\x45\
    \x0a\x1d\x12\x11guest@example.org\x18\x05\x22\x06tenant\
    \x12\x11guest@example.org\
    \x1a\x11guest@example.org";
/// `AuthenticateResponse`: `status` (1) with the code UNAUTHENTICATED and the `InnerError` (5) of `decoder` (1) and `value` (2).
const EXPIRED: &[u8] = b"\x0a\x5f\x08\x09\
    \x2a\x5b\x0a\x04json\x12\x53\
    {\"type\":\"opencloud_guest_link_error\",\"reason\":\"session_expired\",\"share_id\":\"a:b:c\"}";
/// What the value of [`EXPIRED`] is.
const EXPLANATION: &[u8] = br#"{"type":"opencloud_guest_link_error","reason":"session_expired","share_id":"a:b:c"}"#;
/// [`GUEST`] with the field 200.
const NEWER_REQUEST: &[u8] = b"\x12\x0aguestlinks\x22\x05e.y.J\xc2\x0c\x03new";
/// `AuthenticateResponse`: `status` (1) with the code OK and the field 200, `token` (3), `user` (4) with the `username` (2) and the field 200,
/// and the field 200.
const NEWER_RESPONSE: &[u8] = b"\x0a\x08\x08\x01\xc2\x0c\x03new\
    \x1a\x05a.b.c\
    \x22\x0b\x12\x03ann\xc2\x0c\x03new\
    \xc2\x0c\x03new";

/// Asserts that the upstream receives the request, and the caller its answer, byte for byte.
async fn assert_forwarded(request: &'static [u8], response: &'static [u8]) {
    let upstream = Scripted::start(Some(response)).await;
    let (body, status) = answered(&gateway_before(&upstream), "Authenticate", request, &[]).await;
    assert_eq!((body, status.as_deref()), (framed(response), Some("0")));
    let call = upstream.call();
    assert_eq!((call.path.as_str(), call.body), ("/cs3.gateway.v1beta1.GatewayAPI/Authenticate", framed(request)));
}

/// `docs/security-requirements.md#g21`, `#g10`.
#[tokio::test(flavor = "multi_thread")]
async fn guest_is_answered_with_type_guest_and_tenant() {
    assert_forwarded(GUEST, ACCEPTED).await;
    let upstream = Scripted::start(Some(ACCEPTED)).await;
    let session = Credentials::new("", "e.y.J");
    let identified = gateway_before(&upstream).token(kind::GUEST_LINKS, &session).await.expect("a guest");
    assert_eq!(&*identified.token, "a.b.c");
    let user = &identified.user;
    assert_eq!((user.id.kind, user.id.tenant_id.as_str()), (UserType::Guest, "tenant"));
    assert!([&user.id.opaque_id, &user.username, &user.mail].iter().all(|name| *name == "guest@example.org"));
    assert_eq!(upstream.call().body, framed(GUEST));
}

/// `docs/security-requirements.md#g21`.
#[tokio::test(flavor = "multi_thread")]
async fn expired_guest_session_keeps_its_inner_error() {
    assert_forwarded(GUEST, EXPIRED).await;
    let upstream = Scripted::start(Some(EXPIRED)).await;
    let refused = gateway_before(&upstream).token(kind::GUEST_LINKS, &Credentials::new("", "e.y.J")).await;
    let Err(AuthError::Explained(explanation)) = refused else { panic!("{refused:?}") };
    assert_eq!((explanation.decoder.as_str(), explanation.value.as_slice()), ("json", EXPLANATION));
}

/// `docs/security-requirements.md#g11`: the upstream does not know the client of an edge in the same process.
#[tokio::test]
async fn refused_credentials_of_links_are_audited_without_their_tokens() {
    let log = CapturedLog::start(Level::INFO);
    let upstream = Scripted::start(Some(EXPIRED)).await;
    let (refusing, dead) =
        (gateway_before(&upstream), gateway(|config| "127.0.0.1:1".clone_into(&mut config.endpoints.upstream)));
    let alone = gateway(|_| {});
    let caller = Caller { source: Some([192, 0, 2, 7].into()), ..Caller::default() };
    let credentials = Credentials { caller, ..Credentials::new("token-of-the-link", "password-of-the-link") };
    for (gateway, kind) in [
        (&refusing, kind::GUEST_LINKS),
        (&refusing, kind::PUBLIC_SHARES),
        (&dead, kind::PUBLIC_SHARES),
        (&alone, kind::OCM_SHARES),
        // anybody can ask for them, however often: without an upstream they are no event
        (&alone, kind::PUBLIC_SHARES),
    ] {
        gateway.token(kind, &credentials).await.expect_err("it is no acceptance");
    }
    let events = log.audit_events();
    let fields = ["event", "outcome", "kind", "reason", "source"];
    let events: Vec<_> =
        events.iter().map(|event| fields.map(|name| event[name].as_str().unwrap_or_default())).collect();
    let event = |kind, reason| ["authenticate", "refused", kind, reason, "192.0.2.7"];
    let expected = [
        event("guestlinks", "explained"),
        event("publicshares", "explained"),
        event("publicshares", "unavailable"),
        event("ocmshares", "unknown_type"),
    ];
    assert_eq!(events, expected);
    let text = log.text();
    assert!(text.contains("authentication came to no verdict"), "{text}");
    assert!(!text.contains("of-the-link"), "{text}");
}

/// `docs/security-requirements.md#g21`.
#[tokio::test(flavor = "multi_thread")]
async fn fields_that_this_gateway_does_not_know_pass() {
    assert_forwarded(NEWER_REQUEST, NEWER_RESPONSE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn public_and_ocm_shares_are_answered_by_the_upstream() {
    // `type` (2), `client_id` (3), `client_secret` (4)
    for request in [
        &b"\x12\x0cpublicshares\x1a\x04link\x22\x0apassword|x"[..],
        b"\x12\x0cpublicshares\x1a\x04link\x22\x22signature|sig|2026-11-30T00:00:00Z",
        b"\x12\x09ocmshares\x1a\x04link\x22\x01x",
    ] {
        assert_forwarded(request, ACCEPTED).await;
    }
}

/// `docs/security-requirements.md#g21`.
#[tokio::test(flavor = "multi_thread")]
async fn own_kinds_never_reach_the_upstream() {
    let calls = Arc::new(AtomicUsize::new(0));
    let mut layout = Layout::new("upstream-own", false);
    layout.set("GATEWAY_UPSTREAM_ENDPOINT", &other_gateway(calls.clone()).await);
    // switched off: it is ours all the same
    layout.set("GATEWAY_AUTH_BEARER_ENDPOINT", "");
    let family = TestFamily::start_with(layout, Mode::Inside, |context| context).await;
    for kind in authn::kind::ALL {
        family.authenticate(kind, "einstein", "wrong").await.expect_err(kind);
    }
    family.authenticate("", "einstein", "wrong").await.expect_err("no type");
    family.who_am_i("nothing").await.expect_err("no token");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_metadata_passes() {
    let upstream = Scripted::start(Some(ACCEPTED)).await;
    let sent = [("x-request-id", "req-1"), ("autoprop-label", "one"), ("autoprop-label", "two"), ("x-later", "new")];
    answered(&gateway_before(&upstream), "Authenticate", GUEST, &sent).await;
    let headers = upstream.call().headers;
    let values = |name: &str| headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>();
    assert_eq!(values("x-access-token"), [b"an-internal-token".to_vec()]);
    assert_eq!(values("x-request-id"), [b"req-1".to_vec()]);
    assert_eq!(values("autoprop-label"), [b"one".to_vec(), b"two".to_vec()]);
    assert_eq!(values("x-later"), [b"new".to_vec()]);
}

/// `docs/security-requirements.md#g11`: the name of the link is not in the log of a request that does not reach the upstream.
#[tokio::test]
async fn foreign_type_is_refused_where_a_transaction_token_is_wanted() {
    let log = CapturedLog::start(Level::DEBUG);
    let upstream = Scripted::start(Some(ACCEPTED)).await;
    let gateway = gateway_before(&upstream);
    // {"scope":"a"}
    let wanted = [("x-doorward-txn-request-bin", "eyJzY29wZSI6ImEifQ==")];
    let (body, _) = answered(&gateway, "Authenticate", GUEST, &wanted).await;
    let answer = AuthenticateResponse::decode(&body[5..]).expect("a message");
    assert_eq!(answer.status.as_ref().map(|status| status.code), Some(4));
    assert!(answer.token.is_empty() && upstream.calls().is_empty(), "{answer:?}");
    // `type` (2), `client_id` (3), `client_secret` (4)
    let link = b"\x12\x0cpublicshares\x1a\x10name-of-the-link\x22\x0apassword|x";
    let share = b"\x12\x09ocmshares\x1a\x10name-of-the-link\x22\x01x";
    // {}
    let malformed = [("x-doorward-txn-request-bin", "e30=")];
    for (message, headers) in [(&link[..], &wanted), (link, &malformed), (share, &wanted), (share, &malformed)] {
        answered(&gateway, "Authenticate", message, headers).await;
    }
    assert!(upstream.calls().is_empty());
    let events = log.audit_events();
    let reasons: Vec<_> = events.iter().map(|event| event["reason"].as_str().unwrap_or_default()).collect();
    assert_eq!(reasons, ["unknown_type", "malformed", "unknown_type", "malformed"]);
    assert!(!log.text().contains("of-the-link"), "{}", log.text());
    answered(&gateway, "Authenticate", GUEST, &[]).await;
    assert_eq!(upstream.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn outage_of_the_upstream_is_no_refusal() {
    // `status` (1) with the code UNAVAILABLE
    let upstream = Scripted::start(Some(&b"\x0a\x02\x08\x10"[..])).await;
    let away = gateway_before(&upstream).token(kind::GUEST_LINKS, &Credentials::new("", "e.y.J")).await;
    assert!(matches!(away, Err(AuthError::Unavailable { .. })), "{away:?}");
    let dead = crate::world::gateway(|config| "127.0.0.1:1".clone_into(&mut config.endpoints.upstream));
    let dead = dead.token(kind::GUEST_LINKS, &Credentials::new("", "e.y.J")).await;
    assert!(matches!(dead, Err(AuthError::Unavailable { .. })), "{dead:?}");
    let alone = crate::world::gateway(|_| {}).token(kind::GUEST_LINKS, &Credentials::new("", "e.y.J")).await;
    assert!(matches!(alone, Err(AuthError::UnknownType { .. })), "{alone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_foreign_types_are_refused_without_an_upstream_and_unavailable_with_a_dead_one() {
    let alone = TestFamily::start("foreign-type", Mode::Inside).await;
    let (kind, text) = alone.authenticate("publicshares", "link", "x").await.expect_err("an unknown type");
    assert!(text.contains("publicshares"), "{kind:?} {text}");
    let dead = family("127.0.0.1:1").await;
    let request = AuthenticateRequest { r#type: "publicshares".to_owned(), ..AuthenticateRequest::default() };
    let refused = GatewayApiClient::new(dead.channel(ServiceId::Gateway)).authenticate(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (tonic::Code::Unavailable, "the upstream gateway is not available")
    );
}
