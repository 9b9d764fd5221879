//! The issuers whose tokens are accepted, and which of them a token is for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use authn::Reason;
use config::Secret;
use oidc::jose::{JwtError, UnverifiedJwt};
use outbound::issuer::cache::{CacheOptions, IssuerCache, Refresh};
use outbound::issuer::{KeyRequests, PrepareError, Source};
use outbound::{Authorities, ClientIdentity};
use runtime::Context;
use token::transaction::names::TYP;

use crate::access::{self, Rules};
use crate::claims::{Claims, Path, TenantClaim};
use crate::membership::Instance;

/// How often it is logged at most, in seconds, that tokens of an issuer are refused for their client: anybody can send such tokens.
const WARN_EVERY: u64 = 60;
/// The `User-Agent` of requests to issuers.
const USER_AGENT: &str = "doorward-auth-bearer";
/// The claim in which our own provider writes the login name of a user, for the scope `profile` alone.
const LOGIN_NAME: &str = "preferred_username";

/// How an issuer's access tokens are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Locally, with the issuer's keys.
    Jwt,
    /// At the issuer's introspection endpoint (RFC 7662).
    Introspection,
    /// At the issuer's userinfo endpoint (`OpenID` Connect Core 5.3).
    UserInfo,
}

impl Method {
    /// The method that a setting names; `Jwt` for an unknown name, which the setting does not allow.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "introspection" => Self::Introspection,
            "userinfo" | "none" => Self::UserInfo,
            _ => Self::Jwt,
        }
    }
}

/// Why a token is not accepted on a userinfo response alone.
pub(crate) const USERINFO_ALONE: &str = "access_token_verify_method: userinfo shows neither the audience nor the client of a token; use introspection, or set AUTH_BEARER_OIDC_USERINFO_ANY_CLIENT=true (userinfo_any_client in the file) if every client of the issuer may act as its users";

/// The credentials for the introspection endpoint.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client identifier.
    pub id: String,
    /// The client secret.
    pub secret: Secret,
    /// Whether both are sent in the form instead of the `Authorization` header (RFC 6749 2.3.1).
    pub in_form: bool,
}

impl PartialEq for Client {
    /// Compares the operator's own settings with each other: not in constant time.
    fn eq(&self, other: &Self) -> bool {
        let Self { id, secret, in_form } = self;
        (id, secret.expose(), in_form) == (&other.id, other.secret.expose(), &other.in_form)
    }
}

/// Which users an issuer's tokens can name.
#[derive(Debug, Clone, PartialEq)]
pub enum Naming {
    /// Users of the directory, identified by a claim: the issuer is the provider at which they have always signed in.
    Directory {
        /// The claim.
        claim: Path,
        /// Whether it holds the user's id; otherwise it holds the username.
        by_id: bool,
    },
    /// Only users who were provisioned from this issuer, whatever its tokens say.
    Own {
        /// The suffix of the names of its users and groups.
        suffix: String,
    },
}

/// The claims from which accounts of unknown users are created.
#[derive(Debug, Clone, PartialEq)]
pub struct Provisioning {
    /// The username.
    pub username: Path,
    /// The mail address.
    pub mail: Path,
    /// The display name.
    pub display_name: Path,
    /// The groups.
    pub groups: Path,
    /// Identifiers of these groups that stay the same when a group is renamed, in the same order; if none, entries may hold one
    /// themselves.
    pub group_ids: Option<Path>,
    /// The most groups that are taken from a token.
    pub max_groups: usize,
    /// Whether a mail address is accepted without `email_verified`.
    pub trust_mail: bool,
}

/// Which role a token gives: that of the first value that it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Roles {
    /// The claim with the values.
    pub claim: Path,
    /// Values and identifiers of roles.
    pub mapping: Vec<(String, String)>,
}

/// What the operator says of an issuer.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What its tokens must say, including its name.
    pub rules: Rules,
    /// Whether it may use plain HTTP or an untrusted certificate.
    pub insecure: bool,
    /// How its tokens are verified.
    pub method: Method,
    /// Whether tokens of every client are accepted on a userinfo response alone.
    pub any_client: bool,
    /// The credentials for its introspection endpoint.
    pub client: Option<Client>,
    /// Whether userinfo is not requested for claims that a token lacks.
    pub skip_user_info: bool,
    /// How long an introspection or userinfo response is cached.
    pub cache_ttl: Duration,
    /// Which users its tokens can name.
    pub naming: Naming,
    /// The claims that hold the POSIX numbers of user and group.
    pub numbers: [Option<Path>; 2],
    /// How accounts of unknown users are created; if none, they are not.
    pub provisioning: Option<Provisioning>,
    /// Which roles its tokens give; if none, the roles of the directory apply.
    pub roles: Option<Roles>,
    /// The instance to which its users have to belong; if none, there is only one.
    pub instance: Option<Instance>,
    /// The claim that names the tenant of a user; if none, tokens say nothing of tenants.
    pub tenant: Option<TenantClaim>,
}

impl Settings {
    /// Whether the subject identifies the user of these claims, since the login name is missing
    /// (`docs/security-requirements.md#r24`). In a JWT of our own provider the subject is the user's id in the directory: clients with
    /// pairwise subjects get no JWT. A token without a scope, like one that an ID token was exchanged for, permits nothing.
    pub(crate) fn subject_identifies_user(&self, claims: &Claims) -> bool {
        let Naming::Directory { claim, by_id: false } = &self.naming else { return false };
        let is_missing = claim.is(LOGIN_NAME) && claims.value(claim).is_none();
        self.rules.is_own && self.method == Method::Jwt && is_missing && access::has_scope(claims.all())
    }

    /// Checks the rules that span all issuers.
    ///
    /// # Errors
    /// Says which rule does not hold.
    pub(crate) fn check_together(all: &[Self]) -> Result<(), String> {
        if let Some(issuer) = all.iter().find(|issuer| issuer.method == Method::UserInfo && !issuer.any_client) {
            return Err(format!("{}: {USERINFO_ALONE}", issuer.rules.issuer));
        }
        for (index, issuer) in all.iter().enumerate() {
            if all.iter().take(index).any(|other| other.rules.issuer == issuer.rules.issuer) {
                return Err(format!("{} is there twice", issuer.rules.issuer));
            }
        }
        if all.iter().filter(|issuer| issuer.method != Method::Jwt).count() > 1 {
            let problem = "more than one is asked about tokens: a token that does not say who issued it would be shown to the wrong one";
            return Err(problem.to_owned());
        }
        Ok(())
    }
}

/// An issuer.
pub struct Issuer {
    /// What the operator says of it.
    pub settings: Settings,
    /// Its metadata and keys.
    pub keys: IssuerCache,
    /// The longest that a token of its has lived, in seconds.
    longest: AtomicU64,
    /// When it was last logged that a token is refused for its client, in seconds since 1970.
    warned: AtomicU64,
}

impl Issuer {
    fn new(settings: Settings, calls: &Calls<'_>, context: &Context) -> Result<Self, PrepareError> {
        let name = &settings.rules.issuer;
        let Calls { allow_private, authorities, own_backend, identity } = *calls;
        let mut source = Source::new(name, USER_AGENT, settings.insecure, allow_private, authorities)?;
        if settings.rules.is_own && !own_backend.is_empty() {
            source = source.reached_at(own_backend, USER_AGENT, authorities, identity)?;
        }
        let requests = KeyRequests::new(&context.metrics, name);
        let on_fetch = Box::new(move |is_usable: bool| {
            requests.note(is_usable);
            if is_usable {
                tracing::debug!("the issuer was asked");
            }
        });
        let needs_keys = settings.method == Method::Jwt;
        let options = CacheOptions { refresh: Refresh::Background, needs_keys, on_fetch };
        let keys = IssuerCache::new(source, context.clock.clone(), options);
        Ok(Self { settings, keys, longest: AtomicU64::new(0), warned: AtomicU64::new(0) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.rules.issuer
    }

    /// Records the lifetime of a token.
    pub fn note_life(&self, claims: &Claims, now: SystemTime) {
        let Some(end) = claims.expires else { return };
        let life = end.duration_since(claims.issued.unwrap_or(now)).unwrap_or_default();
        self.longest.fetch_max(life.as_secs(), Ordering::Relaxed);
    }

    /// Logs that a token is refused for its client, and what an operator does about it.
    pub fn warn_of_client(&self, now: SystemTime) {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let is_due = |last: u64| (now.abs_diff(last) >= WARN_EVERY).then_some(now);
        if self.warned.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_due).is_ok() {
            let (issuer, remedy) = (self.name(), access::remedy(&self.settings.rules));
            tracing::warn!(issuer, "access tokens are refused (foreign_client): {remedy}");
        }
    }

    /// The longest life of a token that has counted here without being verified at the issuer; `None` if none was seen since the
    /// start.
    pub fn longest_life(&self) -> Option<Duration> {
        if self.settings.method != Method::Jwt {
            return Some(Duration::ZERO);
        }
        let longest = Duration::from_secs(self.longest.load(Ordering::Relaxed));
        (!longest.is_zero()).then_some(longest)
    }
}

/// Where a token is verified.
pub enum Route<'a> {
    /// Here.
    Here(&'a Arc<Issuer>, UnverifiedJwt<'a>),
    /// At its issuer.
    There(&'a Arc<Issuer>),
}

/// How issuers are called.
#[derive(Debug, Clone, Copy)]
pub struct Calls<'a> {
    /// Whether what an issuer names may be in a private network.
    pub allow_private: bool,
    /// Certificates that are trusted in addition to the system's.
    pub authorities: Option<&'a Authorities>,
    /// The internal address of our own provider; empty for its issuer's URL.
    pub own_backend: &'a str,
    /// What is shown there.
    pub identity: Option<&'a ClientIdentity>,
}

/// All issuers.
pub struct Issuers(Vec<Arc<Issuer>>);

impl Issuers {
    /// Prepares to call these issuers; none is called yet. Those of `before` whose settings are the same stay, with the keys that are
    /// known of them.
    ///
    /// # Errors
    /// When the address of one is none.
    pub fn new(
        all: Vec<Settings>,
        before: Option<&Self>,
        calls: &Calls<'_>,
        context: &Context,
    ) -> Result<Self, PrepareError> {
        let issuer = |settings: Settings| {
            let known = before.and_then(|before| before.named(&settings.rules.issuer));
            match known.filter(|known| known.settings == settings) {
                Some(known) => Ok(Arc::clone(known)),
                None => Issuer::new(settings, calls, context).map(Arc::new),
            }
        };
        all.into_iter().map(issuer).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this is one of them, with its present settings.
    pub(crate) fn contains(&self, issuer: &Arc<Issuer>) -> bool {
        self.0.iter().any(|own| Arc::ptr_eq(own, issuer))
    }

    /// Which issuers `after` has, and which of them are not as they were `before`.
    pub(crate) fn changes(before: &Self, after: &Self) -> String {
        let names = |all: &Self, other: &Self| {
            let is_gone = |issuer: &&Arc<Issuer>| !other.contains(issuer);
            all.0.iter().filter(is_gone).map(|issuer| issuer.name()).collect::<Vec<_>>().join(", ")
        };
        let (new, former) = (names(after, before), names(before, after));
        format!("{} issuers; new or changed: [{new}]; removed or changed: [{former}]", after.0.len())
    }

    /// The issuer of this name, byte for byte.
    pub fn named(&self, name: &str) -> Option<&Arc<Issuer>> {
        self.0.iter().find(|issuer| issuer.name() == name)
    }

    /// Selects the issuer at which a token is verified. A token that names its issuer is disclosed to no other one; a token that
    /// does not can only be of the one issuer that verifies such tokens. A transaction token is disclosed to none: it is valid within
    /// the installation only, and need not name an issuer (`docs/security-requirements.md#x3`).
    ///
    /// # Errors
    /// Why it is refused.
    pub fn route<'a>(&'a self, token: &'a str) -> Result<Route<'a>, Reason> {
        let jwt = match UnverifiedJwt::parse(token) {
            Ok(jwt) if jwt.is_typ(TYP) => return Err(Reason::ForeignToken),
            Ok(jwt) => jwt,
            Err(JwtError::TooLong | JwtError::Extension) => return Err(Reason::Malformed),
            Err(_) => return self.opaque(),
        };
        let Some(name) = jwt.claims().get("iss") else { return self.opaque() };
        let issuer = name.as_str().and_then(|name| self.named(name)).ok_or(Reason::ForeignToken)?;
        Ok(match issuer.settings.method {
            Method::Jwt => Route::Here(issuer, jwt),
            Method::Introspection | Method::UserInfo => Route::There(issuer),
        })
    }

    fn opaque(&self) -> Result<Route<'_>, Reason> {
        let asked = self.0.iter().find(|issuer| issuer.settings.method != Method::Jwt);
        asked.map(Route::There).ok_or(Reason::Malformed)
    }
}
