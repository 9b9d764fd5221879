//! `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523 2.1): a client vouches for a person.

use oidc::assertion::Grant as Assertion;
use oidc::error::ErrorCode;

use super::credentials::allowed;
use crate::answer::Refusal;
use crate::clients::{Client, GrantType};
use crate::model::{Grant, SignIn, seconds};
use crate::token::answer::Answer;
use crate::token::call::{Call, Extra};
use crate::token::person::{self, Standing};
use crate::token::seen::{self, Kind};
use crate::token::{audit, dpop};

const EVENT: &str = "jwt-bearer";

/// Issues an access token for a person whom a trusted client names.
pub(super) async fn issue(call: &Call<'_>) -> Result<Answer, Refusal> {
    let Call { provider, site, asked, now } = *call;
    if !asked.is_authenticated() || !may_vouch(&asked.client) {
        return Err(Refusal::new(ErrorCode::UnauthorizedClient, "this client may not act as somebody else"));
    }
    let refuse = |reason| call.refuse_grant(EVENT, reason);
    let assertion = Assertion::read(asked.form.need("assertion")?).map_err(|_| refuse("malformed"))?;
    verify(call, &assertion).await?;
    let scope = call.scope()?.unwrap_or_default();
    allowed(&asked.client, &scope)?;
    let binding = dpop::binding(provider, site, asked).await?;
    let user = match person::find(provider, &asked.client, assertion.subject()).await? {
        Standing::Good(user) => user,
        Standing::Lost(loss) => return Err(refuse(loss.reason())),
    };
    use_up(call, &assertion).await?;
    let grant = Grant {
        id: provider.random.uuid(),
        layout: site.layout,
        client: asked.client.id.clone(),
        person: Some(user.id.opaque_id.clone()),
        // nobody has signed in: the client's word is all there is
        sign_in: Some(SignIn { session: None, at: seconds(now), amr: Vec::new(), acr: "0".to_owned() }),
        scope,
        claims: None,
        resources: super::credentials::targets(call, &asked.client)?,
        actor: None,
        limited: false,
    };
    audit::done(EVENT, &asked.client.id, &user.id.opaque_id, &asked.parts);
    Ok(call.answer(&grant, Some(&user), Extra { binding: binding.as_ref(), ..Extra::default() }))
}

fn may_vouch(client: &Client) -> bool {
    client.exchange.impersonate && client.may(GrantType::JwtBearer)
}

/// Whether the assertion is for here and now, and signed by the client itself or by another one that may vouch for people.
async fn verify(call: &Call<'_>, assertion: &Assertion<'_>) -> Result<(), Refusal> {
    let Call { provider, site, asked, now } = *call;
    let refuse = |reason| call.refuse_grant(EVENT, reason);
    let audiences = [site.issuer.as_str(), &site.url(site.paths.token)];
    assertion.check(&audiences, now).map_err(|_| refuse("not for here, or not now"))?;
    let issuer = if assertion.issuer() == asked.client.id {
        asked.client.clone()
    } else {
        provider.clients.find(assertion.issuer()).await?.ok_or_else(|| refuse("unknown issuer"))?
    };
    if !may_vouch(&issuer) {
        return Err(refuse("issuer may not vouch for people"));
    }
    let verified = provider.clients.verifies(&issuer, |keys| assertion.verify(keys).is_ok()).await;
    if verified.map_err(|_| refuse("no key"))? { Ok(()) } else { Err(refuse("signature")) }
}

/// Without a name it could be used again.
async fn use_up(call: &Call<'_>, assertion: &Assertion<'_>) -> Result<(), Refusal> {
    let jti = assertion.jti().ok_or_else(|| call.refuse_grant(EVENT, "no jti"))?;
    let (kind, forget_at) = (Kind::GrantAssertion, assertion.forget_at());
    let first = seen::first_time(call.provider, kind, assertion.issuer(), jti, forget_at).await?;
    if first { Ok(()) } else { Err(call.refuse_grant(EVENT, "used before")) }
}
