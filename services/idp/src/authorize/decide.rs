//! What is still asked of a person before a request is answered.

use std::sync::Arc;
use std::time::SystemTime;

use authn::{DirectoryError, Groups, User, UserType};
use oidc::error::ErrorCode;
use oidc::jose::UnverifiedJwt;
use oidc::request::Prompt;
use oidc::response::ResponseType;
use oidc::scope::Scopes;
use serde_json::Value;
use store::StoreError;

use super::request::Checked;
use crate::claims;
use crate::clients::ConsentPolicy;
use crate::flow::Flow;
use crate::model::Session;
use crate::person::{self, Standing};
use crate::provider::Provider;

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// Somebody has to sign in; `suggested` is the login name that is likely.
    SignIn { suggested: Option<String> },
    /// The person has to say whether this is the account.
    Account { user: Arc<User> },
    /// The person has to agree.
    Consent { user: Arc<User>, scope: Scopes },
    /// The request is answered.
    Ready(Box<Ready>),
    /// The request is refused.
    Refuse(ErrorCode, &'static str),
}

/// Who is ready, and for what.
#[derive(Debug)]
pub(super) struct Ready {
    /// When what this rests on was read, or before that. What is issued is dated so: if the session or the consent has been ended
    /// since, it ends with them.
    pub(super) since: SystemTime,
    pub(super) session: Session,
    pub(super) user: Arc<User>,
    pub(super) scope: Scopes,
}

/// Why it is not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undecided {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Directory(DirectoryError),
}

/// What comes next for this request, with this session.
pub(super) async fn step(
    provider: &Provider,
    flow: &Flow,
    checked: &Checked,
    session: Option<Session>,
) -> Result<Step, Undecided> {
    let since = provider.clock.now();
    let asked = asked(provider, flow, checked, session, since).await?;
    if checked.request.prompt != Prompt::Nothing {
        return Ok(asked);
    }
    // nobody may be asked anything (OpenID Connect Core 3.1.2.6)
    Ok(match asked {
        Step::SignIn { .. } => Step::Refuse(ErrorCode::LoginRequired, "nobody is signed in who fits"),
        Step::Account { .. } => Step::Refuse(ErrorCode::AccountSelectionRequired, "an account has to be chosen"),
        Step::Consent { .. } if needs_confirmation(checked) => {
            Step::Refuse(ErrorCode::InteractionRequired, "without PKCE the user has to confirm this client each time")
        }
        Step::Consent { .. } => Step::Refuse(ErrorCode::ConsentRequired, "consent has to be given"),
        ready @ (Step::Ready(_) | Step::Refuse(..)) => ready,
    })
}

async fn asked(
    provider: &Provider,
    flow: &Flow,
    checked: &Checked,
    session: Option<Session>,
    since: SystemTime,
) -> Result<Step, Undecided> {
    let request = &checked.request;
    let hint = request.login_hint.clone();
    let Some(session) = session else { return Ok(Step::SignIn { suggested: hint }) };
    let Some(user) = person(provider, &session).await? else { return Ok(Step::SignIn { suggested: hint }) };
    let is_fresh = flow.signed_in == Some(session.id);
    let prompts = match request.prompt {
        Prompt::Nothing => Prompts::default(),
        Prompt::AtLeast { login, consent, select_account } => Prompts { login, consent, select_account },
    };
    if !is_fresh && (prompts.login || is_too_old(checked, &session, provider.clock.now())) {
        return Ok(Step::SignIn { suggested: Some(user.username.clone()) });
    }
    if prompts.select_account && !is_fresh && flow.chosen != Some(session.id) {
        return Ok(Step::Account { user });
    }
    if !is_expected(provider, checked, &user) {
        return Ok(if is_fresh {
            Step::Refuse(ErrorCode::LoginRequired, "somebody else has signed in")
        } else {
            Step::SignIn { suggested: hint }
        });
    }
    if !person::may_use(&checked.client, &user) {
        return Ok(Step::Refuse(ErrorCode::AccessDenied, "this person may not use this application"));
    }
    consented(provider, flow, checked, Ready { since, session, user, scope: checked.grantable() }, prompts.consent)
        .await
}

#[derive(Default)]
struct Prompts {
    login: bool,
    consent: bool,
    select_account: bool,
}

/// Whether there is enough consent for who is `ready` otherwise, or has to be asked for.
async fn consented(
    provider: &Provider,
    flow: &Flow,
    checked: &Checked,
    ready: Ready,
    is_demanded: bool,
) -> Result<Step, Undecided> {
    let Ready { session, scope, .. } = &ready;
    if let Some(agreed) = flow.agreed.as_ref().filter(|agreed| agreed.session == session.id) {
        let scope = Scopes::of(scope.iter().filter(|token| agreed.scope.split(' ').any(|one| one == *token)));
        let scope = scope.unwrap_or_default();
        return Ok(Step::Ready(Box::new(Ready { scope, ..ready })));
    }
    let is_missing = is_demanded
        || needs_confirmation(checked)
        || match checked.client.consent {
            ConsentPolicy::Trusted => false,
            ConsentPolicy::Always => true,
            ConsentPolicy::Remembered => {
                let kept = provider.store.consent(&session.person, &checked.client.id).await?;
                let kept: Option<Scopes> = kept.and_then(|kept| kept.scope.parse().ok());
                !kept.is_some_and(|kept| scope.is_subset(&kept))
            }
        };
    Ok(if is_missing { Step::Consent { user: ready.user, scope: ready.scope } } else { Step::Ready(Box::new(ready)) })
}

/// Whether any program could have sent this request in the client's name and use the answer: TLS does not prove who receives it
/// (loopback interface, a scheme of its own, plain http), and neither PKCE nor a secret of the client protects what is issued.
/// Then no earlier consent counts, and the user confirms each time (RFC 8252 8.6, row I21).
fn needs_confirmation(checked: &Checked) -> bool {
    let request = &checked.request;
    // both protect a code, and no token that the authorization endpoint issues itself
    let is_protected =
        request.response_type == ResponseType::CODE && (request.challenge.is_some() || !checked.client.is_public());
    !checked.redirect.is_https() && !is_protected
}

/// The person of a session, unless the sign-in does not count any more.
pub(super) async fn person(provider: &Provider, session: &Session) -> Result<Option<Arc<User>>, Undecided> {
    let is_outdated = |changed| session.signed_in < changed;
    let standing = person::look_up(provider, &session.person, Groups::Include, is_outdated).await;
    match standing.map_err(Undecided::Directory)? {
        // service accounts have credentials of their own (row M5)
        Standing::Good(user) => Ok((user.id.kind != UserType::Service).then_some(user)),
        Standing::Lost(_) => Ok(None),
    }
}

fn is_too_old(checked: &Checked, session: &Session, now: SystemTime) -> bool {
    let limit = checked.request.max_age.or(checked.client.max_age);
    let age = now.duration_since(session.signed_in).unwrap_or_default();
    limit.is_some_and(|limit| age > limit || limit.is_zero())
}

/// Whether the person is the one whom `id_token_hint`, or a `sub` that is asked for by value, expects.
fn is_expected(provider: &Provider, checked: &Checked, user: &User) -> bool {
    let subject = claims::subject(&provider.sealer, &checked.client, &user.id.opaque_id);
    let by_hint = checked.request.id_token_hint.as_ref().is_none_or(|hint| {
        let jwt = UnverifiedJwt::parse(hint.as_str());
        jwt.is_ok_and(|jwt| {
            let is_ours = |issuer: &str| provider.sites.iter().any(|site| site.issuer == issuer);
            let text = |name: &str| jwt.claims().get(name).and_then(Value::as_str);
            text("iss").is_some_and(is_ours) && text("sub") == Some(subject.as_str()) && provider.keys.verifies(&jwt)
        })
    });
    let wanted = checked.request.claims.id_token.get("sub").and_then(|claim| claim.value.clone());
    by_hint && wanted.is_none_or(|wanted| wanted == oidc::request::ClaimValue::Text(subject))
}
