//! The errors a caller gets when a request cannot be served, and how soon.

use std::time::{Duration, Instant};

use axum::http::uri::PathAndQuery;
use doorward::ServiceId;
use proto::cs3::gateway::v1beta1::{WhoAmIRequest, WhoAmIResponse};
use status::Kind;
use testkit::{Layout, Mode, TestFamily};
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

#[tokio::test(flavor = "multi_thread")]
async fn six_statuses_each_within_two_seconds() {
    let mut family = TestFamily::start("process-refusals", Mode::Processes).await;
    family.kill(ServiceId::AuthService);
    let long = "x".repeat(1024 * 1024);
    let password = family.layout.password.clone();
    let service = family.layout.service_secret.clone();
    for (what, kind, client_id, secret, expected) in [
        ("a wrong secret", "basic", "einstein", "wrong", Kind::Unauthenticated),
        ("an unknown user", "basic", "unknown", password.as_str(), Kind::Unauthenticated),
        ("an unknown type", "basic;machine", "einstein", password.as_str(), Kind::InvalidArgument),
        ("an empty secret", "basic", "einstein", "", Kind::Unauthenticated),
        ("a secret of 1 MiB", "basic", "einstein", long.as_str(), Kind::ResourceExhausted),
        ("a dead authenticator", "serviceaccounts", "jobs", service.as_str(), Kind::Unavailable),
    ] {
        let start = Instant::now();
        let (answered, text) = family.authenticate(kind, client_id, secret).await.expect_err(what);
        assert_eq!(answered, expected, "{what}: {text}");
        assert!(start.elapsed() < Duration::from_secs(2), "{what} took {:?}", start.elapsed());
    }
    family.authenticate("basic", "einstein", &password).await.expect("other users are served");
}

/// Row G10.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_credential_type_is_an_invalid_argument() {
    let family = TestFamily::start("types", Mode::Inside).await;
    let password = family.layout.password.clone();
    let long = "b".repeat(10_000);
    for kind in ["", "BASIC", "basic ", "basic;machine", "BEARER", &long] {
        let (answered, text) = family.authenticate(kind, "einstein", &password).await.expect_err("no such type");
        assert_eq!(answered, Kind::InvalidArgument, "{kind:.20}");
        assert!(text.len() < 256, "an unknown type is not echoed at length");
    }
    let (_, text) = family.authenticate("ldap", "einstein", &password).await.expect_err("no such type");
    assert!(text.contains("ldap") && text.contains("appauth, basic, bearer, machine, serviceaccounts"), "{text}");
}

/// Whether a service refuses a request of this many bytes as too long, whatever else it says to it.
async fn is_too_long(family: &TestFamily, service: ServiceId, path: &'static str, bytes: usize) -> bool {
    let mut client = tonic::client::Grpc::new(family.channel(service));
    client.ready().await.expect("the service answers");
    // the length is judged before the message is read as what it is not
    let message = Request::new(WhoAmIRequest { token: "x".repeat(bytes), ..WhoAmIRequest::default() });
    let codec = ProstCodec::<WhoAmIRequest, WhoAmIResponse>::default();
    let answer = client.unary(message, PathAndQuery::from_static(path), codec).await;
    answer.is_err_and(|status| status.code() == Code::ResourceExhausted)
}

/// The setting decides what every API reads, in both directions.
#[tokio::test(flavor = "multi_thread")]
async fn configured_message_size_is_the_limit_of_every_api() {
    const APIS: [(ServiceId, &str); 17] = [
        (ServiceId::Gateway, "/cs3.gateway.v1beta1.GatewayAPI/WhoAmI"),
        (ServiceId::Gateway, "/cs3.auth.registry.v1beta1.RegistryAPI/ListAuthProviders"),
        (ServiceId::Users, "/cs3.identity.user.v1beta1.UserAPI/GetUser"),
        (ServiceId::Users, "/doorward.users.v1.UsersAdminAPI/GetUser"),
        (ServiceId::AuthBasic, "/doorward.passwords.v1.PasswordsAPI/HasPassword"),
        (ServiceId::AuthApp, "/doorward.apptokens.v1.AppTokensAPI/ListTokens"),
        (ServiceId::Idp, "/doorward.idp.v1.IdpAdminAPI/ListClients"),
        (ServiceId::Idp, "/doorward.idp.v1.KeysAPI/ListKeys"),
        (ServiceId::Idp, "/doorward.idp.v1.AccountAPI/ListSessions"),
        (ServiceId::Idp, "/doorward.idp.v1.AccountAdminAPI/ListUserSessions"),
        (ServiceId::AuthBasic, "/cs3.auth.provider.v1beta1.ProviderAPI/Authenticate"),
        (ServiceId::AuthMachine, "/cs3.auth.provider.v1beta1.ProviderAPI/Authenticate"),
        (ServiceId::AuthService, "/cs3.auth.provider.v1beta1.ProviderAPI/Authenticate"),
        (ServiceId::AuthApp, "/cs3.auth.provider.v1beta1.ProviderAPI/Authenticate"),
        (ServiceId::AuthApp, "/cs3.auth.applications.v1beta1.ApplicationsAPI/ListAppPasswords"),
        (ServiceId::AuthBearer, "/cs3.auth.provider.v1beta1.ProviderAPI/Authenticate"),
        (ServiceId::Proxy, "/envoy.service.auth.v3.Authorization/Check"),
    ];
    for (name, size) in [("message-size-low", 20_000), ("message-size-high", 200_000)] {
        let mut layout = Layout::new(name, false);
        layout.set("OCIS_GRPC_MAX_RECEIVED_MESSAGE_SIZE", &size.to_string());
        layout.set("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer");
        layout.set("AUTH_BEARER_OIDC_ISSUER", "https://issuer.example");
        let family = TestFamily::start_with(layout, Mode::Inside, |context| context).await;
        for (service, path) in APIS {
            assert!(!is_too_long(&family, service, path, size - 100).await, "{path} reads {size} bytes");
            assert!(is_too_long(&family, service, path, size + 100).await, "{path} reads more than {size} bytes");
        }
        family.stop().await;
    }
}
