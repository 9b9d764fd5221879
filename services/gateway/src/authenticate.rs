use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use authn::audit::Event;
use authn::directory::Searchable;
use authn::gateway::TransactionWanted;
use authn::{
    Access, AllowedCallers, AuthError, Authenticated, Caller, Credentials, Directory, DirectoryError, Groups, Reason,
    User, UserType, causes, kind,
};
use prometheus_client::metrics::counter::Counter;
use runtime::{Authentications, Clock, SpiffeAuthorities};
use secrecy::ExposeSecret;
use token::{Minter, TokenError, Verifier};
use tracing::field::display;

use crate::homes::Homes;
use crate::peers::Peers;
use crate::reuse::{Fresh, Key, Minted};
use crate::roles::{Completed, Roles};
use crate::transactions::{Transactions, unavailable};
use crate::{multi_instance, tenants};

/// Exchanges credentials for internal tokens, and finds the user of an internal token.
pub(crate) struct Core {
    pub(crate) peers: Peers,
    pub(crate) homes: Homes,
    pub(crate) roles: Roles,
    pub(crate) minter: Minter,
    pub(crate) minted: Minted,
    pub(crate) verifier: Verifier,
    /// `None` where no transaction tokens are issued.
    pub(crate) transactions: Option<Arc<Transactions>>,
    pub(crate) clock: Clock,
    /// The longest lifetime of a token; it is shorter if the credential expires earlier.
    pub(crate) life: Duration,
    /// Whether no token carries groups, also one of another gateway, which does not say so.
    pub(crate) skips_groups: bool,
    /// Whether this is one of several instances with common users.
    pub(crate) is_multi_instance: bool,
    /// Whether every user belongs to a tenant.
    pub(crate) is_multi_tenant: bool,
    /// The longest request that is read, in bytes.
    pub(crate) message_limit: usize,
    pub(crate) authentications: Authentications,
    /// Authentications that the upstream has answered.
    pub(crate) forwarded: Counter,
    /// The callers in other processes that may use credentials of these types.
    pub(crate) callers: [(&'static str, AllowedCallers); 2],
    /// The authorities of the trust domains whose certificates callers show.
    pub(crate) client_authorities: Option<SpiffeAuthorities>,
}

impl Core {
    /// The same as [`authenticate`](Self::authenticate) for a caller in another process, which has to be one that may use credentials of this
    /// type (`docs/security-requirements.md#m11`).
    pub(crate) async fn authenticate_caller(
        &self,
        kind: &str,
        credentials: &Credentials,
    ) -> Result<(Arc<str>, Authenticated), AuthError> {
        // before answers that are reused, which other callers may have had
        for (_, callers) in self.callers.iter().filter(|(restricted, _)| *restricted == kind) {
            callers
                .check(&credentials.caller)
                .inspect_err(|error| audit(kind, &credentials.client_id, &credentials.caller, error))?;
        }
        self.answer(kind, credentials, may_lack_secret(kind, &credentials.caller)).await
    }

    /// The same as [`authenticate_caller`](Self::authenticate_caller), with a transaction token of the same user if one is wanted. Without
    /// the one there is none of the other, nor is there one for a request that could not be read.
    pub(crate) async fn authenticate_with_transaction(
        &self,
        kind: &str,
        credentials: &Credentials,
        wanted: Result<Option<TransactionWanted>, AuthError>,
    ) -> Result<(Arc<str>, Authenticated, Option<String>), AuthError> {
        let Credentials { client_id, caller, .. } = credentials;
        let wanted = wanted.inspect_err(|error| audit(kind, client_id, caller, error))?;
        let (token, answer) = self.authenticate_caller(kind, credentials).await?;
        let Some(wanted) = wanted else { return Ok((token, answer, None)) };
        let transactions = self.transactions.as_ref().ok_or_else(unavailable)?;
        let transaction = transactions.mint_with(caller, &answer, &wanted, self.life)?.token;
        Ok((token, answer, Some(transaction)))
    }

    /// Passes the credentials to the authenticator of their type, and mints a token for their user.
    pub(crate) async fn authenticate(
        &self,
        kind: &str,
        credentials: &Credentials,
    ) -> Result<(Arc<str>, Authenticated), AuthError> {
        self.answer(kind, credentials, false).await
    }

    async fn answer(
        &self,
        kind: &str,
        credentials: &Credentials,
        may_lack_secret: bool,
    ) -> Result<(Arc<str>, Authenticated), AuthError> {
        let begin = Instant::now();
        let verdict = self.decide(kind, credentials, may_lack_secret).await;
        let verdict = verdict.and_then(|(token, completed)| {
            self.check_service_account(&completed.answer.user, &credentials.caller)?;
            Ok((token, completed))
        });
        self.authentications.record(kind, &verdict, begin.elapsed());
        match &verdict {
            Ok((token, completed)) => {
                tracing::debug!(kind, subject = %completed.answer.user.id.opaque_id, "authenticated");
                self.homes.ensure(completed, token).await;
            }
            Err(error) => log_refusal(kind, &credentials.client_id, &credentials.caller, error),
        }
        verdict.map(|(token, completed)| (token, completed.answer))
    }

    /// Checks that a service account is used by a caller that may, whatever it was proved by: its secret also gets access tokens, which are
    /// another type of credentials (`docs/security-requirements.md#m11`).
    fn check_service_account(&self, user: &User, caller: &Caller) -> Result<(), AuthError> {
        if user.id.kind != UserType::Service {
            return Ok(());
        }
        let mut listed = self.callers.iter().filter(|(restricted, _)| *restricted == kind::SERVICE);
        listed.try_for_each(|(_, callers)| callers.check(caller))
    }

    async fn decide(
        &self,
        kind: &str,
        credentials: &Credentials,
        may_lack_secret: bool,
    ) -> Result<(Arc<str>, Completed), AuthError> {
        let provider = self.peers.provider(kind)?;
        if self.is_multi_instance {
            multi_instance::check(kind)?;
        }
        if credentials.secret.expose_secret().is_empty() && !may_lack_secret {
            return Err(AuthError::Refused(Reason::EmptySecret));
        }
        let key = Key::of(kind, credentials);
        if let Some((token, answer)) = self.minted.still_valid(&key, &credentials.caller, self.clock.now()) {
            return Ok((token, Completed { answer, is_final: true }));
        }
        let answer = provider.authenticator.authenticate(credentials).await?;
        if !answer.user.is_active() {
            return Err(AuthError::Refused(Reason::Disabled));
        }
        if self.is_multi_tenant {
            tenants::check(kind, &answer.user)?;
        }
        let completed = self.roles.complete(answer).await;
        let Completed { answer, is_final } = &completed;
        let token = if *is_final { self.token(key, answer)? } else { self.mint(answer, self.clock.now())? };
        Ok((token, completed))
    }

    /// A token for this answer, reused or newly minted.
    fn token(&self, key: Key, answer: &Authenticated) -> Result<Arc<str>, AuthError> {
        let now = self.clock.now();
        if let Some(token) = self.minted.token(key, answer, now) {
            return Ok(token);
        }
        let generation = self.minted.generation();
        let token = self.mint(answer, now)?;
        let life = answer.not_after.and_then(|end| end.duration_since(now).ok()).unwrap_or(self.life).min(self.life);
        self.minted.keep(key, &Fresh { token: &token, answer, generation, life }, now);
        Ok(token)
    }

    fn mint(&self, answer: &Authenticated, now: SystemTime) -> Result<Arc<str>, AuthError> {
        let token = self.minter.mint(now, answer).map_err(|error| match error {
            TokenError::Ended => AuthError::Refused(Reason::Expired),
            other => AuthError::Internal(Box::new(other)),
        })?;
        Ok(token.into())
    }

    /// The user of an internal token, with the groups, which are in the token or in the directory.
    pub(crate) async fn who_am_i(&self, token: &str) -> Result<User, AuthError> {
        let claims = self.verifier.verify_caller(self.clock.now(), token);
        let claims = claims.map_err(|_| AuthError::Refused(Reason::WrongSecret))?;
        let mut user = claims.user;
        if claims.groups_omitted || (self.skips_groups && user.groups.is_empty()) {
            let found = self.directory()?.user(&user.id.to_find(), Groups::Include).await;
            let found = found.map_err(|error| error.into_auth(AuthError::Refused(Reason::UnknownUser)))?;
            user.groups.clone_from(&found.groups);
        }
        Ok(user)
    }

    pub(crate) fn directory(&self) -> Result<&Arc<dyn Directory>, AuthError> {
        let missing = || AuthError::Unavailable {
            service: "users",
            source: Box::new(DirectoryError::Malformed("GATEWAY_USERS_ENDPOINT is empty")),
        };
        self.peers.directory.as_ref().ok_or_else(missing)
    }

    /// The users that the bearer of an internal token may find; `None` if it may not search, which credentials of limited scope do not
    /// allow.
    pub(crate) fn may_search(&self, token: &str) -> Option<Searchable> {
        let claims = self.verifier.verify_caller(self.clock.now(), token).ok()?;
        let searchable = if self.is_multi_tenant { Searchable::by(&claims.user) } else { Searchable::All };
        claims.scopes.allow(&Access::Other).then_some(searchable)
    }

    /// The users that the bearer of an internal token may look up, whatever its scopes; `None` for a token that cannot be verified where
    /// every user belongs to a tenant (`docs/security-requirements.md#d43`).
    pub(crate) fn may_look_up(&self, token: &str) -> Option<Searchable> {
        if !self.is_multi_tenant {
            return Some(Searchable::All);
        }
        let claims = self.verifier.verify_caller(self.clock.now(), token).ok()?;
        Some(Searchable::by(&claims.user))
    }
}

/// Whether a caller in another process proves by its client certificate alone who it is: the authenticator then decides by its name. The
/// certificate of a connection to the edge is none of these (`docs/security-requirements.md#m18`).
fn may_lack_secret(kind: &str, caller: &Caller) -> bool {
    matches!(kind, kind::MACHINE | kind::SERVICE) && caller.identity.is_some()
}

/// Logs an audit event, and what is behind an answer that is no verdict.
pub(crate) fn log_refusal(kind: &str, subject: &str, caller: &Caller, error: &AuthError) {
    if kind == kind::PUBLIC_SHARES && matches!(error, AuthError::UnknownType { .. }) {
        // nothing verifies them here: anybody could fill the log with requests for links, which are counted
        return tracing::debug!(kind, %error, "public links are not verified");
    }
    let cause = causes(error);
    if !cause.is_empty() {
        tracing::warn!(kind, %error, cause, "authentication came to no verdict");
    }
    audit(kind, subject, caller, error);
}

/// Logs one audit event for each refusal. The caller does not learn the reason; the operator does. For a type that is not ours the event has
/// no subject: the name of a link is itself a credential, whatever was refused (`docs/security-requirements.md#g11`).
fn audit(kind: &str, subject: &str, caller: &Caller, error: &AuthError) {
    let subject = if kind::ALL.contains(&kind) { subject } else { "" };
    let kind: String = kind.chars().take(32).collect();
    let subject: String = subject.chars().take(256).collect();
    Event {
        reason: &error.reason(),
        kind: &kind,
        subject: &subject,
        peer: &caller.identity,
        source: &caller.source.map(display),
        trace_id: &display(&caller.trace_id),
        ..Event::new("authenticate", "refused")
    }
    .log();
}
