//! Authentication of credentials by the gateway.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::gateway::Identified;
use authn::{AuthError, Caller, Credentials, Explanation, Gateway, User, causes, kind};
use bounded_cache::{HeapSize, Lookups, MIB};
use http::HeaderValue;
use http::header::USER_AGENT;
use moka::sync::Cache;
use runtime::Clock;
use secrecy::SecretString;
use token::{LEEWAY, Verifier};

use crate::config::Config;
use crate::credential::Credential;
use crate::identity::Identity;
use crate::request_info::RequestInfo;
use crate::verdict::{CredentialError, Verdict};

/// The largest size of the cache of verified internal tokens, in bytes.
const BOUND: u64 = 6 * MIB;
/// How long an entry stays in it.
const TIME_TO_LIVE: Duration = Duration::from_mins(1);

/// Authenticates credentials at the gateway, once for every request. The authenticator behind it has a cache that revocations
/// reach at once; a cache of credentials here would learn of them later.
pub struct Authentication {
    gateway: Arc<dyn Gateway>,
    verifier: Verifier,
    clock: Clock,
    /// The identities that verified internal tokens convey. Says nothing about the credentials that they were minted for.
    identities: Cache<TokenAddress, Arc<Identity>>,
    lookups: Lookups,
    types: CredentialTypes,
}

/// A token that is compared and hashed by its address in memory, which is faster than by its text. A cache that holds one keeps
/// the address from being reused.
#[derive(Clone)]
struct TokenAddress(Arc<str>);

impl PartialEq for TokenAddress {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for TokenAddress {}

impl HeapSize for TokenAddress {
    fn heap_size(&self) -> usize {
        self.0.heap_size()
    }
}

impl Hash for TokenAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ptr().hash(state);
    }
}

/// The types of credential that are accepted in addition to access tokens.
#[derive(Debug, Clone, Copy)]
pub struct CredentialTypes {
    /// Passwords, by HTTP Basic.
    pub basic: bool,
    /// App tokens.
    pub app: bool,
}

impl CredentialTypes {
    /// Those of the configuration. At one of several instances there are none: passwords and app tokens do not say whether their user
    /// belongs to it.
    pub fn of(config: &Config) -> Self {
        let is_single = !config.multi_instance_enabled;
        Self { basic: config.enable_basic_auth && is_single, app: config.enable_app_auth && is_single }
    }
}

/// Why the credential of a link is not accepted.
#[derive(Debug)]
pub(crate) enum LinkError {
    /// It is invalid; perhaps with the cause, as the system has stated it that verifies links.
    Refused(Option<Explanation>),
    /// No decision was reached.
    Undecided(Verdict),
}

impl Authentication {
    /// Authenticates at this gateway, whose tokens this verifier must accept.
    pub fn new(gateway: Arc<dyn Gateway>, verifier: Verifier, clock: Clock, types: CredentialTypes) -> Self {
        let identities = bounded_cache::sync(BOUND).time_to_live(TIME_TO_LIVE).build();
        Self { gateway, verifier, clock, identities, lookups: Lookups::default(), types }
    }

    /// How often the identity that a token conveys was known.
    pub fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    /// The user of a credential.
    ///
    /// # Errors
    /// The verdict that refuses the request.
    pub async fn identify(&self, info: &RequestInfo<'_>, credential: Credential) -> Result<Arc<Identity>, Verdict> {
        let kinds = self.kinds(&credential);
        let (login, secret) = match credential {
            Credential::Basic { login, secret } => (login, secret),
            Credential::Bearer(secret) => (String::new(), secret),
        };
        let credentials = Credentials { client_id: login, secret, caller: caller(info) };
        let mut last = Verdict::Unauthenticated(CredentialError::Invalid);
        for kind in kinds.into_iter().flatten() {
            match self.authenticate(kind, &credentials).await {
                Err(Verdict::Unauthenticated(_)) => {}
                // Whether it is an app token is not known now. It may still be a password.
                Err(busy @ Verdict::Busy { .. }) if kind == kind::APP => last = busy,
                decided => return decided,
            }
        }
        Err(last)
    }

    /// The user of credentials of one type.
    ///
    /// # Errors
    /// The verdict that refuses the request.
    pub async fn authenticate(&self, kind: &str, credentials: &Credentials) -> Result<Arc<Identity>, Verdict> {
        match self.gateway.token(kind, credentials).await {
            Ok(identified) => self.verify(identified),
            Err(error) => Err(verdict(&error)),
        }
    }

    /// The user whom these machine credentials name, and the last change of the password if it is known; `None` if the user does not
    /// exist or is disabled.
    ///
    /// # Errors
    /// The verdict that refuses the request.
    pub async fn impersonate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<(Arc<Identity>, Option<SystemTime>)>, Verdict> {
        match self.gateway.token(kind::MACHINE, credentials).await {
            Ok(identified) => {
                let password_changed = identified.user.password_changed;
                Ok(Some((self.verify(identified)?, password_changed)))
            }
            Err(AuthError::UnknownUser) => Ok(None),
            Err(error) => {
                if matches!(error, AuthError::Refused(_) | AuthError::UnknownType { .. }) {
                    tracing::warn!(%error, "the machine key, or the token or certificate of the edge in its place, is refused: does auth-machine run, with the same OCIS_MACHINE_AUTH_API_KEY, or with a policy for the edge?");
                }
                Err(verdict(&error))
            }
        }
    }

    /// The user of the credential of a link. The identity is not stored: the gateway is asked for each request.
    ///
    /// # Errors
    /// [`LinkError`].
    pub(crate) async fn identify_link(
        &self,
        kind: &str,
        link: &str,
        secret: SecretString,
        info: &RequestInfo<'_>,
    ) -> Result<Identity, LinkError> {
        let credentials = Credentials { client_id: link.to_owned(), secret, caller: caller(info) };
        match self.gateway.token(kind, &credentials).await {
            Ok(Identified { token, user }) => self.read(&token, &user).map_err(LinkError::Undecided),
            Err(AuthError::Explained(explanation)) => Err(LinkError::Refused(Some(*explanation))),
            Err(AuthError::Refused(_) | AuthError::UnknownUser | AuthError::NotPermitted(_)) => {
                Err(LinkError::Refused(None))
            }
            // a gateway without another one behind it: anybody could fill the log with a warning about it
            Err(error @ AuthError::UnknownType { .. }) if kind == kind::PUBLIC_SHARES => {
                tracing::debug!(%error, "the gateway does not verify public links");
                Err(LinkError::Refused(None))
            }
            Err(AuthError::Busy { retry_after }) => Err(LinkError::Undecided(Verdict::Busy { retry_after })),
            Err(error) => {
                tracing::warn!(%error, cause = causes(&error), kind, "the gateway does not verify links; does GATEWAY_UPSTREAM_ENDPOINT name that of the installation?");
                Err(LinkError::Undecided(Verdict::Unavailable))
            }
        }
    }

    /// Whether a token is a valid internal token: by its signature, expiry and issuer.
    pub fn is_internal_token(&self, token: &str) -> bool {
        self.verifier.verify(self.clock.now(), token).is_ok()
    }

    /// The time.
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// The types as which a credential is tried, in order. One with the prefix of app tokens is never tried as a password. One
    /// without may still be an app token that another system has made.
    fn kinds(&self, credential: &Credential) -> [Option<&'static str>; 2] {
        let app = self.types.app.then_some(kind::APP);
        match credential {
            _ if credential.is_app_token() => [app, None],
            Credential::Basic { .. } => [app, self.types.basic.then_some(kind::BASIC)],
            Credential::Bearer(_) => [Some(kind::BEARER), None],
        }
    }

    /// The identity that an internal token of the gateway conveys.
    fn verify(&self, Identified { token, user }: Identified) -> Result<Arc<Identity>, Verdict> {
        let (now, token) = (self.clock.now(), TokenAddress(token));
        let is_live = |identity: &Arc<Identity>| identity.claims.expires_at + LEEWAY > now;
        if let Some(identity) = self.lookups.counted(self.identities.get(&token).filter(is_live)) {
            return Ok(identity);
        }
        let identity = Arc::new(self.read(&token.0, &user)?);
        self.identities.insert(token, Arc::clone(&identity));
        Ok(identity)
    }

    /// The same, without asking what was read before.
    fn read(&self, token: &str, user: &User) -> Result<Identity, Verdict> {
        let mut claims = self.verifier.verify(self.clock.now(), token).map_err(|error| {
            tracing::error!(%error, "the gateway's token is invalid here; is OCIS_JWT_SECRET the same in both?");
            Verdict::Unavailable
        })?;
        if claims.groups_omitted {
            // Rules and applications would take the user for one without groups.
            if user.id.opaque_id != claims.user.id.opaque_id {
                tracing::error!("the gateway's token has no groups, and its answer is about another user");
                return Err(Verdict::Unavailable);
            }
            claims.user.groups.clone_from(&user.groups);
        }
        let header = HeaderValue::from_str(token).map_err(|_| Verdict::Unavailable)?;
        Ok(Identity::new(header, claims))
    }
}

fn caller(info: &RequestInfo<'_>) -> Caller {
    let text = |name| info.header(&name).unwrap_or_default().to_owned();
    Caller {
        source: info.source,
        trace_id: text(http::HeaderName::from_static("x-request-id")),
        user_agent: text(USER_AGENT),
        ..Caller::default()
    }
}

fn verdict(error: &AuthError) -> Verdict {
    match error {
        AuthError::Refused(_)
        | AuthError::Explained(_)
        | AuthError::UnknownUser
        | AuthError::UnknownType { .. }
        | AuthError::Malformed(_) => Verdict::Unauthenticated(CredentialError::Invalid),
        AuthError::NotPermitted(_) => Verdict::Forbidden,
        AuthError::Busy { retry_after } => Verdict::Busy { retry_after: *retry_after },
        AuthError::Unavailable { .. } | AuthError::Internal(_) => {
            tracing::warn!(%error, cause = causes(error), "the gateway does not answer");
            Verdict::Unavailable
        }
    }
}

#[cfg(test)]
mod tests;
