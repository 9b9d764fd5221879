//! The end-session endpoint, and the two pages behind it.

use std::sync::Arc;

use authn::Caller;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::SET_COOKIE;
use axum::http::{Extensions, HeaderMap};
use axum::response::Response;
use axum::routing::{get, post};
use oidc::error::ErrorCode;
use oidc::request::RequestError;
use store::StoreError;
use tonic::metadata::MetadataMap;

use super::decision::{Decision, Given, Refused, Request, SignedIn, decide};
use super::hint::Hint;
use super::parameters::{BadParameters, Parameters};
use super::{Logouts, end, end_everywhere};
use crate::authorize::see_other;
use crate::clients::Client;
use crate::endpoints::{Site, page};
use crate::model::Session;
use crate::pages::{self, Look, Notice, SignOut};
use crate::provider::Provider;
use crate::{claims, session};

/// The longest word of the form that confirms, in bytes.
const MAX_WORD: usize = 256;

/// What the handlers of one issuer work with.
#[derive(Clone)]
struct Endpoint {
    provider: Provider,
    site: Arc<Site>,
    logouts: Logouts,
}

/// A request, without what is in it.
struct Asked {
    headers: HeaderMap,
    caller: Caller,
}

/// Why a request is answered with a page that says so.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Parameters(#[from] BadParameters),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the form was not shown to this browser in this session")]
    Forgery,
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(super) fn router(provider: &Provider, logouts: &Logouts) -> Router {
    let mut all = Router::new();
    for (place, site) in provider.sites.iter().enumerate() {
        let endpoint = Endpoint { provider: provider.clone(), site: Arc::new(site.clone()), logouts: logouts.clone() };
        let mut own = Router::new().route(site.paths.end_session, get(by_query).post(by_form));
        if place == 0 {
            // pages that all issuers share
            own = own.route(page::SIGN_OUT, post(confirmed)).route(page::GOODBYE, get(goodbye));
        }
        all = all.merge(own.with_state(endpoint));
    }
    all
}

async fn by_query(
    State(endpoint): State<Endpoint>,
    headers: HeaderMap,
    extensions: Extensions,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Asked::new(headers, &extensions);
    let outcome = async {
        let parameters = Parameters::of_query(query.as_deref())?;
        let session = endpoint.session(&asked).await?;
        endpoint.requested(&asked, &parameters, session.as_ref()).await
    };
    let outcome = outcome.await;
    endpoint.answer(&asked, outcome)
}

async fn by_form(
    State(endpoint): State<Endpoint>,
    headers: HeaderMap,
    extensions: Extensions,
    body: Bytes,
) -> Response {
    let asked = Asked::new(headers, &extensions);
    let outcome = async {
        let parameters = Parameters::of_form(&asked.headers, &body)?;
        match endpoint.session(&asked).await? {
            // browsers leave our cookies out of a form that another site's page sends, but not out of what it leads to
            None => Ok(endpoint.once_more(&parameters)),
            session => endpoint.requested(&asked, &parameters, session.as_ref()).await,
        }
    };
    let outcome = outcome.await;
    endpoint.answer(&asked, outcome)
}

/// The person has been asked.
async fn confirmed(
    State(endpoint): State<Endpoint>,
    headers: HeaderMap,
    extensions: Extensions,
    body: Bytes,
) -> Response {
    let asked = Asked::new(headers, &extensions);
    let outcome = async {
        let parameters = Parameters::of_form(&asked.headers, &body)?;
        endpoint.confirmed(&asked, &parameters).await
    };
    let outcome = outcome.await;
    endpoint.answer(&asked, outcome)
}

async fn goodbye(State(Endpoint { provider, site, .. }): State<Endpoint>, headers: HeaderMap) -> Response {
    pages::signed_out(&Look::of(&provider, &site, &headers, &[]), &[], None)
}

impl Asked {
    fn new(headers: HeaderMap, extensions: &Extensions) -> Self {
        let caller = Caller::of(&MetadataMap::from_headers(headers.clone()), extensions);
        Self { headers, caller }
    }

    /// One event for who was signed out, by whom, and how that was decided.
    fn audit(&self, session: &Session, client: Option<&Client>, reason: &'static str) {
        tracing::info!(
            target: "audit",
            event = "sign_out",
            outcome = "done",
            reason,
            subject = session.person,
            session = %session.id,
            client = client.map(|client| client.id.as_str()),
            source = self.caller.source.map(tracing::field::display),
            trace_id = %self.caller.trace_id,
        );
    }
}

impl Endpoint {
    async fn session(&self, asked: &Asked) -> Result<Option<Session>, StoreError> {
        let current = session::current(&self.provider, &self.site, &asked.headers).await?;
        Ok(current.map(|current| current.session))
    }

    async fn client(&self, id: Option<&str>) -> Result<Option<Arc<Client>>, StoreError> {
        match id {
            Some(id) => self.provider.clients.find(id).await,
            None => Ok(None),
        }
    }

    async fn requested(
        &self,
        asked: &Asked,
        parameters: &Parameters,
        session: Option<&Session>,
    ) -> Result<Response, Problem> {
        let request = Request::read(parameters)?;
        let given = match request.id_token_hint {
            None => Given::Nothing,
            Some(text) => Hint::read(&self.provider, text).map_or(Given::Forged, Given::Hint),
        };
        let client = self.client(given.client(&request)?).await?;
        match self.decide(&request, &given, client.as_deref(), session)? {
            Decision::Ask { session, target } => {
                // a form that leads nowhere afterwards needs no client
                let client = client.as_deref().filter(|_| target.is_some());
                Ok(self.ask(asked, &request, session, client, target.as_deref()))
            }
            Decision::End { session, target } => {
                asked.audit(session, client.as_deref(), "hint");
                let frames = end(&self.provider, session.id).await?;
                Ok(self.gone(asked, &frames, target.as_deref()))
            }
            Decision::Nobody { target } => Ok(self.gone(asked, &[], target.as_deref())),
        }
    }

    fn decide<'a>(
        &self,
        request: &Request<'_>,
        given: &Given,
        client: Option<&Client>,
        session: Option<&'a Session>,
    ) -> Result<Decision<'a>, Refused> {
        let known = session.zip(client);
        let subject = known.map(|(session, client)| claims::subject(&self.provider.sealer, client, &session.person));
        let signed_in = session.map(|session| SignedIn { session, subject: subject.as_deref() });
        decide(request, given, client.map(|client| &client.logout.redirects), signed_in)
    }

    /// Shows the form that asks.
    fn ask(
        &self,
        asked: &Asked,
        request: &Request<'_>,
        session: &Session,
        client: Option<&Client>,
        target: Option<&str>,
    ) -> Response {
        let (browser, cookie) = session::browser(&self.provider, &self.site, &asked.headers);
        let all = [
            ("client_id", client.map(|client| client.id.as_str())),
            ("post_logout_redirect_uri", request.redirect_uri.filter(|_| client.is_some())),
            ("state", request.state.filter(|_| client.is_some())),
        ];
        let hidden: Vec<_> = all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let form = SignOut {
            csrf: &browser.csrf(&self.provider, &form_of(session)),
            client_name: client.map(|client| client.presentation.name.as_str()),
            hidden: &hidden,
            redirect_uri: target,
        };
        let look = Look::of(&self.provider, &self.site, &asked.headers, &request.languages());
        let mut response = pages::confirm_sign_out(&look, &form);
        response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
        response
    }

    async fn confirmed(&self, asked: &Asked, parameters: &Parameters) -> Result<Response, Problem> {
        let Some(session) = self.session(asked).await? else { return Ok(self.gone(asked, &[], None)) };
        let (browser, _) = session::browser(&self.provider, &self.site, &asked.headers);
        let csrf = parameters.one("csrf", MAX_WORD)?.unwrap_or_default();
        if !browser.check_csrf(&self.provider, &self.site, &asked.headers, &form_of(&session), csrf) {
            return Err(Problem::Forgery);
        }
        if parameters.one("decision", MAX_WORD)? == Some(pages::STAY) {
            return Ok(see_other(&self.site.url(page::CONSENTS)));
        }
        // what the form says is decided about anew, since it comes from a browser
        let request = Request { id_token_hint: None, ..Request::read(parameters)? };
        let client = self.client(request.client_id).await?;
        let decision = self.decide(&request, &Given::Nothing, client.as_deref(), Some(&session))?;
        let everywhere = parameters.one("everywhere", MAX_WORD)?.is_some();
        asked.audit(&session, client.as_deref(), if everywhere { "everywhere" } else { "confirmed" });
        let frames = end(&self.provider, session.id).await?;
        if everywhere {
            end_everywhere(&self.provider, &session.person).await?;
        }
        Ok(self.gone(asked, &frames, decision.target()))
    }

    /// Nobody is signed in any more. The browser leaves at once, unless it has something to load first.
    fn gone(&self, asked: &Asked, frames: &[String], target: Option<&str>) -> Response {
        self.logouts.wake();
        let mut response = if frames.is_empty() {
            see_other(&target.map_or_else(|| self.site.url(page::GOODBYE), str::to_owned))
        } else {
            pages::signed_out(&self.look(asked), frames, target)
        };
        let cookies = session::clear_cookies(&self.site);
        response.headers_mut().extend(cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)));
        response
    }

    /// Has the browser ask the same by GET.
    fn once_more(&self, parameters: &Parameters) -> Response {
        let path = self.site.url(self.site.paths.end_session);
        let query = parameters.to_query();
        see_other(&if query.is_empty() { path } else { format!("{path}?{query}") })
    }

    fn answer(&self, asked: &Asked, outcome: Result<Response, Problem>) -> Response {
        let look = self.look(asked);
        match outcome {
            Ok(response) => response,
            Err(problem @ (Problem::Parameters(_) | Problem::Refused(_))) => {
                let description = problem.to_string().into();
                pages::error(&look, &RequestError { code: ErrorCode::InvalidRequest, description, reply: None })
            }
            Err(Problem::Forgery) => pages::notice(&look, Notice::Forgery),
            Err(Problem::Store(error)) => {
                tracing::warn!(%error, "somebody could not be signed out");
                let is_down = error.kind() == status::Kind::Unavailable;
                pages::notice(&look, if is_down { Notice::Unavailable } else { Notice::Fault })
            }
        }
    }

    fn look<'a>(&'a self, asked: &Asked) -> Look<'a> {
        Look::of(&self.provider, &self.site, &asked.headers, &[])
    }
}

/// What the form that asks is bound to: nobody signs another session out with it.
pub(crate) fn form_of(session: &Session) -> String {
    format!("sign out {}", session.id)
}
