//! Flows that simply have to work, and the parameters that they need.

use super::{Check, runs};
use crate::{
    browser::Arrival,
    context::Context,
    login::Journey,
    outcome::{Needed, Verdict, ensure},
    random::random,
    relying::{Request, client, flow, userinfo, userinfo::Way},
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("oidcc-server", runs::ALL_AND_DYNAMIC, |c| Box::pin(server(c))),
    Check::new("oidcc-response-type-missing", runs::EACH_PROFILE, |c| Box::pin(response_type_missing(c))),
    Check::new("oidcc-ensure-request-without-nonce-succeeds-for-code-flow", runs::NONCE_IS_FREE, |c| {
        Box::pin(without_nonce_succeeds(c))
    }),
    Check::new("oidcc-ensure-request-without-nonce-fails", runs::NONCE_IS_DUE, |c| Box::pin(without_nonce_fails(c))),
    Check::new("oidcc-alternate-happy-flow", runs::HYBRID_JUST_ONCE, |c| Box::pin(alternate(c))),
    Check::new("oidcc-ensure-post-request-succeeds", runs::JUST_BASIC, |c| Box::pin(by_post(c))),
    Check::new("oidcc-server-client-secret-post", runs::WITH_CODE, |c| Box::pin(client_secret_post(c))),
    Check::new("oidcc-ensure-request-with-valid-pkce-succeeds", runs::CODE_ONCE, |c| Box::pin(pkce(c))),
];

/// A flow of this request, and userinfo where there is an access token.
async fn works(context: &Context<'_>, client: &crate::relying::Client, request: &Request) -> Verdict {
    let done = context.sign_in(&context.browser(), client, request).await?;
    if let Some(token) = &done.access_token {
        userinfo::fetch(context, token, done.subject(), Way::Get).await?;
    }
    Ok(())
}

async fn server(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    works(context, &client, &Request::new(context, &client)).await
}

async fn client_secret_post(context: &Context<'_>) -> Verdict {
    let client = client::posting(context).await?;
    works(context, &client, &Request::new(context, &client)).await
}

async fn response_type_missing(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let request = Request::new(context, &client).without("response_type");
    match flow::walk(context, &context.browser(), request.visit(context)?).await? {
        Journey { end: Arrival::Page(_), logins, .. } => {
            ensure(logins == 0, "asks for the password before it finds that response_type is missing")
        }
        Journey { end: Arrival::Back(answer), .. } => {
            let error = answer.get("error").needed("an error without response_type")?;
            let is_known = ["unsupported_response_type", "invalid_request"].contains(&error);
            ensure(is_known, format!("the error is {error}"))?;
            ensure(answer.get("state") == request.state.as_deref(), "the error comes without the state")
        }
    }
}

async fn without_nonce_succeeds(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    works(context, &client, &Request::new(context, &client).without_nonce()).await
}

async fn without_nonce_fails(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let request = Request::new(context, &client).without_nonce();
    match flow::walk(context, &context.browser(), request.visit(context)?).await?.end {
        Arrival::Page(_) => Ok(()),
        Arrival::Back(answer) => flow::error_of(context, &client, &request, &answer, &["invalid_request"]).map(|_| ()),
    }
}

/// The same words in another order mean the same (OpenID Connect Core 3.1.2.1).
async fn alternate(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let mut request = Request::new(context, &client).with("scope", "email openid");
    request.parameters.reverse();
    works(context, &client, &request).await
}

async fn by_post(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let request = Request::new(context, &client);
    let journey = flow::walk(context, &context.browser(), request.posted(context)?).await?;
    flow::finish(context, &client, &request, journey).await.map(|_| ())
}

/// RFC 7636 4.2: the challenge goes to the authorization endpoint, and the verifier to the token endpoint.
async fn pkce(context: &Context<'_>) -> Verdict {
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    let client = context.client().await?;
    let verifier = random(32);
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let request =
        Request::new(context, &client).with("code_challenge", &challenge).with("code_challenge_method", "S256");
    let journey = flow::walk(context, &context.browser(), request.visit(context)?).await?;
    flow::finish(context, &client, &request.with("code_verifier", &verifier), journey).await.map(|_| ())
}
