//! Tenants: parts of an installation whose users do not find those of others.

use authn::{AuthError, Reason, User, UserType, kind};
use http::uri::PathAndQuery;
use http::{Request, Uri};

/// The methods of `GatewayAPI` about tenants, and the same ones of `TenantAPI`, whose messages are the same.
const METHODS: [(&str, &str); 2] = [
    ("/cs3.gateway.v1beta1.GatewayAPI/GetTenant", "/cs3.identity.tenant.v1beta1.TenantAPI/GetTenant"),
    ("/cs3.gateway.v1beta1.GatewayAPI/GetTenantByClaim", "/cs3.identity.tenant.v1beta1.TenantAPI/GetTenantByClaim"),
];

/// Whether a method of `GatewayAPI` is about tenants.
pub(crate) fn is_method(path: &str) -> bool {
    METHODS.iter().any(|(method, _)| *method == path)
}

/// The same request for a service that has tenants.
pub(crate) fn rewritten<B>(mut request: Request<B>) -> Request<B> {
    let path = request.uri().path();
    if let Some(&(_, method)) = METHODS.iter().find(|(method, _)| *method == path) {
        *request.uri_mut() = Uri::from(PathAndQuery::from_static(method));
    }
    request
}

/// Refuses users without a tenant (`docs/security-requirements.md#g23`). Services belong to none.
pub(crate) fn check(kind: &str, user: &User) -> Result<(), AuthError> {
    let is_service = kind == kind::SERVICE || user.id.kind == UserType::Service;
    if is_service || !user.id.tenant_id.is_empty() { Ok(()) } else { Err(AuthError::Refused(Reason::Tenant)) }
}

#[cfg(test)]
mod tests {
    use authn::UserId;

    use super::*;

    /// `docs/security-requirements.md#g23`
    #[test]
    fn user_without_a_tenant_is_refused() {
        let user = |kind, tenant: &str| {
            let id = UserId { kind, tenant_id: tenant.to_owned(), ..UserId::default() };
            User { id, ..User::default() }
        };
        for kind in kind::ALL {
            assert!(check(kind, &user(UserType::Primary, "physics")).is_ok(), "{kind}");
            let is_refused =
                matches!(check(kind, &user(UserType::Primary, "")), Err(AuthError::Refused(Reason::Tenant)));
            assert_eq!(is_refused, kind != "serviceaccounts", "{kind}");
            assert!(check(kind, &user(UserType::Service, "")).is_ok(), "{kind}");
        }
        assert!(check("machine", &user(UserType::Guest, "")).is_err());
    }
}
