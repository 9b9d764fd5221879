//! `client_credentials` (RFC 6749 4.4): a client acts for itself.

#[cfg(test)]
mod tests;

use oidc::error::ErrorCode;
use oidc::scope::{OFFLINE, OFFLINE_ACCESS, OPENID, Scopes};

use crate::answer::Refusal;
use crate::clients::Client;
use crate::model::Grant;
use crate::token::answer::Answer;
use crate::token::call::{Call, Extra};
use crate::token::dpop;

/// Issues an access token whose subject is the client. Nothing is written for it.
pub(super) async fn issue(call: &Call<'_>) -> Result<Answer, Refusal> {
    let Call { provider, site, asked, .. } = *call;
    if !asked.is_authenticated() {
        return Err(Refusal::new(ErrorCode::UnauthorizedClient, "this client cannot prove who it is"));
    }
    let grant = Grant {
        id: provider.random.uuid(),
        layout: site.layout,
        client: asked.client.id.clone(),
        person: None,
        sign_in: None,
        scope: scope(call)?,
        claims: None,
        resources: targets(call, &asked.client)?,
        actor: None,
        limited: false,
    };
    let binding = dpop::binding(provider, site, asked).await?;
    Ok(call.answer(&grant, None, Extra { binding: binding.as_ref(), ..Extra::default() }))
}

/// What the client asks for, without what only makes sense for a person. A client whose registration lists no scopes gets
/// none: here no user limits what it may.
fn scope(call: &Call<'_>) -> Result<Scopes, Refusal> {
    let Some(wanted) = call.scope()?.filter(|_| call.client().scopes.is_some()) else { return Ok(Scopes::default()) };
    allowed(call.client(), &wanted)?;
    let of_people = [OPENID, OFFLINE_ACCESS, OFFLINE];
    let scope = Scopes::of(wanted.iter().filter(|token| !of_people.contains(token)));
    scope.map_err(|error| Refusal::new(error.code(), error.to_string()))
}

/// Whether the client may ask for this at all.
pub(super) fn allowed(client: &Client, wanted: &Scopes) -> Result<(), Refusal> {
    if wanted.iter().all(|scope| client.may_ask_for(scope)) {
        Ok(())
    } else {
        Err(Refusal::new(ErrorCode::InvalidScope, "this client may not ask for that scope"))
    }
}

/// For whom the token shall be, beside the client itself: only those that the client's registration names.
pub(super) fn targets(call: &Call<'_>, client: &Client) -> Result<Vec<String>, Refusal> {
    let form = &call.asked.form;
    let mut targets: Vec<String> = Vec::new();
    for target in form.all("resource").chain(form.all("audience")).filter(|target| *target != client.id) {
        if !client.may_target(target) && !client.exchange.audiences.iter().any(|audience| audience == target) {
            return Err(Refusal::new(ErrorCode::InvalidTarget, "this client may not ask for tokens for that target"));
        }
        if !targets.iter().any(|known| known == target) {
            targets.push(target.to_owned());
        }
    }
    Ok(targets)
}
