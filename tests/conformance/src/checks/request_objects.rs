//! Request objects, by value and by reference (OpenID Connect Core 6).

use serde_json::{Value, json};

use super::{Check, runs};
use crate::{
    browser::{Answer, Arrival},
    context::Context,
    outcome::{Outcome, Verdict, ensure, failed, skipped},
    random::random,
    relying::{Client, Request, Wanted, client, flow, keys::unsigned},
    target::CALLBACK,
};

pub(super) const CHECKS: &[Check] = &[
    Check::registering("oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", runs::ALL, |c| {
        Box::pin(unsigned_by_reference(c))
    }),
    Check::new("oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", runs::ALL, |c| {
        Box::pin(unsigned_by_value(c))
    }),
    Check::new("oidcc-ensure-request-object-with-redirect-uri", runs::ALL_AND_DYNAMIC, |c| {
        Box::pin(with_redirect_uri(c))
    }),
    Check::registering("oidcc-request-uri-unsigned", runs::DYNAMIC, |c| Box::pin(must_take_unsigned_reference(c))),
    Check::registering("oidcc-request-uri-signed-rs256", runs::DYNAMIC, |c| Box::pin(signed_by_reference(c))),
];

/// Whether the provider says that it takes objects without a signature.
fn takes_unsigned(context: &Context<'_>) -> bool {
    context.discovery.lists("request_object_signing_alg_values_supported", "none")
}

fn no_unsigned() -> Outcome {
    skipped("request_object_signing_alg_values_supported does not list none")
}

/// The object behind a URL of ours, and the client that may use it.
struct Referred {
    path: String,
    url: String,
}

impl Referred {
    fn new(context: &Context<'_>) -> Self {
        let path = context.place("request.jwt");
        let url = context.receiver.url(&path);
        Self { path, url }
    }

    async fn client(&self, context: &Context<'_>, algorithm: &str) -> Verdict<Client> {
        let wanted = client::usual_wanted(context)?
            .with("request_uris", json!([self.url]))
            .with("request_object_signing_alg", algorithm);
        wanted.register(context).await
    }

    /// Walks a request whose parameters are in the object.
    async fn walk(&self, context: &Context<'_>, client: &Client, write: impl Fn(&Value) -> Verdict<String>) -> Verdict {
        let request = Request::new(context, client);
        let object = write(&request.claims(context))?;
        context.receiver.publish(&self.path, "application/oauth-authz-req+jwt", object);
        let request = request.beside_object().with("request_uri", &self.url);
        taken_or_refused(context, client, &request, "request_uri_not_supported").await
    }
}

/// Success, or the error by which a provider says that it does not take request objects in this way.
async fn taken_or_refused(context: &Context<'_>, client: &Client, request: &Request, refusal: &str) -> Verdict {
    let journey = flow::walk(context, &context.browser(), request.visit(context)?).await?;
    if let Arrival::Back(answer) = &journey.end {
        refused(answer, refusal)?;
    }
    flow::finish(context, client, request, journey).await.map(|_| ())
}

fn refused(answer: &Answer, refusal: &str) -> Verdict {
    match answer.get("error") {
        Some(error) if error == refusal => Err(skipped(format!("the authorization endpoint answers {refusal}"))),
        _ => Ok(()),
    }
}

async fn unsigned_by_reference(context: &Context<'_>) -> Verdict {
    if !takes_unsigned(context) {
        return Err(no_unsigned());
    }
    if !context.discovery.flag("request_uri_parameter_supported") {
        return not_supported_reference(context).await;
    }
    let referred = Referred::new(context);
    let client = referred.client(context, "none").await?;
    referred.walk(context, &client, |claims| Ok(unsigned(claims))).await
}

/// A provider without `request_uri` must refuse the parameter, and not act on the rest of the request.
async fn not_supported_reference(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let url = context.receiver.url(&context.place("request.jwt"));
    let request = Request::new(context, &client).with("request_uri", &url);
    let journey = flow::walk(context, &context.browser(), request.visit(context)?).await?;
    match journey.end {
        Arrival::Back(answer) => {
            refused(&answer, "request_uri_not_supported")?;
            let error = answer.get("error");
            Err(failed(format!("request_uri is not supported, and answered by the error {error:?}")))
        }
        Arrival::Page(page) => Err(failed(format!("request_uri is not supported, and leads to {}", page.described()))),
    }
}

async fn must_take_unsigned_reference(context: &Context<'_>) -> Verdict {
    if !takes_unsigned(context) {
        return Err(no_unsigned());
    }
    needs_reference(context)?;
    let referred = Referred::new(context);
    let client = referred.client(context, "none").await?;
    referred.walk(context, &client, |claims| Ok(unsigned(claims))).await
}

async fn signed_by_reference(context: &Context<'_>) -> Verdict {
    needs_reference(context)?;
    let referred = Referred::new(context);
    let client = referred.client(context, "RS256").await?;
    referred.walk(context, &client, |claims| client.key()?.sign(claims)).await
}

fn needs_reference(context: &Context<'_>) -> Verdict {
    let flag = "request_uri_parameter_supported";
    if context.discovery.flag(flag) { Ok(()) } else { Err(skipped(format!("{flag} is not true"))) }
}

/// An object that is taken must be read: state and nonce stand in it alone.
async fn unsigned_by_value(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let request = Request::new(context, &client);
    let object = unsigned(&request.claims(context));
    let request = request.beside_object().with("request", &object);
    let journey = flow::walk(context, &context.browser(), request.visit(context)?).await?;
    if let Arrival::Back(answer) = &journey.end {
        refused(answer, "request_not_supported")?;
        if !takes_unsigned(context) {
            refused(answer, "invalid_request_object")?;
        }
    }
    flow::finish(context, &client, &request, journey).await.map(|_| ())
}

/// Parameters of the request object supersede those of the query (OpenID Connect Core 6.1).
async fn with_redirect_uri(context: &Context<'_>) -> Verdict {
    let (client, object) = if takes_unsigned(context) {
        let client = context.client().await?;
        let request = Request::new(context, &client);
        let object = unsigned(&request.claims(context));
        (client, (request, object))
    } else if context.plan.static_client {
        return Err(no_unsigned());
    } else {
        let client =
            Wanted::of(context).by_key()?.with("request_object_signing_alg", "RS256").register(context).await?;
        let request = Request::new(context, &client);
        let object = client.key()?.sign(&request.claims(context))?;
        (client, (request, object))
    };
    let (request, object) = object;
    let elsewhere = format!("{CALLBACK}/{}", random(9));
    let request = request.with("redirect_uri", &elsewhere).with("request", &object);
    let journey = flow::walk(context, &context.browser(), request.visit(context)?).await?;
    match &journey.end {
        Arrival::Page(_) => ensure(journey.logins == 0, "asks for the password, and then refuses the redirect_uri"),
        Arrival::Back(answer) => {
            ensure(flow::is_at(&answer.url, CALLBACK), format!("redirects to {}, which is unregistered", answer.url))?;
            refused(answer, "request_not_supported")?;
            flow::finish(context, &client, &request, journey).await.map(|_| ())
        }
    }
}
