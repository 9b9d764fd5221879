//! The issuer of the settings.

use std::time::Duration;

use config::{Invalid, Secret, Section};
use outbound::issuer::discovery_of;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::provisioning::{check_claims, warnings_of_urls};
use super::{AutoProvision, RoleAssignment, tenants};
use crate::access::Rules;
use crate::claims::{Path, TenantClaim};
use crate::issuer::{Client, Method, Naming, Settings, USERINFO_ALONE};

/// The longest that an issuer's introspection or userinfo response is cached.
pub(super) const MAX_CACHE_TTL: Duration = Duration::from_secs(30);

/// How far the clock of an issuer may be ahead of ours unless it is configured, and at most.
pub(super) const LEEWAY: Duration = Duration::from_mins(1);
pub(super) const MOST_LEEWAY: Duration = Duration::from_mins(5);

/// `auth_providers.oidc`: the `OpenID` Provider whose access tokens are accepted.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Oidc {
    /// URL of the OIDC issuer. It defaults to URL of the builtin IDP.
    #[schemars(extend("x-env" = ["OCIS_URL", "OCIS_OIDC_ISSUER", "PROXY_OIDC_ISSUER", "<P>_OIDC_ISSUER"]))]
    #[schemars(extend("default" = "https://localhost:9200", "x-required" = "it is the URL of the OpenID Provider"))]
    pub issuer: String,
    /// Allow insecure connections to the OIDC issuer: plain HTTP, or a certificate that cannot be verified.
    #[schemars(extend("x-env" = ["OCIS_INSECURE", "PROXY_OIDC_INSECURE", "<P>_OIDC_INSECURE"]))]
    pub insecure: bool,
    /// Name of the claim, which holds the user identifier: the login name, or with 'sub' the user's id. Names below one
    /// another are joined by dots; a dot within a name is written '`\.`'.
    #[schemars(extend("x-env" = ["PROXY_USER_OIDC_CLAIM", "<P>_OIDC_ID_CLAIM"], "default" = "preferred_username"))]
    #[schemars(extend("x-required" = "it is the name of a claim, like preferred_username"))]
    pub id_claim: String,
    /// What that claim holds: 'username' or 'userid'. If empty, the id for the claim 'sub' and the login name for every
    /// other. A mail address is no identity and is not accepted here.
    #[schemars(extend("x-env" = ["PROXY_USER_CS3_CLAIM", "<P>_USER_CS3_CLAIM"], "enum" = ["", "username", "userid"]))]
    pub user_claim: String,
    /// Name of the claim, which holds the UID. If empty, the directory's is used.
    #[schemars(extend("x-env" = ["<P>_OIDC_UID_CLAIM"]))]
    pub uid_claim: String,
    /// Name of the claim, which holds the GID. If empty, the directory's is used.
    #[schemars(extend("x-env" = ["<P>_OIDC_GID_CLAIM"]))]
    pub gid_claim: String,
    /// Which of the issuers are Doorward's own idp with the same directory of users, whose tokens say whether their
    /// client is the installation's own ('`first_party`'). The claim is ignored in tokens of other issuers. 'doorward
    /// server' adds the issuers of an idp in the same process.
    #[schemars(extend("x-env" = ["<P>_OIDC_OWN_ISSUERS"]))]
    pub own_issuers: Vec<String>,
    /// The audiences (claim 'aud') that are accepted in access tokens. If this and the authorized parties are empty,
    /// tokens of Doorward's own idp (see `own_issuers`) are accepted by what it says of their client, and of any other
    /// issuer only tokens of the built-in clients.
    #[schemars(extend("x-env" = ["<P>_OIDC_AUDIENCE"]))]
    pub audience: Vec<String>,
    /// The clients (claim 'azp' or '`client_id`') whose access tokens are accepted. Users who have signed in at one of
    /// them can create app tokens; with tokens of clients that only the audience admits that needs the scope
    /// 'tokens:write'.
    #[schemars(extend("x-env" = ["<P>_OIDC_AUTHORIZED_PARTIES"]))]
    pub authorized_parties: Vec<String>,
    /// How far the issuer's clock may be ahead: for so long a token is accepted whose 'iat' or 'nbf' is still to come.
    /// At most 5m.
    #[schemars(extend("x-env" = ["<P>_OIDC_LEEWAY"], "default" = LEEWAY, "maximum" = MOST_LEEWAY))]
    pub leeway: Duration,
    /// Whether access tokens must be of the type 'at+jwt' (RFC 9068). Many issuers write 'JWT' or no type.
    #[schemars(extend("x-env" = ["<P>_OIDC_AT_JWT_ONLY"]))]
    pub at_jwt_only: bool,
    /// How access tokens are verified: 'jwt' by the issuer's keys, 'introspection' by the issuer's introspection
    /// endpoint (RFC 7662), 'userinfo' by its userinfo endpoint; 'none' is the same as 'userinfo'.
    #[serde(rename = "access_token_verify_method")]
    #[schemars(extend("x-env" = ["PROXY_OIDC_ACCESS_TOKEN_VERIFY_METHOD", "<P>_OIDC_ACCESS_TOKEN_VERIFY_METHOD"]))]
    #[schemars(extend("default" = "jwt", "enum" = ["jwt", "introspection", "userinfo", "none"]))]
    pub verify_method: String,
    /// Whether access tokens are accepted that only the userinfo endpoint has verified (verify method 'userinfo' or
    /// 'none'). It shows neither the audience nor the client of a token, so that every client of the issuer can act as
    /// its users. Without this setting the service does not start with that method.
    #[schemars(extend("x-env" = ["<P>_OIDC_USERINFO_ANY_CLIENT"]))]
    pub userinfo_any_client: bool,
    /// Do not request claims that an access token lacks from the userinfo endpoint. They are requested only if the
    /// claim that identifies the user is missing.
    #[schemars(extend("x-env" = ["PROXY_OIDC_SKIP_USER_INFO", "<P>_OIDC_SKIP_USER_INFO"]))]
    pub skip_user_info: bool,
    /// How long the result of verifying an access token is cached, but not beyond its expiration: at most 30s.
    #[schemars(extend("x-env" = ["OCIS_CACHE_TTL", "PROXY_OIDC_USERINFO_CACHE_TTL", "<P>_OIDC_CACHE_TTL"]))]
    #[schemars(extend("default" = MAX_CACHE_TTL))]
    pub cache_ttl: Duration,
    /// The client that this service is at the issuer, for introspection.
    #[schemars(extend("x-env" = ["<P>_OIDC_CLIENT_ID"]))]
    pub client_id: String,
    /// That client's secret.
    #[schemars(extend("x-env" = ["<P>_OIDC_CLIENT_SECRET"]))]
    pub client_secret: Secret,
    /// How the client shows its secret: in the header or in the form.
    #[schemars(extend("x-env" = ["<P>_OIDC_CLIENT_AUTH"], "default" = "client_secret_basic"))]
    #[schemars(extend("enum" = ["client_secret_basic", "client_secret_post"]))]
    pub client_auth: String,
    /// The OIDC claim that names the tenant of a user, which has to be that of the directory. Names below one another are joined by
    /// dots; a dot within a name is written '`\.`'. Needs `OCIS_MULTI_TENANT_ENABLED`.
    #[serde(rename = "tenant_oidc_claim")]
    #[schemars(extend("x-env" = ["PROXY_TENANT_OIDC_CLAIM", "<P>_TENANT_OIDC_CLAIM"]))]
    pub tenant_claim: String,
    /// Whether that claim holds the identifier of another system, by which the tenant is looked up (`TenantAPI`): at the users service,
    /// or at `OCIS_REVA_GATEWAY` where that is the directory.
    #[serde(rename = "tenant_id_mapping_enabled")]
    #[schemars(extend("x-env" = ["PROXY_TENANT_ID_MAPPING_ENABLED", "<P>_TENANT_ID_MAPPING_ENABLED"]))]
    pub tenant_id_mapping: bool,
}

config::impl_default!(Oidc);

impl Section for Oidc {
    fn validate(&self) -> Result<(), Invalid> {
        discovery_of(&self.issuer, self.insecure).map_err(|problem| Invalid::new("issuer", problem))?;
        check_claims(&[("id_claim", &self.id_claim), ("uid_claim", &self.uid_claim), ("gid_claim", &self.gid_claim)])?;
        self.tenant().map_err(|problem| Invalid::new("tenant_oidc_claim", problem))?;
        let is_named = !self.tenant_id_mapping || !self.tenant_claim.is_empty();
        Invalid::unless(is_named, "tenant_oidc_claim", "is not set; PROXY_TENANT_ID_MAPPING_ENABLED needs it")?;
        let is_short = self.cache_ttl <= MAX_CACHE_TTL;
        Invalid::unless(is_short, "cache_ttl", "must be at most 30s: a revoked token is accepted for so long")?;
        let has_client = !self.client_id.is_empty() && !self.client_secret.is_empty();
        let is_complete = has_client || self.verify_method != "introspection";
        Invalid::unless(is_complete, "client_id", "and the secret must be set: introspection asks who asks")
    }

    fn warnings(&self) -> Vec<String> {
        let issuer = &self.issuer;
        let restricted = !self.audience.is_empty() || !self.authorized_parties.is_empty();
        let mut warnings = warnings_of_urls(&[
            ("PROXY_USER_OIDC_CLAIM", &self.id_claim),
            ("AUTH_BEARER_OIDC_UID_CLAIM", &self.uid_claim),
            ("AUTH_BEARER_OIDC_GID_CLAIM", &self.gid_claim),
            ("PROXY_TENANT_OIDC_CLAIM", &self.tenant_claim),
        ]);
        match Method::named(&self.verify_method) {
            Method::UserInfo if !self.userinfo_any_client => warnings.push(format!("{issuer}: {USERINFO_ALONE}")),
            Method::Jwt | Method::Introspection if !restricted && self.own_issuer(issuer).is_none() => warnings.push(format!(
                "{issuer}: AUTH_BEARER_OIDC_AUDIENCE and AUTH_BEARER_OIDC_AUTHORIZED_PARTIES are not set, so that only access tokens of the built-in clients (web, OpenCloudDesktop, ...) are accepted; name the audience of this installation or its clients, or if this is Doorward's own idp in another process, name the issuer in AUTH_BEARER_OIDC_OWN_ISSUERS"
            )),
            _ => {}
        }
        warnings
    }
}

impl Oidc {
    /// An issuer as our own provider writes it, if it is that one: without a slash at the end, however `OCIS_URL` is written.
    pub(super) fn own_issuer(&self, issuer: &str) -> Option<&str> {
        let mut own = self.own_issuers.iter().map(|own| own.trim_end_matches('/'));
        own.find(|own| *own == issuer.trim_end_matches('/'))
    }

    fn tenant(&self) -> Result<Option<TenantClaim>, String> {
        tenants::claim(&self.tenant_claim, self.tenant_id_mapping)
    }

    /// The same issuer, of the file, marked if it is our own provider.
    pub(super) fn marked(&self, mut issuer: Settings) -> Settings {
        if let Some(own) = self.own_issuer(&issuer.rules.issuer) {
            issuer.rules = Rules { issuer: own.to_owned(), is_own: true, ..issuer.rules };
        }
        issuer
    }

    pub(super) fn settings(&self, provision: &AutoProvision, roles: &RoleAssignment) -> Settings {
        let path = |text: &String| text.parse().ok();
        let claim = path(&self.id_claim).unwrap_or_else(|| Path::name(&self.id_claim));
        let own = self.own_issuer(&self.issuer);
        let by_id = self.user_claim == "userid" || (self.user_claim.is_empty() && claim.is("sub"));
        Settings {
            rules: Rules {
                issuer: own.unwrap_or(&self.issuer).to_owned(),
                is_own: own.is_some(),
                audiences: self.audience.clone(),
                authorized_parties: self.authorized_parties.clone(),
                at_jwt_only: self.at_jwt_only,
                leeway: self.leeway,
            },
            insecure: self.insecure,
            method: Method::named(&self.verify_method),
            any_client: self.userinfo_any_client,
            client: (!self.client_secret.is_empty()).then(|| Client {
                id: self.client_id.clone(),
                secret: self.client_secret.clone(),
                in_form: self.client_auth == "client_secret_post",
            }),
            skip_user_info: self.skip_user_info,
            cache_ttl: self.cache_ttl,
            naming: Naming::Directory { claim, by_id },
            numbers: [path(&self.uid_claim), path(&self.gid_claim)],
            provisioning: provision.provisioning(),
            roles: roles.roles(),
            instance: None,
            tenant: self.tenant().ok().flatten(),
        }
    }
}
