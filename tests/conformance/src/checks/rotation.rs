//! Keys that change: the provider's, and the relying party's.

use std::time::Duration;

use serde_json::Value;

use super::{Check, refresh, registration, runs};
use crate::{
    context::Context,
    outcome::{Needed, Verdict, ensure, failed, skipped},
    relying::{Request, flow, id_token, keys::SigningKey},
};

pub(super) const CHECKS: &[Check] = &[
    Check::registering("oidcc-server-rotate-keys", runs::DYNAMIC, |c| Box::pin(provider(c))),
    Check::registering("oidcc-refresh-token-rp-key-rotation", runs::DYNAMIC, |c| Box::pin(relying_party(c))),
];

/// How often the provider's keys are looked at after the command to rotate, and how long apart.
const LOOKS: usize = 20;
const APART: Duration = Duration::from_millis(500);

async fn names(context: &Context<'_>) -> Verdict<Vec<String>> {
    let keys = id_token::keys(context).await?;
    Ok(keys.iter().filter_map(|key| key.get("kid").and_then(Value::as_str).map(str::to_owned)).collect())
}

/// A new key comes, and the old ones stay for the tokens that they signed (OpenID Connect Core 10.1.1).
async fn provider(context: &Context<'_>) -> Verdict {
    let Some(rotate) = &context.target.rotate else {
        return Err(skipped("no way to rotate the provider's keys is given"));
    };
    let before = names(context).await?;
    rotate.now().await.map_err(|error| failed(format!("the keys could not be rotated: {error}")))?;
    for _ in 0..LOOKS {
        let after = names(context).await?;
        let gone: Vec<_> = before.iter().filter(|kid| !after.contains(kid)).collect();
        ensure(gone.is_empty(), format!("keys are gone after the rotation: {gone:?}"))?;
        if after.iter().any(|kid| !before.contains(kid)) {
            let client = context.client().await?;
            return context.sign_in(&context.browser(), &client, &Request::new(context, &client)).await.map(|_| ());
        }
        tokio::time::sleep(APART).await;
    }
    Err(failed("no new key is published after the rotation"))
}

/// The provider fetches the relying party's keys anew when an assertion names one that it does not know.
async fn relying_party(context: &Context<'_>) -> Verdict {
    let (client, place) = registration::with_fetched_keys(context).await?;
    let first = refresh::lasting(context, &client).await?;
    let key = SigningKey::generate()?;
    context.receiver.publish(&place, "application/json", key.set()?.to_string());
    tokio::time::sleep(context.target.waits.key_rotation).await;
    let token = first.refresh_token().needed("a refresh token")?;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    flow::received(&client.with_key(key).ask(context, &fields).await?).map(|_| ())
}
