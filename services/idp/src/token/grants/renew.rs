//! `refresh_token` (RFC 6749 6, RFC 9700 4.14).

use std::sync::Arc;

use authn::User;
use oidc::error::ErrorCode;

use crate::answer::Refusal;
use crate::model::{Binding, Family, Grant, loses_api_scopes, seconds};
use crate::store::Rotation;
use crate::token::answer::Answer;
use crate::token::call::{CUT_OFF, Call, Extra};
use crate::token::person::{self, Standing};
use crate::token::refresh::RefreshToken;
use crate::token::{dpop, revoke};

const EVENT: &str = "refresh";

/// Takes a family to its next token. Everything is checked before, so that a request that is refused uses nothing up.
pub(super) async fn renew(call: &Call<'_>) -> Result<Answer, Refusal> {
    let Call { provider, site, asked, now } = *call;
    let presented = RefreshToken::read(&provider.sealer, asked.form.need("refresh_token")?);
    let presented = presented.ok_or_else(|| call.refuse_grant(EVENT, "no token of ours"))?;
    let family = provider.store.family(presented.grant, now).await?;
    let family = family.ok_or_else(|| call.refuse_grant(EVENT, "revoked or over"))?;
    if family.grant.client != asked.client.id || family.grant.layout != site.layout {
        return Err(call.refuse_grant(EVENT, "another client's"));
    }
    // one that began while everything before was being ended
    if provider.revocations.cuts_off_grant(&family.grant, seconds(family.created)) {
        return Err(call.refuse_grant(EVENT, CUT_OFF));
    }
    let binding = dpop::binding(provider, site, asked).await?;
    check_key(call, &family, binding.as_ref())?;
    let grant = narrowed(call, &family.grant)?;
    let user = person(call, &family).await?;
    let family = rotate(call, presented, &family).await?;
    let next = RefreshToken { grant: family.grant.id, generation: family.generation };
    let refresh_token = Some(next.write(&provider.sealer));
    let extra = Extra { binding: binding.as_ref(), refresh_token, id_token: true, ..Extra::default() };
    Ok(call.answer(&grant, Some(&user), extra))
}

/// The tokens of a public client stay with its key; a client that proves who it is may take another one, but not none
/// (RFC 9449 5, RFC 8705 4).
fn check_key(call: &Call<'_>, family: &Family, binding: Option<&Binding>) -> Result<(), Refusal> {
    let fits = match &family.binding {
        None => true,
        bound if call.client().is_public() => bound.as_ref() == binding,
        Some(_) => binding.is_some(),
    };
    if fits { Ok(()) } else { Err(call.refuse_grant(EVENT, "another key")) }
}

/// What the access token is for: what was granted, or less (row I13). The family keeps what was granted.
fn narrowed(call: &Call<'_>, granted: &Grant) -> Result<Grant, Refusal> {
    let mut grant = granted.clone();
    if let Some(wanted) = call.scope()? {
        if !wanted.is_subset(&granted.scope) {
            return Err(Refusal::new(ErrorCode::InvalidScope, "scope is more than was granted"));
        }
        grant.limited |= loses_api_scopes(&granted.scope, &wanted);
        grant.scope = wanted;
    }
    call.narrow_to_registration(&mut grant);
    // without that scope nothing would tell that these tokens outlive the session
    if let Some(sign_in) = grant.sign_in.as_mut().filter(|_| !grant.scope.asks_offline()) {
        sign_in.session = None;
    }
    call.narrow_resources(&mut grant)?;
    Ok(grant)
}

/// The person, as the directory knows it now. For one who may not sign in any more the family ends.
async fn person(call: &Call<'_>, family: &Family) -> Result<Arc<User>, Refusal> {
    let Call { provider, site, asked, now } = *call;
    let reason = match person::standing(provider, &asked.client, &family.grant).await? {
        Some(Standing::Good(user)) => return Ok(user),
        Some(Standing::Lost(loss)) => loss.reason(),
        None => "of nobody",
    };
    revoke::revoke_grant(provider, site, &asked.client, family.grant.id, now).await?;
    Err(call.refuse_grant(EVENT, reason))
}

async fn rotate(call: &Call<'_>, presented: RefreshToken, family: &Family) -> Result<Box<Family>, Refusal> {
    let Call { provider, site, asked, now } = *call;
    let lives = provider.config.lives.of(site.layout, &asked.client.lifetimes);
    let idle_end = family.end.min(now + lives.refresh_token);
    let until = revoke::remembered_until(provider, site, &asked.client, now);
    let RefreshToken { grant, generation } = presented;
    let grace = provider.config.lives.refresh_grace;
    match provider.store.rotate(grant, generation, now, grace, idle_end, until).await? {
        Rotation::Rotated(family) | Rotation::Repeated(family) => Ok(family),
        Rotation::Reused => Err(call.refuse_grant(EVENT, "used before: its family is revoked")),
        Rotation::Gone => Err(call.refuse_grant(EVENT, "revoked or over")),
    }
}
