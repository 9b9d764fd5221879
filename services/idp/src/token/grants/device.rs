//! `urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 3.4).

use aws_lc_rs::digest::{SHA256, digest};
use oidc::error::ErrorCode;

use crate::answer::Refusal;
use crate::device::Approval;
use crate::model::Grant;
use crate::store::Poll;
use crate::token::answer::Answer;
use crate::token::call::{Call, Extra};
use crate::token::person::{self, Standing};
use crate::token::refresh::{self, RefreshToken};
use crate::token::{audit, dpop};

const EVENT: &str = "device";

/// Answers a device that asks whether somebody has decided.
pub(super) async fn poll(call: &Call<'_>) -> Result<Answer, Refusal> {
    let Call { provider, site, asked, now } = *call;
    let code = asked.form.need("device_code")?;
    let code = digest(&SHA256, code.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes");
    let binding = dpop::binding(provider, site, asked).await?;
    let mut grant = match provider.store.poll_device(code, &asked.client.id, now).await? {
        Poll::Approved(approval) => read(call, &approval).await?,
        Poll::Pending => return Err(Refusal::new(ErrorCode::AuthorizationPending, "nobody has decided yet")),
        Poll::SlowDown => return Err(Refusal::new(ErrorCode::SlowDown, "ask five seconds less often")),
        Poll::Denied => return Err(Refusal::new(ErrorCode::AccessDenied, "the person said no")),
        Poll::Expired => return Err(Refusal::new(ErrorCode::ExpiredToken, "begin again")),
        Poll::Unknown => return Err(call.refuse_grant(EVENT, "unknown")),
    };
    let user = match person::standing(provider, &asked.client, &grant).await? {
        Some(Standing::Good(user)) => user,
        Some(Standing::Lost(loss)) => return Err(call.refuse_grant(EVENT, loss.reason())),
        None => return Err(call.refuse_grant(EVENT, "of nobody")),
    };
    let family = refresh::family(provider, site, &asked.client, &grant, binding.as_ref(), now);
    if let Some(family) = &family {
        provider.store.begin_family(family).await?;
    }
    audit::done(EVENT, &asked.client.id, &user.id.opaque_id, &asked.parts);
    let token = RefreshToken { grant: grant.id, generation: 0 };
    let refresh_token = family.map(|_| token.write(&provider.sealer));
    let extra = Extra { binding: binding.as_ref(), refresh_token, id_token: true, ..Extra::default() };
    call.narrow_to_registration(&mut grant);
    Ok(call.answer(&grant, Some(&user), extra))
}

/// What the person has granted, as it was written where that was decided.
async fn read(call: &Call<'_>, approval: &str) -> Result<Grant, Refusal> {
    let Approval { grant, decided } = serde_json::from_str(approval).map_err(|error| Refusal::fault(&error))?;
    if grant.client != call.client().id || grant.layout != call.site.layout {
        return Err(call.refuse_grant(EVENT, "another client's"));
    }
    call.check_cutoff(EVENT, &grant, decided).await?;
    Ok(grant)
}
