//! The issuer of the settings.

use std::time::Duration;

use outbound::issuer::discovery_of;
use runtime::config::{Invalid, Secret, Section, Visitor};

use super::{AutoProvision, RoleAssignment, set};
use crate::access::Rules;
use crate::claims::Path;
use crate::issuer::{Client, Method, Naming, Settings};

/// The longest that an answer of an issuer about a token is believed.
pub(super) const MOST_BELIEVED: Duration = Duration::from_secs(30);

/// How far the clock of an issuer may be ahead of ours unless it is configured, and at most.
pub(super) const LEEWAY: Duration = Duration::from_mins(1);
pub(super) const MOST_LEEWAY: Duration = Duration::from_mins(5);

/// `auth_providers.oidc`: the `OpenID` Provider whose access tokens are accepted.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Clone, Debug)]
pub struct Oidc {
    /// Its issuer, exactly as its tokens and its discovery document write it.
    pub issuer: String,
    /// Whether it may use plain HTTP or a certificate that nobody vouches for.
    pub insecure: bool,
    /// The claim that says who the user is.
    pub id_claim: String,
    /// What that claim holds: `username` or `userid`; empty for the id if the claim is `sub`, and else the username.
    pub user_claim: String,
    /// The claim that holds the POSIX user number; empty for the directory's.
    pub uid_claim: String,
    /// The claim that holds the POSIX group number; empty for the directory's.
    pub gid_claim: String,
    /// What a token must be meant for, one of these.
    pub audience: Vec<String>,
    /// Which client a token must have been issued to, one of these.
    pub authorized_parties: Vec<String>,
    /// How far the issuer's clock may be ahead of ours.
    pub leeway: Duration,
    /// Whether tokens must be of the type `at+jwt`.
    pub at_jwt_only: bool,
    /// `jwt`, `introspection`, `userinfo` or `none`.
    pub verify_method: String,
    /// Whether tokens of every client count where userinfo is all that vouches for them.
    pub userinfo_any_client: bool,
    /// Whether claims that a token lacks are not asked for.
    pub skip_user_info: bool,
    /// How long an answer about a token is believed.
    pub cache_ttl: Duration,
    /// Who we are to the introspection endpoint.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: Secret,
    /// How both are shown: `client_secret_basic` or `client_secret_post`.
    pub client_auth: String,
    /// The issuers that are Doorward's own provider, which alone are believed when their tokens say that a client is first-party.
    pub own_issuers: Vec<String>,
}

impl Default for Oidc {
    fn default() -> Self {
        Self {
            issuer: "https://localhost:9200".to_owned(),
            insecure: false,
            id_claim: "preferred_username".to_owned(),
            user_claim: String::new(),
            uid_claim: String::new(),
            gid_claim: String::new(),
            audience: Vec::new(),
            authorized_parties: Vec::new(),
            leeway: LEEWAY,
            at_jwt_only: false,
            verify_method: "jwt".to_owned(),
            userinfo_any_client: false,
            skip_user_info: false,
            cache_ttl: MOST_BELIEVED,
            client_id: String::new(),
            client_secret: Secret::default(),
            client_auth: "client_secret_basic".to_owned(),
            own_issuers: Vec::new(),
        }
    }
}

impl Section for Oidc {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        self.visit_issuer(v);
        self.visit_person(v);
        self.visit_tokens(v);
        self.visit_client(v);
    }

    fn validate(&self) -> Result<(), Invalid> {
        discovery_of(&self.issuer, self.insecure).map_err(|problem| Invalid::new("issuer", problem))?;
        for (key, claim) in
            [("id_claim", &self.id_claim), ("uid_claim", &self.uid_claim), ("gid_claim", &self.gid_claim)]
        {
            if !claim.is_empty() {
                claim.parse::<Path>().map_err(|error| Invalid::new(key, error.to_string()))?;
            }
        }
        if self.cache_ttl > MOST_BELIEVED {
            return Err(Invalid::new("cache_ttl", "must be at most 30s: a revoked token is accepted for so long"));
        }
        if self.verify_method == "introspection" && (self.client_id.is_empty() || self.client_secret.is_empty()) {
            return Err(Invalid::new("client_id", "and the secret must be set: introspection asks who asks"));
        }
        if self.leeway > MOST_LEEWAY {
            return Err(Invalid::new("leeway", "must be at most 5m"));
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        let issuer = &self.issuer;
        let restricted = !self.audience.is_empty() || !self.authorized_parties.is_empty();
        match method(&self.verify_method) {
            Method::UserInfo if !self.userinfo_any_client => vec![format!("{issuer}: {USERINFO_ALONE}")],
            Method::Jwt | Method::Introspection if !restricted && self.own_issuer(issuer).is_none() => vec![format!(
                "{issuer}: AUTH_BEARER_OIDC_AUDIENCE and AUTH_BEARER_OIDC_AUTHORIZED_PARTIES are not set, so that only access tokens of the built-in clients (web, OpenCloudDesktop, ...) are accepted; name the audience of this installation or its clients, or if this is Doorward's own idp in another process, name the issuer in AUTH_BEARER_OIDC_OWN_ISSUERS"
            )],
            _ => Vec::new(),
        }
    }
}

impl Oidc {
    fn visit_issuer(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "issuer",
            &mut self.issuer,
            &["OCIS_URL", "OCIS_OIDC_ISSUER", "PROXY_OIDC_ISSUER", "<P>_OIDC_ISSUER"],
            "URL of the OIDC issuer. It defaults to URL of the builtin IDP.",
        )
        .required("it is the URL of the OpenID Provider");
        v.value(
            "insecure",
            &mut self.insecure,
            &["OCIS_INSECURE", "PROXY_OIDC_INSECURE", "<P>_OIDC_INSECURE"],
            "Allow insecure connections to the OIDC issuer: plain HTTP, or a certificate that cannot be verified.",
        );
    }

    fn visit_person(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "id_claim",
            &mut self.id_claim,
            &["PROXY_USER_OIDC_CLAIM", "<P>_OIDC_ID_CLAIM"],
            r"Name of the claim, which holds the user identifier: the login name, or with 'sub' the user's id. Names below one another are joined by dots; a dot within a name is written '\.'.",
        )
        .required("it is the name of a claim, like preferred_username");
        v.value(
            "user_claim",
            &mut self.user_claim,
            &["PROXY_USER_CS3_CLAIM", "<P>_USER_CS3_CLAIM"],
            "What that claim holds: 'username' or 'userid'. If empty, the id for the claim 'sub' and the login name for every other. A mail address is no identity and is not accepted here.",
        )
        .one_of(&["", "username", "userid"]);
        v.value(
            "uid_claim",
            &mut self.uid_claim,
            &["<P>_OIDC_UID_CLAIM"],
            "Name of the claim, which holds the UID. If empty, the directory's is used.",
        );
        v.value(
            "gid_claim",
            &mut self.gid_claim,
            &["<P>_OIDC_GID_CLAIM"],
            "Name of the claim, which holds the GID. If empty, the directory's is used.",
        );
    }

    fn visit_tokens(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "own_issuers",
            &mut self.own_issuers,
            &["<P>_OIDC_OWN_ISSUERS"],
            "Which of the issuers are Doorward's own idp, whose tokens say of each client whether it is the installation's own ('first_party'). Of any other issuer that is not believed. 'doorward server' knows the issuers of an idp in the same process.",
        );
        v.value(
            "audience",
            &mut self.audience,
            &["<P>_OIDC_AUDIENCE"],
            "What access tokens must be meant for (their 'aud'): one of these. If this and the authorized parties are empty, tokens of Doorward's own idp (see own_issuers) are accepted by what it says of their client, and of any other issuer only tokens of the built-in clients.",
        );
        v.value(
            "authorized_parties",
            &mut self.authorized_parties,
            &["<P>_OIDC_AUTHORIZED_PARTIES"],
            "Whom access tokens must have been issued to (their 'azp' or 'client_id'): one of these clients. Users who have signed in at one of them can make app tokens; with tokens of clients that only the audience admits that needs the scope 'tokens:write'.",
        );
        v.value(
            "leeway",
            &mut self.leeway,
            &["<P>_OIDC_LEEWAY"],
            "How far the issuer's clock may be ahead: for so long a token is accepted whose 'iat' or 'nbf' is still to come. At most 5m.",
        );
        v.value(
            "at_jwt_only",
            &mut self.at_jwt_only,
            &["<P>_OIDC_AT_JWT_ONLY"],
            "Whether access tokens must be of the type 'at+jwt' (RFC 9068). Many issuers write 'JWT' or no type.",
        );
        v.value(
            "access_token_verify_method",
            &mut self.verify_method,
            &["PROXY_OIDC_ACCESS_TOKEN_VERIFY_METHOD", "<P>_OIDC_ACCESS_TOKEN_VERIFY_METHOD"],
            "How access tokens are verified: 'jwt' by the issuer's keys, 'introspection' by asking the issuer about the token (RFC 7662), 'userinfo' by asking it for the token's person; 'none' is the same as 'userinfo'.",
        )
        .one_of(&["jwt", "introspection", "userinfo", "none"]);
        v.value(
            "userinfo_any_client",
            &mut self.userinfo_any_client,
            &["<P>_OIDC_USERINFO_ANY_CLIENT"],
            "Whether access tokens count for which the userinfo endpoint alone vouches (verify method 'userinfo' or 'none'). It shows neither what a token is meant for nor which client has it, so that every client of the issuer can act as its users. Without it the service does not start with that method.",
        );
        v.value(
            "skip_user_info",
            &mut self.skip_user_info,
            &["PROXY_OIDC_SKIP_USER_INFO", "<P>_OIDC_SKIP_USER_INFO"],
            "Do not ask the issuer for claims that an access token lacks. It is asked only where the claim is missing that names the person.",
        );
        v.value(
            "cache_ttl",
            &mut self.cache_ttl,
            &["OCIS_CACHE_TTL", "PROXY_OIDC_USERINFO_CACHE_TTL", "<P>_OIDC_CACHE_TTL"],
            "How long it is believed what was found of an access token, unless the token ends before: at most 30s.",
        );
    }

    fn visit_client(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "client_id",
            &mut self.client_id,
            &["<P>_OIDC_CLIENT_ID"],
            "The client that this service is at the issuer, for introspection.",
        );
        v.secret("client_secret", &mut self.client_secret, &["<P>_OIDC_CLIENT_SECRET"], "That client's secret.");
        v.value(
            "client_auth",
            &mut self.client_auth,
            &["<P>_OIDC_CLIENT_AUTH"],
            "How the client shows its secret: in the header or in the form.",
        )
        .one_of(&["client_secret_basic", "client_secret_post"]);
    }

    /// An issuer as our own provider writes it, if it is that one: without a slash at the end, however `OCIS_URL` is written.
    pub(super) fn own_issuer(&self, issuer: &str) -> Option<&str> {
        let mut own = self.own_issuers.iter().map(|own| own.trim_end_matches('/'));
        own.find(|own| *own == issuer.trim_end_matches('/'))
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
            method: method(&self.verify_method),
            any_client: self.userinfo_any_client,
            client: set(&self.client_secret).map(|secret| Client {
                id: self.client_id.clone(),
                secret,
                in_form: self.client_auth == "client_secret_post",
            }),
            skip_user_info: self.skip_user_info,
            believed_for: self.cache_ttl,
            naming: Naming::Directory { claim, by_id },
            numbers: [path(&self.uid_claim), path(&self.gid_claim)],
            provisioning: provision.provisioning(),
            roles: roles.roles(),
        }
    }
}

/// Why no token is accepted for which userinfo alone vouches.
pub(super) const USERINFO_ALONE: &str = "access_token_verify_method: userinfo shows neither the audience nor the client of a token; use introspection, or set AUTH_BEARER_OIDC_USERINFO_ANY_CLIENT=true (userinfo_any_client in the file) if every client of the issuer may act as its users";

pub(super) fn method(name: &str) -> Method {
    match name {
        "introspection" => Method::Introspection,
        "userinfo" | "none" => Method::UserInfo,
        _ => Method::Jwt,
    }
}
