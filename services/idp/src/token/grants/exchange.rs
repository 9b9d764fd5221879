//! `urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693): a token for another one, for less or for somebody behind.

mod actor;
mod subject;

#[cfg(test)]
mod tests;

use oidc::error::ErrorCode;
use oidc::scope::Scopes;

use self::subject::Subject;
use super::credentials::targets;
use crate::answer::Refusal;
use crate::clients::TokenFormat;
use crate::model::{Grant, SignIn, loses_api_scopes};
use crate::token::answer::Answer;
use crate::token::call::{Call, Extra};
use crate::token::person::{self, Standing};
use crate::token::{audit, dpop};

const EVENT: &str = "token-exchange";
/// What kinds of tokens are named by (RFC 8693 3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Exchanges a token. The new one is of the same grant, so that it is revoked with it; it never says more than the old one,
/// never acts as the whole user where the old one did not, and never lives longer.
pub(super) async fn exchange(call: &Call<'_>) -> Result<Answer, Refusal> {
    let Call { provider, site, asked, .. } = *call;
    let policy = &asked.client.exchange;
    if !asked.is_authenticated() || !(policy.impersonate || policy.delegate) {
        return Err(Refusal::new(ErrorCode::UnauthorizedClient, "this client may not exchange tokens"));
    }
    let issued_token_type = wanted_type(call)?;
    let subject = Subject::read(call)?;
    let actor = actor::actor(call, &subject)?;
    let scope = narrowed(call, &subject)?;
    let resources = targets(call, &asked.client)?;
    let binding = dpop::binding(provider, site, asked).await?;
    let Subject { grant, expires } = subject;
    let is_wider = loses_api_scopes(&grant.scope, &scope);
    let limited = grant.limited || is_wider || !is_first_party(call, &grant.client).await?;
    // the user has signed in at another client, and does not handle this token: app tokens are not made with it
    let sign_in = grant.sign_in.map(|sign_in| SignIn { amr: Vec::new(), ..sign_in });
    let client = asked.client.id.clone();
    let grant = Grant { client, sign_in, scope, resources, actor, limited, claims: None, ..grant };
    let user = match person::standing(provider, &asked.client, &grant).await? {
        Some(Standing::Good(user)) => user,
        Some(Standing::Lost(loss)) => return Err(call.refuse_grant(EVENT, loss.reason())),
        None => return Err(call.refuse_grant(EVENT, "of nobody")),
    };
    audit::done(EVENT, &asked.client.id, &user.id.opaque_id, &asked.parts);
    let extra = Extra {
        binding: binding.as_ref(),
        end: Some(expires),
        issued_token_type: Some(issued_token_type),
        ..Extra::default()
    };
    Ok(call.answer(&grant, Some(&user), extra))
}

/// Whether the client that a token was issued to is one of the installation's own; one that is gone is not.
async fn is_first_party(call: &Call<'_>, client: &str) -> Result<bool, Refusal> {
    if client == call.client().id {
        return Ok(call.client().is_first_party());
    }
    let found = call.provider.clients.find(client).await?;
    Ok(found.is_some_and(|client| client.is_first_party()))
}

/// Only access tokens are issued; as a JWT if that is what the client's are.
fn wanted_type(call: &Call<'_>) -> Result<&'static str, Refusal> {
    match call.asked.form.get("requested_token_type") {
        None | Some(ACCESS_TOKEN) => Ok(ACCESS_TOKEN),
        Some(JWT) if call.client().format == TokenFormat::Jwt => Ok(JWT),
        Some(_) => Err(Refusal::invalid("requested_token_type is none that is issued")),
    }
}

/// The scope of the new token: part of the old one's (row I27), and nothing that the client could not ask for itself.
fn narrowed(call: &Call<'_>, subject: &Subject) -> Result<Scopes, Refusal> {
    let may = |token: &str| call.client().may_ask_for(token);
    let Some(wanted) = call.scope()? else {
        let scope = Scopes::of(subject.grant.scope.iter().filter(|token| may(token)));
        return scope.map_err(|error| Refusal::new(error.code(), error.to_string()));
    };
    if wanted.is_subset(&subject.grant.scope) && wanted.iter().all(may) {
        Ok(wanted)
    } else {
        Err(Refusal::new(ErrorCode::InvalidScope, "scope is more than that of the token"))
    }
}
