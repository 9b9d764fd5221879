//! Users of tenants; and `GetTenant` and `GetTenantByClaim`: messages as the services of an OpenCloud send them, byte by byte.

use std::sync::Arc;

use async_trait::async_trait;
use authn::{
    AuthError, Authenticated, Authenticator, Caller, Credentials, Gateway as _, Reason, Revalidate, User, UserId, kind,
};
use bounded_cache::HeapSize;
use gateway::peers::Provider;

use crate::world::{Scripted, answered, framed, gateway, gateway_with};

/// `GetTenantByClaimRequest`: `claim` (1) externalid, `value` (2).
const REQUEST: &[u8] = b"\x0a\x0aexternalid\x12\x02t1";
/// `GetTenantByClaimResponse`: `status` (1) with the code OK, `tenant` (2) with `id` (1), `name` (2), `external_id` (3) and the field 200.
const RESPONSE: &[u8] = b"\x0a\x02\x08\x01\x12\x18\x0a\x03one\x12\x07Physics\x1a\x02t1\xc2\x0c\x03new";

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_asked_where_they_are() {
    let (here, upstream) = ("/cs3.identity.tenant.v1beta1.TenantAPI/", "/cs3.gateway.v1beta1.GatewayAPI/");
    let all = ["tenants", "upstream", "users"];
    for (configured, asked, service) in [
        (&all[..], 0, here),
        (&all[..1], 0, here),
        (&all[1..], 1, upstream),
        (&all[1..2], 1, upstream),
        (&all[2..], 2, here),
    ] {
        let services = [
            Scripted::start(Some(RESPONSE)).await,
            Scripted::start(Some(RESPONSE)).await,
            Scripted::start(Some(RESPONSE)).await,
        ];
        let gateway = gateway(|config| {
            let endpoints = &mut config.endpoints;
            for (name, endpoint) in
                all.into_iter().zip([&mut endpoints.tenants, &mut endpoints.upstream, &mut endpoints.users])
            {
                let service = all.iter().zip(&services).find(|(known, _)| **known == name).map(|(_, service)| service);
                if let Some(service) = service.filter(|_| configured.contains(&name)) {
                    endpoint.clone_from(&service.address);
                }
            }
        });
        for method in ["GetTenant", "GetTenantByClaim"] {
            let (body, status) = answered(&gateway, method, REQUEST, &[]).await;
            assert_eq!((body, status.as_deref()), (framed(RESPONSE), Some("0")), "{configured:?}");
        }
        let calls = services[asked].calls();
        let paths: Vec<_> = calls.iter().map(|call| call.path.as_str()).collect();
        assert_eq!(paths, [format!("{service}GetTenant"), format!("{service}GetTenantByClaim")], "{configured:?}");
        let is_whole = calls.iter().all(|call| call.body == framed(REQUEST) && call.headers["x-user-agent"] == "web");
        assert!(is_whole, "{calls:?}");
        assert_eq!(services.iter().map(|service| service.calls().len()).sum::<usize>(), 2, "{configured:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_knows_tenants_without_services() {
    let (_, status) = answered(&gateway(|_| ()), "GetTenant", REQUEST, &[]).await;
    assert_eq!(status.as_deref(), Some("12"));
    let dead = gateway(|config| "127.0.0.1:1".clone_into(&mut config.endpoints.tenants));
    let (_, status) = answered(&dead, "GetTenant", REQUEST, &[]).await;
    assert_eq!(status.as_deref(), Some("14"));
}

/// An authenticator that accepts every credential for a user of this tenant, with an answer that may be reused.
struct OfTenant(&'static str);

#[derive(Debug)]
struct Valid;

impl HeapSize for Valid {}

impl Revalidate for Valid {
    fn is_still_valid(&self, _: &Caller) -> bool {
        true
    }
}

#[async_trait]
impl Authenticator for OfTenant {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let username = credentials.client_id.clone();
        let id = UserId { opaque_id: username.clone(), tenant_id: self.0.to_owned(), ..UserId::default() };
        let revalidate = Some(Arc::new(Valid) as Arc<dyn Revalidate>);
        let user = Arc::new(User { id, username, ..User::default() });
        Ok(Authenticated { revalidate, ..Authenticated::full(user, "pwd") })
    }
}

/// `docs/security-requirements.md#g23`
#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_credentials_needs_a_user_with_a_tenant() {
    for (tenant, is_multi_tenant) in [("", true), ("physics", true), ("", false)] {
        let gateway = gateway_with(
            |config| config.multi_tenant_enabled = is_multi_tenant,
            |peers| {
                for kind in kind::ALL {
                    let provider = Provider { authenticator: Arc::new(OfTenant(tenant)), address: String::new() };
                    peers.providers.insert(kind, provider);
                }
            },
        );
        for kind in kind::ALL {
            let is_acceptable = !tenant.is_empty() || !is_multi_tenant || kind == kind::SERVICE;
            // the second answer may be the first one
            for _ in 0..2 {
                let answer = gateway.token(kind, &Credentials::new("ann", "secret")).await.map(drop);
                match answer {
                    Ok(()) => assert!(is_acceptable, "{kind} {tenant:?}"),
                    Err(AuthError::Refused(Reason::Tenant)) => assert!(!is_acceptable, "{kind} {tenant:?}"),
                    Err(other) => panic!("{kind} {tenant:?}: {other:?}"),
                }
            }
        }
    }
}
