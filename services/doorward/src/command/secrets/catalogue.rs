//! The secrets that the data folder does not hold as generated ones, and how each is rotated.

/// A secret that an operator or another command rotates.
pub(crate) struct KeptElsewhere {
    /// What it is called here.
    pub(crate) name: &'static str,
    /// The variables that set it; none for what is stored in a database.
    pub(crate) variables: &'static [&'static str],
    /// How it is rotated, and what that interrupts.
    pub(crate) rotation: &'static str,
}

/// All of them.
pub(crate) const KEPT_ELSEWHERE: &[KeptElsewhere] = &[
    KeptElsewhere {
        name: "signing keys of idp",
        variables: &[],
        rotation: "no interruption: doorward keys rotate; once the tokens of the former key have ended: doorward keys retire KID",
    },
    KeptElsewhere {
        name: "secrets of clients",
        variables: &[],
        rotation: "the client is interrupted until it has the new one: doorward client rotate ID",
    },
    KeptElsewhere {
        name: "stored service accounts",
        variables: &[],
        rotation: "no interruption: doorward service-account add-secret ID, then remove-secret",
    },
    KeptElsewhere {
        name: "passwords of databases",
        variables: &["OCIS_DATABASE_URL", "OCIS_DATABASE_LISTEN_URL"],
        rotation: "no interruption with a second role of the same rights: name it in the URL, and restart one replica after the other",
    },
    KeptElsewhere {
        name: "password of the LDAP server",
        variables: &["OCIS_LDAP_BIND_PASSWORD"],
        rotation: "no interruption with a second account: set OCIS_LDAP_BIND_DN and the password, and restart users and auth-basic",
    },
    KeptElsewhere {
        name: "password of the mail server",
        variables: &["OCIS_SMTP_PASSWORD"],
        rotation: "set it and restart idp; mails wait in the meantime",
    },
    KeptElsewhere {
        name: "secret of auth-bearer at an issuer",
        variables: &["AUTH_BEARER_OIDC_CLIENT_SECRET"],
        rotation: "have the issuer make another one, set it, and restart auth-bearer",
    },
    KeptElsewhere {
        name: "secret of the edge at an issuer",
        variables: &["PROXY_SESSION_CLIENT_SECRET"],
        rotation: "have the issuer make another one, set it, and restart proxy",
    },
    KeptElsewhere {
        name: "key of the edge at an ACME authority",
        variables: &["PROXY_ACME_EAB_HMAC_KEY"],
        rotation: "no interruption: it is needed only to make an account; have the authority make another one, and set it with its PROXY_ACME_EAB_KEY_ID",
    },
    KeptElsewhere {
        name: "bearer token of token reviews",
        variables: &["PROXY_TOKEN_REVIEW_SECRET"],
        rotation: "set it at proxy and in the API server's webhook file, and restart both; reviews fail in the meantime",
    },
    KeptElsewhere {
        name: "tokens of debug servers",
        variables: &["PROXY_DEBUG_TOKEN"],
        rotation: "set <SERVICE>_DEBUG_TOKEN and the scraper's, and restart the service; scrapes fail in the meantime",
    },
    KeptElsewhere {
        name: "headers for spans, metrics and audit events by OTLP",
        variables: &["OCIS_TRACING_HEADERS"],
        rotation: "set them and restart; what is sent in the meantime is lost",
    },
];
