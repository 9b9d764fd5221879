//! From a credential to an identity.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::gateway::Identified;
use authn::{AuthError, Caller, Credentials, Gateway, kind};
use bounded_cache::{HeapSize, MIB};
use http::HeaderValue;
use http::header::USER_AGENT;
use moka::sync::Cache;
use runtime::Clock;
use token::{LEEWAY, Verifier};

use crate::asked::Asked;
use crate::credential::Presented;
use crate::identity::Identity;
use crate::verdict::{Refused, Verdict};

/// The bound of what is remembered of what tokens say, in bytes.
const BOUND: u64 = 6 * MIB;
/// How long that is remembered.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);

/// Verifies credentials by the gateway. The gateway is asked for every request: whoever verifies there keeps what it has read,
/// knows of revocations at once, and is quick; a second memory here would only be one that knows later.
pub struct Admission {
    gateway: Arc<dyn Gateway>,
    verifier: Verifier,
    clock: Clock,
    /// What tokens say that were verified. It is no word on the credentials that they were minted for.
    read: Cache<Same, Arc<Identity>>,
    kinds: Kinds,
}

/// A token that is known again by where it is, which is quicker than by what it is. It stays there as long as it is remembered.
#[derive(Clone)]
struct Same(Arc<str>);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Same {}

impl HeapSize for Same {
    fn heap_size(&self) -> usize {
        self.0.heap_size()
    }
}

impl Hash for Same {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ptr().hash(state);
    }
}

/// Which kinds of credential are tried beside bearer tokens.
#[derive(Debug, Clone, Copy)]
pub struct Kinds {
    /// Passwords, by HTTP Basic.
    pub basic: bool,
    /// App tokens.
    pub app: bool,
}

impl Admission {
    /// Asks this gateway, and believes tokens that this verifier accepts.
    pub fn new(gateway: Arc<dyn Gateway>, verifier: Verifier, clock: Clock, kinds: Kinds) -> Self {
        let read = bounded_cache::sync(BOUND).time_to_live(REMEMBERED_FOR).build();
        Self { gateway, verifier, clock, read, kinds }
    }

    /// Which kinds are tried.
    pub fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// Who the credential belongs to.
    ///
    /// # Errors
    /// The verdict, where it is none that lets pass.
    pub async fn identify(&self, asked: &Asked<'_>, presented: Presented) -> Result<Arc<Identity>, Verdict> {
        let kinds = self.kinds_of(&presented);
        let (login, secret) = match presented {
            Presented::Basic { login, secret } => (login, secret),
            Presented::Bearer(secret) => (String::new(), secret),
        };
        let credentials = Credentials { client_id: login, secret, caller: caller(asked) };
        let mut last = Verdict::Unauthenticated(Refused::Invalid);
        for kind in kinds.into_iter().flatten() {
            match self.ask(kind, &credentials).await {
                Err(Verdict::Unauthenticated(_)) => {}
                // whether it is an app token cannot be told now; it may still be a password
                Err(busy @ Verdict::Busy { .. }) if kind == kind::APP => last = busy,
                decided => return decided,
            }
        }
        Err(last)
    }

    /// Who credentials of this kind belong to.
    ///
    /// # Errors
    /// The verdict, where it is none that lets pass.
    pub async fn ask(&self, kind: &str, credentials: &Credentials) -> Result<Arc<Identity>, Verdict> {
        match self.gateway.token(kind, credentials).await {
            Ok(identified) => self.read(identified),
            Err(error) => Err(verdict(&error)),
        }
    }

    /// The user whom these credentials of the machine key name, and when the password was changed, as far as that is known; `None` if
    /// there is no such user, or not any more.
    ///
    /// # Errors
    /// The verdict, where it is none that lets pass.
    pub async fn impersonate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<(Arc<Identity>, Option<SystemTime>)>, Verdict> {
        match self.gateway.token(kind::MACHINE, credentials).await {
            Ok(identified) => {
                let password_changed = identified.user.password_changed;
                Ok(Some((self.read(identified)?, password_changed)))
            }
            Err(AuthError::UnknownUser) => Ok(None),
            Err(error) => {
                if matches!(error, AuthError::Refused(_) | AuthError::UnknownType { .. }) {
                    tracing::warn!(%error, "the machine key is refused: does auth-machine run, with the same OCIS_MACHINE_AUTH_API_KEY?");
                }
                Err(verdict(&error))
            }
        }
    }

    /// Whether a token is an internal one of the family at this moment: its signature, its end and its issuer are right.
    pub fn is_internal_token(&self, token: &str) -> bool {
        self.verifier.verify(self.clock.now(), token).is_ok()
    }

    /// The time.
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// What to try it as, in order. What has the shape of an app token is never tried as a password. Anything else may still be
    /// a token that another system made, which costs nothing to find out where there are none.
    fn kinds_of(&self, presented: &Presented) -> [Option<&'static str>; 2] {
        let app = self.kinds.app.then_some(kind::APP);
        match presented {
            _ if presented.is_app_token() => [app, None],
            Presented::Basic { .. } => [app, self.kinds.basic.then_some(kind::BASIC)],
            Presented::Bearer(_) => [Some(kind::BEARER), None],
        }
    }

    /// What an internal token says, which the gateway has just answered with.
    fn read(&self, Identified { token, user }: Identified) -> Result<Arc<Identity>, Verdict> {
        let (now, token) = (self.clock.now(), Same(token));
        let is_live = |identity: &Arc<Identity>| identity.claims.expires_at + LEEWAY > now;
        if let Some(identity) = self.read.get(&token).filter(is_live) {
            return Ok(identity);
        }
        let mut claims = self.verifier.verify(now, &token.0).map_err(|error| {
            tracing::error!(%error, "the gateway's token is not accepted here: is OCIS_JWT_SECRET the same?");
            Verdict::Unavailable
        })?;
        if claims.groups_omitted {
            // rules and applications must not take that for a user without groups
            if user.id.opaque_id != claims.user.id.opaque_id {
                tracing::error!("the gateway's token has no groups, and its answer is about another user");
                return Err(Verdict::Unavailable);
            }
            claims.user.groups.clone_from(&user.groups);
        }
        let header = HeaderValue::from_str(&token.0).map_err(|_| Verdict::Unavailable)?;
        let identity = Arc::new(Identity::new(header, claims));
        self.read.insert(token, Arc::clone(&identity));
        Ok(identity)
    }
}

fn caller(asked: &Asked<'_>) -> Caller {
    let text = |name| asked.header(&name).unwrap_or_default().to_owned();
    Caller {
        source: asked.source,
        trace_id: text(http::HeaderName::from_static("x-request-id")),
        user_agent: text(USER_AGENT),
        ..Caller::default()
    }
}

fn verdict(error: &AuthError) -> Verdict {
    match error {
        AuthError::Refused(_) | AuthError::UnknownUser | AuthError::UnknownType { .. } | AuthError::Malformed(_) => {
            Verdict::Unauthenticated(Refused::Invalid)
        }
        AuthError::NotPermitted(_) => Verdict::Forbidden,
        AuthError::Busy { retry_after } => Verdict::Busy { retry_after: *retry_after },
        AuthError::Unavailable { .. } | AuthError::Internal(_) => {
            tracing::warn!(%error, "the gateway cannot be asked");
            Verdict::Unavailable
        }
    }
}

#[cfg(test)]
mod tests;
