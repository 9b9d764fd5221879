//! Verifies an access token of one of the issuers and finds its user in the directory.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use authn::ended_sessions::Issuance;
use authn::{AuthError, Authenticated, Authenticator, Credentials, EndedSessions, Reason, User, UserId, UserType, amr};
use bounded_cache::Lookups;
use futures_util::future::BoxFuture;
use oidc::jose::UnverifiedJwt;
use runtime::{Clock, FileValue};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::access::{self, Access};
use crate::claims::Claims;
use crate::failure::Failure;
use crate::issuer::{Issuer, Issuers, Method, Naming, Route};
use crate::jwt;
use crate::logouts::Logouts;
use crate::membership::Instance;
use crate::remote;
use crate::results::{Key, Outcome, Results, Verified, key};
use crate::sessions::SessionStatus;
use crate::tenants::{self, Tenants};
use crate::user_directory::UserDirectory;

/// Verifies access tokens. `client_id` of the credentials says nothing.
pub struct Bearer {
    pub(crate) issuers: Arc<FileValue<Issuers>>,
    results: Results,
    pub(crate) logouts: Arc<Logouts>,
    users: UserDirectory,
    /// Looks tenants up, if there are any.
    tenants: Option<Tenants>,
    /// What our own provider has ended.
    ended_sessions: Option<Arc<dyn EndedSessions>>,
    pub(crate) clock: Clock,
}

impl Bearer {
    /// Verifies tokens of these issuers and finds their users with `users`, and tenants with `tenants`, if there are any. `logouts` are
    /// what the issuers have reported as ended, and `ended_sessions` the sessions of our own provider, if they are known.
    pub fn new(
        issuers: Arc<FileValue<Issuers>>,
        (users, tenants): (UserDirectory, Option<Tenants>),
        logouts: Arc<Logouts>,
        ended_sessions: Option<Arc<dyn EndedSessions>>,
        clock: Clock,
    ) -> Self {
        Self { issuers, results: Results::default(), logouts, users, tenants, ended_sessions, clock }
    }

    /// How often the result of a verification was known.
    pub(crate) fn lookups(&self) -> &Lookups {
        self.results.lookups()
    }

    /// The claims of a token, and its issuer.
    async fn verify(&self, token: &str) -> Result<(Arc<Issuer>, Arc<Verified>), AuthError> {
        if token.is_empty() {
            return Err(AuthError::Refused(Reason::EmptySecret));
        }
        if !is_one_token(token) {
            return Err(AuthError::Refused(Reason::Malformed));
        }
        let (now, key, issuers) = (self.clock.now(), key(token), self.issuers.current());
        // what an issuer with other settings has said does not count (docs/security-requirements.md#r20)
        let known = self.results.known(&key, now).await.filter(|outcome| issuers.contains(&outcome.issuer));
        let mut outcome = match known {
            Some(known) => known,
            None => match issuers.route(token).map_err(AuthError::Refused)? {
                Route::Here(issuer, jwt) => {
                    let verdict = verify_here(issuer, token, jwt, now).await;
                    let outcome = Outcome::new(issuer, verdict, now);
                    // a refusal is cheap to compute again, and in the cache it would displace a valid entry
                    if outcome.verdict.is_ok() {
                        self.results.keep(key, outcome.clone()).await;
                    }
                    outcome
                }
                Route::There(issuer) => self.ask_once(key, issuer, token, now, None).await,
            },
        };
        if let SessionStatus::MayHaveEnded(end) = self.status(&outcome, now)
            && outcome.at <= end
            && let Ok(Route::There(issuer)) = issuers.route(token)
        {
            outcome = self.ask_once(key, issuer, token, now, Some(end)).await;
        }
        if matches!(outcome.verdict, Err(Failure::Refused(Reason::ForeignClient))) {
            outcome.issuer.warn_of_client(now);
        }
        if self.status(&outcome, now) == SessionStatus::Ended {
            return Err(AuthError::Refused(Reason::Revoked));
        }
        let verified = outcome.verdict?;
        self.check_logouts_are_known(&outcome.issuer)?;
        if outcome.issuer.settings.rules.is_own {
            self.check_not_ended(&outcome.issuer, &verified)?;
        }
        Ok((outcome.issuer, verified))
    }

    /// What the issuer says about a token; of several callers at the same time, one asks for all. Results from before `not_before` are
    /// not used.
    async fn ask_once(
        &self,
        key: Key,
        issuer: &Arc<Issuer>,
        token: &str,
        now: SystemTime,
        not_before: Option<SystemTime>,
    ) -> Outcome {
        let ask = || verify_there(Arc::clone(issuer), token.to_owned(), now);
        let outcome = self.results.find((key, issuer), now, not_before, ask()).await;
        // another caller has asked before the settings of the issuer changed
        if Arc::ptr_eq(&outcome.issuer, issuer) { outcome } else { ask().await }
    }

    /// Refuses tokens while it is not known what other replicas have recorded as ended (`docs/security-requirements.md#r21`). Our own
    /// provider says itself which of its sessions have ended, if it is asked.
    fn check_logouts_are_known(&self, issuer: &Issuer) -> Result<(), AuthError> {
        let is_asked = issuer.settings.rules.is_own && self.ended_sessions.is_some();
        if is_asked || self.logouts.is_current() {
            return Ok(());
        }
        Err(Failure::unavailable("the ended sessions of the issuer are not known").into())
    }

    /// Whether our own provider has revoked a token or its grant (`docs/security-requirements.md#i24`), or ended its session
    /// (`docs/security-requirements.md#r9`), or everything of its client or its user since it was issued. Tokens of `offline_access`
    /// grants survive browser sign-out.
    fn check_not_ended(&self, issuer: &Issuer, verified: &Verified) -> Result<(), AuthError> {
        let Some(ended) = &self.ended_sessions else { return Ok(()) };
        let claims = &verified.claims;
        let claim = |name: &str| claims.all().get(name).and_then(Value::as_str);
        let session = claim("sid").filter(|_| !access::is_offline(claims.all()));
        let ids = [session, claim("jti"), claim("gid")].into_iter().flatten();
        let is_cut_off = issuance(issuer, verified).map(|token| ended.cuts_off(issuer.name(), &token));
        for has_ended in ids.map(|id| ended.has_ended(issuer.name(), id)).chain(is_cut_off) {
            match has_ended {
                Some(false) => {}
                Some(true) => return Err(AuthError::Refused(Reason::Revoked)),
                None => return Err(Failure::unavailable("the sessions of the provider are not known").into()),
            }
        }
        Ok(())
    }

    fn status(&self, outcome: &Outcome, now: SystemTime) -> SessionStatus {
        let verified = outcome.verdict.as_ref();
        verified
            .map_or(SessionStatus::Active, |verified| self.logouts.status(outcome.issuer.name(), &verified.claims, now))
    }
}

/// For whom and when a token of the own provider was issued. Userinfo says nothing of the token, and has just accepted it.
fn issuance<'a>(issuer: &Issuer, Verified { claims, access }: &'a Verified) -> Option<Issuance<'a>> {
    if issuer.settings.method == Method::UserInfo {
        return None;
    }
    let number = |name: &str| claims.all().get(name).and_then(Value::as_u64);
    Some(Issuance {
        // a service account has the name of no user
        user: (access.amr != amr::SERVICE).then_some(claims.subject.as_str()),
        client: claims.all().get("client_id").and_then(Value::as_str).unwrap_or_default(),
        session: claims.session.as_deref().and_then(|sid| sid.parse().ok()),
        signed_in: number("auth_time"),
        // a token that does not say when it was issued counts as an old one
        issued: number("iat").unwrap_or_default(),
    })
}

/// Verifies a token with the issuer's keys.
async fn verify_here(
    issuer: &Arc<Issuer>,
    token: &str,
    jwt: UnverifiedJwt<'_>,
    now: SystemTime,
) -> Result<Verified, Failure> {
    jwt::check(&jwt, &issuer.settings.rules, now)?;
    issuer.keys.verify(&jwt).await?;
    let claims = Claims::read(jwt.into_claims())?;
    issuer.note_life(&claims, now);
    let access = Access::of(claims.all(), &issuer.settings.rules)?;
    // no claim of a service account names a user, and userinfo knows none
    let claims = if access.amr == amr::SERVICE { claims } else { complete(issuer, token, claims).await? };
    Ok(Verified { claims, access })
}

/// Verifies a token at the issuer.
fn verify_there(issuer: Arc<Issuer>, token: String, now: SystemTime) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let verdict = ask(&issuer, &token, now).await;
        Outcome::new(&issuer, verdict, now)
    })
}

async fn ask(issuer: &Issuer, token: &str, now: SystemTime) -> Result<Verified, Failure> {
    let claims = remote::ask(issuer, token, now).await?;
    let access = match issuer.settings.method {
        Method::UserInfo => Access::of_any_client(),
        Method::Introspection | Method::Jwt => Access::of(claims.all(), &issuer.settings.rules)?,
    };
    Ok(Verified { claims: complete(issuer, token, claims).await?, access })
}

/// Adds the claims of the userinfo endpoint if a claim is missing without which no user is accepted, or that may admit the user to this
/// instance, or if the issuer has moved a claim that decides about groups, the role, the instance or the tenant to that endpoint. Access is decided before, as users may control what
/// userinfo returns.
async fn complete(issuer: &Issuer, token: &str, claims: Claims) -> Result<Claims, Failure> {
    if issuer.settings.skip_user_info {
        return Ok(claims);
    }
    let is_incomplete =
        lacks_claims(issuer, &claims) || is_undecided(issuer, &claims).await? || is_left_out(issuer, &claims).await?;
    if !is_incomplete {
        return Ok(claims);
    }
    let more = remote::user_info(issuer, token).await?;
    // a response with another `sub` must not be used (OpenID Connect Core 5.3.2)
    if more.subject == claims.subject { Ok(claims.completed(&more)) } else { Err(Reason::OwnerMismatch.into()) }
}

/// Whether a claim is missing without which no user is accepted: the one that names the user, those that name instances, or the one
/// that names the tenant.
fn lacks_claims(issuer: &Issuer, claims: &Claims) -> bool {
    let settings = &issuer.settings;
    // our own provider answers nothing about a token without the scope `openid`, and its subject suffices
    let suffices = !access::asks_openid(claims.all()) && settings.subject_identifies_user(claims);
    let wanted = match (&settings.naming, &settings.provisioning) {
        (Naming::Directory { .. }, _) if suffices => None,
        (Naming::Directory { claim, .. }, _) => Some(claim),
        (Naming::Own { .. }, Some(provisioning)) => Some(&provisioning.username),
        (Naming::Own { .. }, None) => None,
    };
    wanted.is_some_and(|wanted| claims.text(wanted).is_none())
        || settings.instance.as_ref().is_some_and(|instance| instance.is_unstated(claims))
        || settings.tenant.as_ref().is_some_and(|tenant| claims.value(&tenant.path).is_none())
}

/// Whether the claim of this instance that the token lacks may admit the user: guests here are members elsewhere, and an issuer may have
/// one of the two claims in userinfo alone. Where it has no such endpoint, or has just answered there, the claims are all that it says.
async fn is_undecided(issuer: &Issuer, claims: &Claims) -> Result<bool, Failure> {
    let instance = issuer.settings.instance.as_ref();
    if issuer.settings.method == Method::UserInfo || !instance.is_some_and(|instance| instance.is_undecided(claims)) {
        return Ok(false);
    }
    Ok(remote::user_info_endpoint(issuer).await?.is_some())
}

/// Whether a claim that decides about groups, the role, the instance or the tenant was left out, and the issuer refers to its own userinfo
/// endpoint for it. No other address in a token is called (`docs/security-requirements.md#i32`): a token that needs the claim is refused
/// then.
async fn is_left_out(issuer: &Issuer, claims: &Claims) -> Result<bool, Failure> {
    let settings = &issuer.settings;
    let groups = settings.provisioning.as_ref().map(|provisioning| &provisioning.groups);
    let instance = settings.instance.iter().flat_map(Instance::claims);
    let named =
        settings.roles.iter().map(|roles| &roles.claim).chain(settings.tenant.iter().map(|tenant| &tenant.path));
    let needed = groups.into_iter().chain(named).chain(instance);
    let left_out = needed.filter(|path| claims.is_left_out(path));
    let endpoints: Vec<&str> = left_out.filter_map(|path| claims.endpoint_of(path)).collect();
    if endpoints.is_empty() {
        return Ok(false);
    }
    let own = remote::user_info_endpoint(issuer).await?;
    Ok(endpoints.iter().any(|endpoint| own.as_deref() == Some(endpoint)))
}

/// Whether it has the syntax of one token (RFC 6750 2.1), without characters that separate header fields.
fn is_one_token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && token.len() <= oidc::jose::MAX_JWT && body.bytes().all(is_of_it)
}

impl Bearer {
    /// The user of a token, as a member or guest of this instance and of the tenant that the token names. Service accounts are neither.
    async fn user(&self, issuer: &Issuer, claims: &Claims) -> Result<Arc<User>, AuthError> {
        // before accounts are created for users of other instances
        let instance = issuer.settings.instance.as_ref();
        let membership = instance.map(|instance| instance.membership(claims)).transpose()?;
        let user = self.users.find(issuer, claims).await?;
        if issuer.settings.rules.is_own && is_from_before_password_change(claims, &user) {
            return Err(AuthError::Refused(Reason::Revoked));
        }
        tenants::check(self.tenants.as_ref(), issuer, claims, &user).await?;
        Ok(match membership {
            Some(membership) => membership.of_user(user),
            None => user,
        })
    }
}

#[async_trait]
impl Authenticator for Bearer {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let (issuer, verified) = self.verify(credentials.secret.expose_secret()).await?;
        let Verified { claims, access } = verified.as_ref();
        let user = if access.amr == amr::SERVICE {
            service_account(&claims.subject)
        } else {
            self.user(&issuer, claims).await?
        };
        let (scopes, sid) = (Arc::clone(&access.scopes), own_session(&issuer, claims));
        let (actor, not_after) = (access.actor.clone(), claims.expires);
        Ok(Authenticated { scopes, not_after, actor, sid, ..Authenticated::full(user, access.amr) })
    }
}

/// A service account, as auth-service answers it.
fn service_account(id: &str) -> Arc<User> {
    let id = UserId { idp: "none".to_owned(), opaque_id: id.to_owned(), kind: UserType::Service, ..UserId::default() };
    Arc::new(User { id, ..User::default() })
}

/// Whether the user has signed in for a token of the own provider with a password that is not valid any more
/// (`docs/security-requirements.md#i38`). The provider itself notices it only within seconds. Whole seconds count, as the claims have
/// no others: a sign-in with the new password may follow the change at once.
fn is_from_before_password_change(claims: &Claims, user: &User) -> bool {
    let signed_in = claims.all().get("auth_time").or_else(|| claims.all().get("iat")).and_then(Value::as_u64);
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    user.password_changed.is_some_and(|changed| signed_in.is_none_or(|signed_in| signed_in < seconds(changed)))
}

/// The session of a token of the own provider. Another issuer's name of a session could be that of another session here, and in an answer
/// of the userinfo endpoint attributes of the user may have filled the claim (`docs/security-requirements.md#s5`).
fn own_session(issuer: &Issuer, claims: &Claims) -> Option<String> {
    let is_stated = issuer.settings.rules.is_own && issuer.settings.method != Method::UserInfo;
    claims.session.clone().filter(|_| is_stated)
}
