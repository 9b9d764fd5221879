//! The routes that an oCIS or OpenCloud has unless its `proxy.yaml` lists others.

use super::document::RouteEntry;
use super::document::RouteKind::{self, Prefix, Query, Regex};
use crate::config::Product;

/// Whether a route needs a credential, and whether its backend gets the internal token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Protected,
    Unprotected,
    /// Unprotected, and without the internal token.
    WithoutToken,
}

use Access::{Protected, Unprotected, WithoutToken};

/// A route: type, method, endpoint, the service that answers, access.
type Row = (RouteKind, &'static str, &'static str, &'static str, Access);

/// The route of everything else, which is the first prefix.
const ROOT: &[Row] = &[(Prefix, "", "/", "web.web", Unprotected)];

/// Those that both products have.
const BOTH: &[Row] = &[
    (Prefix, "", "/.well-known/ocm", "web.ocm", Unprotected),
    (Prefix, "", "/.well-known/webfinger", "web.webfinger", Unprotected),
    (Prefix, "", "/.well-known/openid-configuration", "web.idp", Unprotected),
    (Prefix, "", "/branding/logo", "web.web", Protected),
    (Prefix, "", "/konnect/", "web.idp", Unprotected),
    (Prefix, "", "/signin/", "web.idp", Unprotected),
    (Prefix, "", "/archiver", "web.frontend", Protected),
    (Prefix, "", "/ocs/v2.php/apps/notifications/api/v1/notifications/sse", "sse.sse", Protected),
    (Prefix, "", "/ocs/v2.php/apps/notifications/api/v1/notifications", "web.userlog", Protected),
    (Regex, "", "/ocs/v[12].php/cloud/user/signing-key", "web.ocs", Protected),
    (Regex, "", "/ocs/v[12].php/config", "web.frontend", Unprotected),
    (Prefix, "", "/sciencemesh/", "web.ocm", Protected),
    (Prefix, "", "/ocm/", "web.ocm", Protected),
    (Prefix, "", "/ocs/", "web.frontend", Protected),
    (Query, "", "/remote.php/?preview=1", "web.webdav", Protected),
    (Regex, "REPORT", "(/remote.php)?/(web)?dav", "web.webdav", Protected),
    (Query, "", "/dav/?preview=1", "web.webdav", Protected),
    (Query, "", "/webdav/?preview=1", "web.webdav", Protected),
    (Prefix, "", "/remote.php/", "web.ocdav", Protected),
    (Prefix, "", "/dav/", "web.ocdav", Protected),
    (Prefix, "", "/webdav/", "web.ocdav", Protected),
    (Prefix, "", "/status", "web.ocdav", Unprotected),
    (Prefix, "", "/status.php", "web.ocdav", Unprotected),
    (Prefix, "", "/index.php/", "web.ocdav", Protected),
    (Prefix, "", "/apps/", "web.ocdav", Protected),
    (Prefix, "", "/data", "web.frontend", Unprotected),
    (Prefix, "", "/app/list", "web.frontend", Unprotected),
    (Prefix, "", "/app/", "web.frontend", Protected),
    (Prefix, "", "/graph/v1beta1/extensions/org.libregraph/activities", "web.activitylog", Protected),
    (Prefix, "", "/graph/v1.0/invitations", "web.invitations", Protected),
    (Prefix, "", "/graph/", "web.graph", Protected),
    (Prefix, "", "/api/v0/settings", "web.settings", Protected),
    (Prefix, "", "/wopi", "web.collaboration", WithoutToken),
];

/// Those that only OpenCloud has, before the others: some are below a path of these.
const OPENCLOUD: &[Row] = &[
    (Prefix, "", "/auth-app/tokens", "web.auth-app", Protected),
    (Prefix, "", "/announcement", "web.web", Protected),
    (Prefix, "", "/sciencemesh/federations", "web.ocm", Unprotected),
    (Prefix, "", "/sciencemesh/discover", "web.ocm", Unprotected),
    (Prefix, "", "/collaboration/fonts/manage", "web.collaboration", Protected),
    (Prefix, "", "/collaboration", "web.collaboration", Unprotected),
];

/// The name of the default policy, which also applies unless another one is selected.
pub(super) fn policy_name(product: Product) -> &'static str {
    match product {
        Product::Ocis => "ocis",
        Product::OpenCloud => "default",
    }
}

/// The name of the cookie with the policy of a user, unless another one is configured.
pub(super) fn cookie_name(product: Product) -> &'static str {
    match product {
        Product::Ocis => "ocis-selector",
        Product::OpenCloud => "opencloud-selector",
    }
}

/// The routes of the default policy.
pub(super) fn routes(product: Product) -> Vec<RouteEntry> {
    let (prefix, more) = match product {
        Product::Ocis => ("com.owncloud", &[][..]),
        Product::OpenCloud => ("eu.opencloud", OPENCLOUD),
    };
    let entry = |(kind, method, endpoint, service, access): &Row| RouteEntry {
        kind: *kind,
        method: (*method).to_owned(),
        endpoint: (*endpoint).to_owned(),
        service: format!("{prefix}.{service}"),
        unprotected: *access != Protected,
        skip_x_access_token: *access == WithoutToken,
        ..RouteEntry::default()
    };
    ROOT.iter().chain(more).chain(BOTH).map(entry).collect()
}
