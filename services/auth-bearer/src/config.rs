use runtime::config::{Debug, Grpc, GrpcClientTls, Invalid, Log, Reva, Section, Tracing, Visitor};

use crate::issuer;

/// The configuration of auth-bearer.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where spans are sent.
    pub tracing: Tracing,
    /// What is logged.
    pub log: Log,
    /// The server for health and metrics.
    pub debug: Debug,
    /// The server for `ProviderAPI`.
    pub grpc: Grpc,
    /// TLS towards the directory.
    pub grpc_client_tls: GrpcClientTls,
    /// The gateway of an existing installation, as the directory.
    pub reva: Reva,
    /// Whether groups are left out.
    pub skip_user_groups_in_token: bool,
    /// Whose tokens are accepted.
    pub auth_providers: AuthProviders,
    /// The directory's own address.
    pub users_endpoint: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tracing: Tracing::default(),
            log: Log::default(),
            debug: Debug::at("127.0.0.1:9149"),
            grpc: Grpc::at("127.0.0.1:9148"),
            grpc_client_tls: GrpcClientTls::default(),
            reva: Reva::default(),
            skip_user_groups_in_token: false,
            auth_providers: AuthProviders::default(),
            users_endpoint: String::new(),
        }
    }
}

impl Section for Config {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.section("tracing", &mut self.tracing);
        v.section("log", &mut self.log);
        v.section("debug", &mut self.debug);
        v.section("grpc", &mut self.grpc);
        v.section("grpc_client_tls", &mut self.grpc_client_tls);
        v.section("reva", &mut self.reva);
        v.value(
            "skip_user_groups_in_token",
            &mut self.skip_user_groups_in_token,
            &["<P>_SKIP_USER_GROUPS_IN_TOKEN"],
            "Disables the encoding of the user's group memberships in the access token. This reduces the token size, especially when users are members of a large number of groups.",
        );
        v.section("auth_providers", &mut self.auth_providers);
        v.value("users_endpoint", &mut self.users_endpoint, &["<P>_USERS_ENDPOINT"], runtime::USERS_ENDPOINT);
    }
}

/// `auth_providers`: the kinds of provider there are.
#[derive(Clone, Debug, Default)]
pub struct AuthProviders {
    /// The one `OpenID` Provider.
    pub oidc: Oidc,
}

impl Section for AuthProviders {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.section("oidc", &mut self.oidc);
    }
}

/// `auth_providers.oidc`: the `OpenID` Provider whose access tokens are accepted.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// Its issuer, exactly as its tokens and its discovery document write it.
    pub issuer: String,
    /// Whether it may use plain HTTP or a certificate that nobody vouches for.
    pub insecure: bool,
    /// The claim that says who the user is.
    pub id_claim: String,
    /// The claim that holds the POSIX user number; empty for the directory's.
    pub uid_claim: String,
    /// The claim that holds the POSIX group number; empty for the directory's.
    pub gid_claim: String,
    /// What a token must be meant for; empty if that does not matter.
    pub audience: String,
}

impl Default for Oidc {
    fn default() -> Self {
        Self {
            issuer: "https://localhost:9200".to_owned(),
            insecure: false,
            id_claim: "preferred_username".to_owned(),
            uid_claim: String::new(),
            gid_claim: String::new(),
            audience: String::new(),
        }
    }
}

impl Section for Oidc {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "issuer",
            &mut self.issuer,
            &["OCIS_URL", "OCIS_OIDC_ISSUER", "<P>_OIDC_ISSUER"],
            "URL of the OIDC issuer. It defaults to URL of the builtin IDP.",
        )
        .required("it is the URL of the OpenID Provider");
        v.value(
            "insecure",
            &mut self.insecure,
            &["OCIS_INSECURE", "<P>_OIDC_INSECURE"],
            "Allow insecure connections to the OIDC issuer: plain HTTP, or a certificate that cannot be verified.",
        );
        v.value(
            "id_claim",
            &mut self.id_claim,
            &["<P>_OIDC_ID_CLAIM"],
            "Name of the claim, which holds the user identifier: the login name, or with 'sub' the user's id.",
        )
        .required("it is the name of a claim, like preferred_username");
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
        v.value(
            "audience",
            &mut self.audience,
            &["<P>_OIDC_AUDIENCE"],
            "What access tokens must be meant for (their 'aud'). If empty, every audience of the issuer is accepted.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        issuer::check(&self.issuer, self.insecure).map(drop).map_err(|problem| Invalid::new("issuer", problem))
    }
}
