//! Decides which prompts a user gets before an authorization response.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::SystemTime;

use authn::{DirectoryError, Groups, User, UserType};
use oidc::error::ErrorCode;
use oidc::jose::UnverifiedJwt;
use oidc::request::{ClaimsRequest, Prompt};
use oidc::response::ResponseType;
use oidc::scope::Scopes;
use serde_json::Value;
use store::StoreError;

use super::flow::Flow;
use super::level;
use super::request::ValidRequest;
use crate::engine::accounts::{self, AccountStatus};
use crate::engine::claims;
use crate::engine::clients::ConsentPolicy;
use crate::engine::levels::Level;
use crate::engine::provider::Provider;
use crate::model::Session;

/// What comes next.
#[derive(Debug)]
pub(crate) enum NextPrompt {
    /// A user has to sign in; `suggested` is the login name that is likely.
    SignIn { suggested: Option<String>, again: Option<Reauthentication> },
    /// The user has to confirm the account.
    Account { user: Arc<User> },
    /// The user has to prove to have the second factor, or to enrol one.
    SecondFactor,
    /// The user has to consent.
    Consent { user: Arc<User>, scope: Scopes },
    /// The request is answered.
    Nothing(Box<GrantBasis>),
    /// The request is refused.
    Refusal(ErrorCode, &'static str),
}

/// Why a signed-in user has to sign in again.
#[derive(Debug, Clone)]
pub struct Reauthentication {
    /// The user.
    pub user: Arc<User>,
    /// When the user signed in, if that is too long ago (`max_age`); `None` if the client demands it however recent that is (`prompt=login`).
    pub too_old: Option<SystemTime>,
}

/// The user, the scope and the individual claims of a grant.
#[derive(Debug)]
pub(crate) struct GrantBasis {
    /// When what this rests on was read, or before that. What is issued is dated so: if the session or the consent has been ended
    /// since, it ends with them.
    pub(crate) since: SystemTime,
    pub(crate) session: Session,
    pub(crate) user: Arc<User>,
    pub(crate) scope: Scopes,
    pub(crate) claims: ClaimsRequest,
}

/// Why the next prompt is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PromptError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Directory(DirectoryError),
}

/// What comes next for this request, with this session.
pub(crate) async fn next(
    provider: &Provider,
    flow: &Flow,
    valid: &ValidRequest,
    session: Option<Session>,
) -> Result<NextPrompt, PromptError> {
    let since = provider.clock.now();
    let asked = asked(provider, flow, valid, session, since).await?;
    if valid.request.prompt != Prompt::Nothing {
        return Ok(asked);
    }
    // no interaction is allowed (OpenID Connect Core 3.1.2.6)
    Ok(match asked {
        NextPrompt::SignIn { .. } => {
            NextPrompt::Refusal(ErrorCode::LoginRequired, "no signed-in session satisfies the request")
        }
        NextPrompt::Account { .. } => {
            NextPrompt::Refusal(ErrorCode::AccountSelectionRequired, "an account has to be chosen")
        }
        NextPrompt::SecondFactor => {
            NextPrompt::Refusal(ErrorCode::InteractionRequired, "the second factor has to be given")
        }
        NextPrompt::Consent { .. } if needs_confirmation(valid) => NextPrompt::Refusal(
            ErrorCode::InteractionRequired,
            "without PKCE the user has to confirm this client each time",
        ),
        NextPrompt::Consent { .. } => NextPrompt::Refusal(ErrorCode::ConsentRequired, "consent has to be given"),
        ready @ (NextPrompt::Nothing(_) | NextPrompt::Refusal(..)) => ready,
    })
}

async fn asked(
    provider: &Provider,
    flow: &Flow,
    valid: &ValidRequest,
    session: Option<Session>,
    since: SystemTime,
) -> Result<NextPrompt, PromptError> {
    let request = &valid.request;
    let hint = request.login_hint.clone();
    let Some(session) = session else { return Ok(NextPrompt::SignIn { suggested: hint, again: None }) };
    let Some(user) = self::user(provider, &session).await? else {
        return Ok(NextPrompt::SignIn { suggested: hint, again: None });
    };
    let is_fresh = flow.signed_in == Some(session.id);
    let prompts = match request.prompt {
        Prompt::Nothing => Prompts::default(),
        Prompt::AtLeast { login, consent, select_account } => Prompts { login, consent, select_account },
    };
    if !is_fresh && (prompts.login || is_too_old(valid, &session, provider.clock.now())) {
        let too_old = (!prompts.login).then_some(session.signed_in);
        let suggested = Some(user.username.clone());
        return Ok(NextPrompt::SignIn { suggested, again: Some(Reauthentication { user, too_old }) });
    }
    if prompts.select_account && !is_fresh && flow.chosen != Some(session.id) {
        return Ok(NextPrompt::Account { user });
    }
    if !is_expected(provider, valid, &user) {
        return Ok(if is_fresh {
            NextPrompt::Refusal(ErrorCode::LoginRequired, "another user has signed in")
        } else {
            NextPrompt::SignIn { suggested: hint, again: None }
        });
    }
    if !accounts::may_use(&valid.client, &user) {
        return Ok(NextPrompt::Refusal(ErrorCode::AccessDenied, "this user may not use this application"));
    }
    let Ok(required) = level::required(valid, &provider.config.mfa) else {
        let description = "the level of authentication that the client needs is not offered";
        return Ok(NextPrompt::Refusal(ErrorCode::UnmetAuthenticationRequirements, description));
    };
    if Level::of(&session) < required {
        return Ok(NextPrompt::SecondFactor);
    }
    let basis = GrantBasis { since, session, user, scope: valid.grantable(), claims: request.claims.clone() };
    consented(provider, flow, valid, basis, prompts.consent).await
}

#[derive(Default)]
struct Prompts {
    login: bool,
    consent: bool,
    select_account: bool,
}

/// Whether there is consent for the granted scopes and for those of individual claims, or the user has to be asked.
async fn consented(
    provider: &Provider,
    flow: &Flow,
    valid: &ValidRequest,
    basis: GrantBasis,
    is_demanded: bool,
) -> Result<NextPrompt, PromptError> {
    let GrantBasis { session, scope, claims, .. } = &basis;
    if let Some(given) = flow.consent.as_ref().filter(|given| given.session == session.id) {
        let is_given = |token: &str| given.scope.split(' ').any(|one| one == token);
        let scope = Scopes::of(scope.iter().filter(|token| is_given(token))).unwrap_or_default();
        let claims = claims::without_refused(&valid.client, claims.clone(), is_given);
        return Ok(NextPrompt::Nothing(Box::new(GrantBasis { scope, claims, ..basis })));
    }
    let Ok(scope) = scope.union(&claims::asked_scopes(&valid.client, claims)) else {
        return Ok(NextPrompt::Refusal(ErrorCode::InvalidScope, "the scopes are too many"));
    };
    let is_missing = is_demanded
        || needs_confirmation(valid)
        || match valid.client.consent {
            ConsentPolicy::Trusted => false,
            ConsentPolicy::Always => true,
            ConsentPolicy::Remembered => {
                let kept = provider.store.consent(&session.person, &valid.client.id).await?;
                let kept: Option<Scopes> = kept.and_then(|kept| kept.scope.parse().ok());
                !kept.is_some_and(|kept| scope.is_subset(&kept))
            }
        };
    Ok(if is_missing { NextPrompt::Consent { user: basis.user, scope } } else { NextPrompt::Nothing(Box::new(basis)) })
}

/// Whether any program could have sent this request in the client's name and use the answer: TLS does not prove who receives it
/// (loopback interface, a scheme of its own, plain http), and neither PKCE nor a secret of the client protects what is issued.
/// Then no earlier consent counts, and the user confirms each time (RFC 8252 8.6, row I21).
fn needs_confirmation(valid: &ValidRequest) -> bool {
    let request = &valid.request;
    // both protect a code, and no token that the authorization endpoint issues itself
    let is_protected =
        request.response_type == ResponseType::CODE && (request.challenge.is_some() || !valid.client.is_public());
    !valid.redirect.is_https() && !is_protected
}

/// The user of a session, unless the sign-in does not count any more.
pub(crate) async fn user(provider: &Provider, session: &Session) -> Result<Option<Arc<User>>, PromptError> {
    let is_outdated = |changed| session.signed_in < changed;
    let status = accounts::look_up(provider, &session.person, Groups::Include, is_outdated).await;
    match status.map_err(PromptError::Directory)? {
        // service accounts have credentials of their own (row M5)
        AccountStatus::Active(user) => Ok((user.id.kind != UserType::Service).then_some(user)),
        AccountStatus::Ineligible(_) => Ok(None),
    }
}

fn is_too_old(valid: &ValidRequest, session: &Session, now: SystemTime) -> bool {
    let limit = valid.request.max_age.or(valid.client.max_age);
    let age = now.duration_since(session.signed_in).unwrap_or_default();
    limit.is_some_and(|limit| age > limit || limit.is_zero())
}

/// Whether the user matches `id_token_hint`, and a `sub` that is requested with a value.
fn is_expected(provider: &Provider, valid: &ValidRequest, user: &User) -> bool {
    let subject = claims::subject(&provider.sealer, &valid.client, &user.id.opaque_id);
    let by_hint = valid.request.id_token_hint.as_ref().is_none_or(|hint| {
        let jwt = UnverifiedJwt::parse(hint.as_str());
        jwt.is_ok_and(|jwt| {
            let is_ours = |issuer: &str| provider.issuers.iter().any(|endpoints| endpoints.issuer == issuer);
            let text = |name: &str| jwt.claims().get(name).and_then(Value::as_str);
            text("iss").is_some_and(is_ours) && text("sub") == Some(subject.as_str()) && provider.keys.verifies(&jwt)
        })
    });
    let wanted = valid.request.claims.id_token.get("sub").and_then(|claim| claim.value.clone());
    by_hint && wanted.is_none_or(|wanted| wanted == oidc::request::ClaimValue::Text(subject))
}
