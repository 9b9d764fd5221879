//! The issuers whose tokens are accepted, and which of them a token is for.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use authn::Reason;
use config::Secret;
use oidc::jose::{JwtError, UnverifiedJwt};
use outbound::issuer::{PrepareError, Source};
use runtime::Context;

use crate::access::{self, Rules};
use crate::claims::{Claims, Path};
use crate::keys::KeyCache;
use crate::metrics::Asked;

/// How often it is logged at most, in seconds, that tokens of an issuer are refused for their client: anybody can send such tokens.
const WARN_EVERY: u64 = 60;
/// What issuers are told of who calls them.
const USER_AGENT: &str = "doorward-auth-bearer";

/// How an issuer's access tokens are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Here, by the issuer's keys.
    Jwt,
    /// The issuer is asked about the token (RFC 7662).
    Introspection,
    /// The issuer is asked for the token's person (`OpenID` Connect Core 5.3).
    UserInfo,
}

/// Who we are to the introspection endpoint.
#[derive(Debug, Clone)]
pub struct Client {
    /// Our identifier.
    pub id: String,
    /// Our secret.
    pub secret: Secret,
    /// Whether both stand in the form, and not in the `Authorization` header (RFC 6749 2.3.1).
    pub in_form: bool,
}

/// Whom an issuer's tokens can name.
#[derive(Debug, Clone)]
pub enum Naming {
    /// People of the directory, whom a claim names: this is the provider that they have always signed in at.
    Directory {
        /// The claim.
        claim: Path,
        /// Whether it holds the person's id; else the login name.
        by_id: bool,
    },
    /// Nobody but people who came from this issuer, whatever its tokens say.
    Own {
        /// What is appended to the names of its people and groups.
        suffix: String,
    },
}

/// What is made of unknown people.
#[derive(Debug, Clone)]
pub struct Provisioning {
    /// The login name.
    pub username: Path,
    /// The mail address.
    pub mail: Path,
    /// The name to show.
    pub display_name: Path,
    /// The groups.
    pub groups: Path,
    /// Identifiers of these groups that stay when a group is renamed, in the same order; if none, entries may hold one themselves.
    pub group_ids: Option<Path>,
    /// How many groups are taken at most.
    pub max_groups: usize,
    /// Whether a mail address is believed that the issuer does not call verified.
    pub trust_mail: bool,
}

/// Which role a token gives: that of the first value that it holds.
#[derive(Debug, Clone)]
pub struct Roles {
    /// The claim with the values.
    pub claim: Path,
    /// Values and identifiers of roles.
    pub mapping: Vec<(String, String)>,
}

/// What the operator says of an issuer.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What its tokens must say; its name among it.
    pub rules: Rules,
    /// Whether it may use plain HTTP or a certificate that nobody vouches for.
    pub insecure: bool,
    /// How its tokens are verified.
    pub method: Method,
    /// Whether tokens of every client count where userinfo is all that vouches for them.
    pub any_client: bool,
    /// Who we are to it.
    pub client: Option<Client>,
    /// Whether claims that a token lacks are not asked for.
    pub skip_user_info: bool,
    /// How long an answer of the issuer about a token is believed.
    pub believed_for: Duration,
    /// Whom its tokens name.
    pub naming: Naming,
    /// The claims that hold the POSIX numbers of user and group.
    pub numbers: [Option<Path>; 2],
    /// What is made of unknown people; nothing if there is none.
    pub provisioning: Option<Provisioning>,
    /// Which roles its tokens give; if none, those of the directory stay.
    pub roles: Option<Roles>,
}

/// An issuer.
pub struct Issuer {
    /// What the operator says of it.
    pub settings: Settings,
    /// What it says of itself.
    pub keys: KeyCache,
    /// The longest that a token of its has lived, in seconds.
    longest: AtomicU64,
    /// When it was last logged that a token is refused for its client, in seconds since 1970.
    warned: AtomicU64,
}

impl Issuer {
    fn new(
        settings: Settings,
        allow_private: bool,
        authorities: Option<&FilePath>,
        context: &Context,
    ) -> Result<Self, PrepareError> {
        let name = &settings.rules.issuer;
        let source = Source::new(name, USER_AGENT, settings.insecure, allow_private, authorities)?;
        let asked = Asked::new(&context.metrics, name);
        let keys = KeyCache::new(source, settings.method == Method::Jwt, context.clock.clone(), asked);
        Ok(Self { settings, keys, longest: AtomicU64::new(0), warned: AtomicU64::new(0) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.rules.issuer
    }

    /// Notes how long a token lives.
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

    /// The longest life of a token so far.
    pub fn longest_life(&self) -> Duration {
        Duration::from_secs(self.longest.load(Ordering::Relaxed))
    }
}

/// Where a token is verified.
pub enum Route<'a> {
    /// Here.
    Here(&'a Arc<Issuer>, UnverifiedJwt<'a>),
    /// At its issuer.
    There(&'a Arc<Issuer>),
}

/// All issuers.
pub struct Issuers(Vec<Arc<Issuer>>);

impl Issuers {
    /// Prepares to call these issuers; none is called yet. `allow_private` permits addresses in private networks for what an issuer
    /// names; the certificates in the file `authorities` are trusted in addition to the system's.
    ///
    /// # Errors
    /// When the address of one is none, or the certificates cannot be read.
    pub fn new(
        all: Vec<Settings>,
        allow_private: bool,
        authorities: Option<&FilePath>,
        context: &Context,
    ) -> Result<Self, PrepareError> {
        let issuer = |settings| Issuer::new(settings, allow_private, authorities, context).map(Arc::new);
        all.into_iter().map(issuer).collect::<Result<_, _>>().map(Self)
    }

    /// The issuer of this name, byte for byte.
    pub fn named(&self, name: &str) -> Option<&Arc<Issuer>> {
        self.0.iter().find(|issuer| issuer.name() == name)
    }

    /// Where a token is verified. One that says who issued it is shown to nobody else; one that does not can only be for the one
    /// issuer that is asked about such tokens.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn route<'a>(&'a self, token: &'a str) -> Result<Route<'a>, Reason> {
        let jwt = match UnverifiedJwt::parse(token) {
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
