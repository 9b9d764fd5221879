//! One of several instances with common users.

use prost::Message;
use proto::cs3::gateway::v1beta1::AuthenticateResponse;

use crate::world::{Scripted, answered, gateway};

/// `docs/security-requirements.md#g24`.
#[tokio::test(flavor = "multi_thread")]
async fn instance_refuses_passwords_before_they_are_verified() {
    let authenticator = Scripted::start(None).await;
    let of = |is_multi_instance| {
        gateway(|config| {
            config.multi_instance_enabled = is_multi_instance;
            for endpoint in [
                &mut config.endpoints.auth_app,
                &mut config.endpoints.auth_basic,
                &mut config.endpoints.auth_bearer,
                &mut config.endpoints.auth_machine,
                &mut config.endpoints.auth_service,
            ] {
                endpoint.clone_from(&authenticator.address);
            }
        })
    };
    // `type` (2), `client_id` (3), `client_secret` (4)
    let basic: &[u8] = b"\x12\x05basic\x1a\x03ann\x22\x03pwd";
    let app: &[u8] = b"\x12\x07appauth\x1a\x03ann\x22\x03pwd";
    let instance = of(true);
    for message in [basic, app] {
        let (body, _) = answered(&instance, "Authenticate", message, &[]).await;
        let status = AuthenticateResponse::decode(&body[5..]).expect("a message").status.unwrap_or_default();
        assert_eq!((status.code, status.message.as_str()), (9, "invalid credentials"));
    }
    assert!(authenticator.calls().is_empty(), "it was asked");

    let others: [&[u8]; 3] = [
        b"\x12\x06bearer\x22\x03pwd",
        b"\x12\x07machine\x1a\x03ann\x22\x03pwd",
        b"\x12\x0fserviceaccounts\x1a\x03ann\x22\x03pwd",
    ];
    for (asked, message) in others.into_iter().enumerate() {
        answered(&instance, "Authenticate", message, &[]).await;
        assert_eq!(authenticator.calls().len(), asked + 1);
    }
    answered(&of(false), "Authenticate", basic, &[]).await;
    assert_eq!(authenticator.calls().len(), 4);
}
