//! `authorization_code` (RFC 6749 4.1.3).

#[cfg(test)]
mod tests;

use std::sync::Arc;

use authn::User;
use oidc::pkce::{self, Challenge};

use crate::answer::Refusal;
use crate::model::{Binding, Code, seconds};
use crate::seal::Purpose;
use crate::store::Redeemed;
use crate::token::answer::Answer;
use crate::token::call::{Call, Extra};
use crate::token::person::{self, Standing};
use crate::token::refresh::{self, RefreshToken};
use crate::token::{audit, dpop, revoke};

const EVENT: &str = "code";

/// Redeems a code: everything is checked that costs nothing, then the person is looked up, and only then is it used up.
pub(super) async fn redeem(call: &Call<'_>) -> Result<Answer, Refusal> {
    let Call { provider, site, asked, now } = *call;
    let mut code = read(call).await?;
    if code.grant.client != asked.client.id {
        // whoever else got hold of it shall not be able to use it either (row I9)
        use_up(call, &code).await?;
        return Err(call.refuse_grant(EVENT, "another client's"));
    }
    check(call, &code)?;
    let binding = dpop::binding(provider, site, asked).await?;
    check_key(call, &code, binding.as_ref())?;
    let user = person(call, &code).await?;
    let family = refresh::family(provider, site, &asked.client, &code.grant, binding.as_ref(), now);
    call.narrow_to_registration(&mut code.grant);
    call.narrow_resources(&mut code.grant)?;
    let until = revoke::remembered_until(provider, site, &asked.client, now);
    let redeemed = provider.store.redeem_code(code.grant.id, until, family.as_ref(), now, until).await?;
    if redeemed == Redeemed::Again {
        return Err(call.refuse_grant(EVENT, "used before: its grant is revoked"));
    }
    audit::done(EVENT, &asked.client.id, &user.id.opaque_id, &asked.parts);
    let token = RefreshToken { grant: code.grant.id, generation: 0 };
    let refresh_token = family.map(|_| token.write(&provider.sealer));
    let (binding, nonce) = (binding.as_ref(), code.nonce.as_deref());
    let extra = Extra { binding, refresh_token, id_token: true, nonce, ..Extra::default() };
    Ok(call.answer(&code.grant, Some(&user), extra))
}

/// Opens the code. What was not sealed here, at this issuer, is no code; nor is one that has ended, or whose user has signed
/// out everywhere or taken back the consent since. One that comes again after its end takes with it what it has brought.
async fn read(call: &Call<'_>) -> Result<Code, Refusal> {
    let Call { provider, site, asked, now } = *call;
    let text = asked.form.need("code")?;
    let code: Option<Code> = provider.sealer.open(Purpose::Code, text).ok();
    let code = code.filter(|code| code.grant.layout == site.layout);
    let code = code.ok_or_else(|| call.refuse_grant(EVENT, "no code of ours"))?;
    if code.expires <= seconds(now) {
        let until = revoke::remembered_until(provider, site, &asked.client, now);
        let was_redeemed = provider.store.replay_code(code.grant.id, until, now).await?;
        let reason = if was_redeemed { "used before, and expired: its grant is revoked" } else { "expired" };
        return Err(call.refuse_grant(EVENT, reason));
    }
    let life = provider.config.lives.of(site.layout, &asked.client.lifetimes).code;
    let issued = code.expires.saturating_sub(life.as_secs());
    call.check_cutoff(EVENT, &code.grant, issued).await?;
    Ok(code)
}

/// Whether the request is by whoever made the authorization request.
fn check(call: &Call<'_>, code: &Code) -> Result<(), Refusal> {
    let form = &call.asked.form;
    let redirect_fits = match form.get("redirect_uri") {
        Some(named) => named == code.redirect_uri,
        None => !code.redirect_was_named,
    };
    if !redirect_fits {
        return Err(call.refuse_grant(EVENT, "redirect_uri"));
    }
    let challenge = match &code.challenge {
        Some((challenge, method)) => Challenge::read(Some(challenge), Some(method)),
        None => Ok(None),
    };
    let verified = challenge.and_then(|challenge| pkce::verify(challenge.as_ref(), form.get("code_verifier")));
    // whoever can answer that is told what is wrong: it is the one thing that developers get wrong
    verified.map_err(|error| {
        audit::refused(EVENT, "code_verifier", &call.asked.client.id, &call.asked.parts);
        Refusal::grant(error.to_string())
    })
}

/// Whether the key is the one that the authorization request has named (RFC 9449 10).
fn check_key(call: &Call<'_>, code: &Code, binding: Option<&Binding>) -> Result<(), Refusal> {
    let fits = match (&code.dpop_jkt, binding) {
        (None, _) => true,
        (Some(wanted), Some(Binding::Dpop(jkt))) => wanted == jkt,
        (Some(_), _) => false,
    };
    if fits { Ok(()) } else { Err(call.refuse_grant(EVENT, "DPoP key")) }
}

/// The person, as the directory knows it now. For one who may not sign in any more the code is used up.
async fn person(call: &Call<'_>, code: &Code) -> Result<Arc<User>, Refusal> {
    let Call { provider, site, asked, now } = *call;
    let reason = match person::standing(provider, &asked.client, &code.grant).await? {
        Some(Standing::Good(user)) => return Ok(user),
        Some(Standing::Lost(loss)) => loss.reason(),
        None => "of nobody",
    };
    use_up(call, code).await?;
    revoke::revoke_grant(provider, site, &asked.client, code.grant.id, now).await?;
    Err(call.refuse_grant(EVENT, reason))
}

async fn use_up(call: &Call<'_>, code: &Code) -> Result<(), Refusal> {
    let Call { provider, site, asked, now } = *call;
    let until = revoke::remembered_until(provider, site, &asked.client, now);
    provider.store.redeem_code(code.grant.id, until, None, now, until).await?;
    Ok(())
}
