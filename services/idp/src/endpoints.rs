//! The paths of all endpoints and pages: one engine, with the paths that the clients of each system expect.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The system whose paths and conventions an issuer follows; a layout in settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointProfile {
    /// Those of `OpenCloud` and oCIS; the issuer is the site itself.
    OpenCloud,
    /// Those of Pydio Cells; the issuer is `<site>/oidc`.
    Cells,
}

/// The paths of one layout, below the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paths {
    /// `OpenID` Connect Discovery 1.0.
    pub discovery: &'static str,
    /// RFC 8414, which puts the well-known part before the issuer's path.
    pub metadata: &'static str,
    /// Where clients of the Model Context Protocol look for the same document too, with the name of discovery and the order of RFC 8414;
    /// `None` for an issuer without a path.
    pub inserted_discovery: Option<&'static str>,
    /// RFC 7517.
    pub jwks: &'static str,
    /// RFC 6749 3.1.
    pub authorization: &'static str,
    /// RFC 6749 3.2.
    pub token: &'static str,
    /// `OpenID` Connect Core 5.3.
    pub userinfo: &'static str,
    /// RFC 7009.
    pub revocation: &'static str,
    /// RFC 7662.
    pub introspection: &'static str,
    /// RFC 9126.
    pub pushed: &'static str,
    /// RFC 8628.
    pub device: &'static str,
    /// RFC 7591; a client is managed (RFC 7592) one segment below.
    pub registration: &'static str,
    /// `OpenID` Connect RP-Initiated Logout 1.0.
    pub end_session: &'static str,
    /// `OpenID` Connect Session Management 1.0.
    pub check_session: &'static str,
}

/// Pages that all layouts share.
pub mod page {
    /// Signing in: shows the form with `?flow=`.
    pub const SIGN_IN: &str = "/signin/v1/identifier";
    /// Where that form is sent.
    pub const LOGON: &str = "/signin/v1/identifier/_/logon";
    /// Where the form about consent is sent.
    pub const CONSENT: &str = "/signin/v1/identifier/_/consent";
    /// Where the form about the account is sent.
    pub const ACCOUNT: &str = "/signin/v1/identifier/_/account";
    /// Where the form is sent that cancels signing in.
    pub const CANCEL: &str = "/signin/v1/identifier/_/cancel";
    /// Where the form for the second factor is sent.
    pub const FACTOR: &str = "/signin/v1/identifier/_/factor";
    /// Where the form that enrols a second factor is sent.
    pub const ENROL: &str = "/signin/v1/identifier/_/enrol";
    /// Where the form of a passkey is sent that signs in alone.
    pub const PASSKEY: &str = "/signin/v1/identifier/_/passkey";
    /// Where the form that confirms signing out is sent.
    pub const SIGN_OUT: &str = "/signin/v1/identifier/_/logoff";
    /// What is shown after signing out.
    pub const GOODBYE: &str = "/signin/v1/goodbye";
    /// The applications that have access, and the form that withdraws it.
    pub const CONSENTS: &str = "/signin/v1/consents";
    /// How a user signs in: the authenticator app, recovery codes and trusted devices.
    pub const SECURITY: &str = "/signin/v1/security";
    /// Where a user adds or replaces the authenticator app.
    pub const SECURITY_APP: &str = "/signin/v1/security/app";
    /// Where a user confirms that the authenticator app is removed.
    pub const SECURITY_REMOVE: &str = "/signin/v1/security/app/remove";
    /// Where the form is sent that makes new recovery codes.
    pub const SECURITY_CODES: &str = "/signin/v1/security/recovery-codes";
    /// Where the form is sent that ends trust in all devices.
    pub const SECURITY_DEVICES: &str = "/signin/v1/security/devices";
    /// The passkeys of a user: adds, names and removes them.
    pub const PASSKEYS: &str = "/signin/v1/passkeys";
    /// The script of passkeys.
    pub const PASSKEY_SCRIPT: &str = "/signin/v1/static/passkey.js";
    /// Where password managers look for the page of passkeys (W3C, A Well-Known URL for Relying Party Passkey Endpoints).
    pub const PASSKEY_ENDPOINTS: &str = "/.well-known/passkey-endpoints";
    /// Where a device's code is typed in.
    pub const DEVICE: &str = "/device";
    /// Where a code is shown that the user carries to a program by hand; Cells' programs name the first, its documents
    /// the second.
    pub const OUT_OF_BAND: [&str; 2] = ["/oauth2/oob", "/oauth/oob"];
    /// Where a user who has lost the password asks for a link.
    pub const FORGOTTEN: &str = "/signin/v1/forgotten";
    /// Where a link in a mail leads, and its form is sent.
    pub const LINK: &str = "/signin/v1/link";
    /// Where a link leads that verifies a mail address, and its form is sent.
    pub const MAIL_LINK: &str = "/signin/v1/mail";
    /// The folder of the files that pages load.
    pub const STATIC: &str = "/signin/v1/static";
    /// Where programs ask for the issuer (RFC 7033).
    pub const WEBFINGER: &str = "/.well-known/webfinger";
}

impl EndpointProfile {
    /// Every profile.
    pub const ALL: [Self; 2] = [Self::OpenCloud, Self::Cells];

    /// The name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenCloud => "opencloud",
            Self::Cells => "cells",
        }
    }

    /// What the issuer has behind the site.
    const fn issuer_path(self) -> &'static str {
        match self {
            Self::OpenCloud => "",
            Self::Cells => "/oidc",
        }
    }

    /// Where everything is.
    pub const fn paths(self) -> Paths {
        match self {
            Self::OpenCloud => Paths {
                discovery: "/.well-known/openid-configuration",
                metadata: "/.well-known/oauth-authorization-server",
                inserted_discovery: None,
                jwks: "/konnect/v1/jwks.json",
                authorization: "/signin/v1/identifier/_/authorize",
                token: "/konnect/v1/token",
                userinfo: "/konnect/v1/userinfo",
                revocation: "/konnect/v1/revoke",
                introspection: "/konnect/v1/introspect",
                pushed: "/konnect/v1/par",
                device: "/konnect/v1/device",
                registration: "/konnect/v1/register",
                end_session: "/signin/v1/identifier/_/endsession",
                check_session: "/konnect/v1/session/check-session.html",
            },
            Self::Cells => Paths {
                discovery: "/oidc/.well-known/openid-configuration",
                metadata: "/.well-known/oauth-authorization-server/oidc",
                inserted_discovery: Some("/.well-known/openid-configuration/oidc"),
                jwks: "/oidc/.well-known/jwks.json",
                authorization: "/oidc/oauth2/auth",
                token: "/oidc/oauth2/token",
                userinfo: "/oidc/userinfo",
                revocation: "/oidc/oauth2/revoke",
                introspection: "/oidc/oauth2/introspect",
                pushed: "/oidc/oauth2/par",
                device: "/oidc/oauth2/device/auth",
                registration: "/oidc/oauth2/register",
                end_session: "/oidc/oauth2/sessions/logout",
                check_session: "/oidc/oauth2/sessions/check",
            },
        }
    }
}

impl fmt::Display for EndpointProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is no name of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the layouts are opencloud and cells")]
pub struct UnknownProfile;

impl FromStr for EndpointProfile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|layout| layout.name() == text).ok_or(UnknownProfile)
    }
}

/// The endpoints of one issuer: those of a layout, at the site that is configured. They never depend on a request (row I42).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerEndpoints {
    /// The layout.
    pub layout: EndpointProfile,
    /// The issuer identifier, byte for byte as tokens and discovery have it.
    pub issuer: String,
    /// Where everything is, below the site.
    pub paths: Paths,
    base: String,
    /// Where clients with certificates call, if anywhere.
    mtls: Option<String>,
    /// Whether it takes the code flow with PKCE only.
    is_strict: bool,
}

impl IssuerEndpoints {
    /// The layout at this site: `https://cloud.example`, without a path and without a `/` at its end.
    pub fn new(layout: EndpointProfile, base: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self {
            layout,
            issuer: format!("{base}{}", layout.issuer_path()),
            paths: layout.paths(),
            base,
            mtls: None,
            is_strict: false,
        }
    }

    /// The same, which clients with certificates call at this URL (RFC 8705 5).
    #[must_use]
    pub fn with_mtls(self, base: Option<String>) -> Self {
        Self { mtls: base, ..self }
    }

    /// The same, which takes the code flow with PKCE only (OAuth 2.1).
    #[must_use]
    pub fn strict(self, is_strict: bool) -> Self {
        Self { is_strict, ..self }
    }

    /// Whether it takes the code flow with PKCE only.
    pub const fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// The URL of one of the paths for clients with certificates, if they are served.
    pub fn alias(&self, path: &str) -> Option<String> {
        self.mtls.as_ref().map(|base| format!("{base}{path}"))
    }

    /// The URL of one of the paths or pages.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The site: scheme, host and port, which is also its origin.
    pub fn origin(&self) -> &str {
        &self.base
    }

    /// Whether browsers reach it by TLS only.
    pub fn is_https(&self) -> bool {
        self.base.starts_with("https://")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_and_endpoints_are_those_that_the_documents_show() {
        let cloud = IssuerEndpoints::new(EndpointProfile::OpenCloud, "https://cloud.opencloud.test/");
        assert_eq!(cloud.issuer, "https://cloud.opencloud.test");
        assert_eq!(
            cloud.url(cloud.paths.authorization),
            "https://cloud.opencloud.test/signin/v1/identifier/_/authorize"
        );
        assert_eq!(cloud.url(cloud.paths.token), "https://cloud.opencloud.test/konnect/v1/token");
        let cells = IssuerEndpoints::new(EndpointProfile::Cells, "https://your-cells.com");
        assert_eq!(cells.issuer, "https://your-cells.com/oidc");
        assert_eq!(cells.url(cells.paths.discovery), "https://your-cells.com/oidc/.well-known/openid-configuration");
        assert_eq!(cells.url(cells.paths.authorization), "https://your-cells.com/oidc/oauth2/auth");
        assert_eq!(cells.url(cells.paths.token), "https://your-cells.com/oidc/oauth2/token");
    }

    #[test]
    fn a_layout_is_read_as_it_is_written() {
        for layout in EndpointProfile::ALL {
            assert_eq!(layout.to_string().parse(), Ok(layout));
        }
        assert_eq!("hydra".parse::<EndpointProfile>(), Err(UnknownProfile));
    }
}
