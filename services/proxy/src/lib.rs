//! The HTTP edge. The README beside this crate follows one request through it and lists its settings; it is not repeated here,
//! as its table is generated.

pub mod admission;
pub mod answer;
pub mod asked;
pub mod check;
mod config;
pub mod credential;
mod database;
pub mod destination;
pub mod door;
pub mod edge;
mod family;
pub mod file;
pub mod forward;
pub mod headers;
pub mod identity;
pub mod multi_factor;
pub mod path;
pub mod pattern;
pub mod review;
pub mod routes;
pub mod rules;
pub mod session;
pub mod signed;
mod straight;
pub mod told;
pub mod trees;
pub mod verdict;
pub mod verify;

use std::sync::Arc;

use authn::{BoxError, EndedSessions, Gateway};
use axum::Router;
use axum::routing::post;
use proto::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use runtime::{App, Context, Listeners, Misconfigured, Service, Shortcut, config::Identity};
use token::Verifier;
use tonic::service::Routes;

use crate::admission::{Admission, Kinds};
use crate::answer::Challenges;
use crate::check::Check;
pub use crate::config::{Backends, Config, Doors, MultiFactor, Public, Session};
use crate::door::Door;
use crate::edge::Edge;
use crate::file::Contents;
use crate::forward::{Clients, Forward};
use crate::path::Leniency;
use crate::review::Review;
use crate::routes::Route;
use crate::session::Sessions;
use crate::signed::Signed;
use crate::straight::Straight;
use crate::told::Answered;
use crate::verify::Verify;

/// Largest request of Envoy's that is read unless another limit is set, in bytes: it may hold the beginning of a body.
const CHECK_LIMIT: usize = 4 * 1024 * 1024;
/// What metrics and the access log call the route of requests that none is for.
const NO_ROUTE: &str = "none";

/// The service.
pub struct Proxy;

impl Service for Proxy {
    const IDENTITY: Identity = Identity { name: "proxy", prefix: "PROXY" };
    const ABOUT: &'static str = "Asks everybody who they are, and passes requests on to backends";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, http, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: Some(&http.0), mtls: None }
    }

    fn check_files(config: &Config) -> Result<Vec<String>, Misconfigured> {
        Ok(contents(config)?.warnings())
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        app(&config, gateway(&config, &context)?, None, &context).await
    }
}

/// The gateway in another process.
///
/// # Errors
/// When its endpoint is none.
pub fn gateway(config: &Config, context: &Context) -> Result<Arc<dyn Gateway>, BoxError> {
    let channel = runtime::client::channel(&config.gateway, &config.grpc_client_tls, context)?;
    Ok(Arc::new(authn::gateway::Remote::new(channel)))
}

/// The edge before this gateway, and perhaps beside an issuer.
///
/// # Errors
/// When the token secret, the file with routes, a certificate or the database of the sessions cannot be used.
pub async fn app(
    config: &Config,
    gateway: Arc<dyn Gateway>,
    ended_sessions: Option<Arc<dyn EndedSessions>>,
    context: &Context,
) -> Result<App, BoxError> {
    let keys = runtime::key_ring::<Proxy>(config, |config| &config.token_manager, context)?;
    let contents = contents(config)?;
    contents.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let Contents { mut routes, rules } = contents;
    // before what the file says, so that a route for everything else does not take sign-in away
    routes.splice(..0, family::routes(&config.backends)?);
    let kinds = Kinds { basic: config.enable_basic_auth, app: config.enable_app_auth };
    let admission = Admission::new(gateway, Verifier::new(keys), context.clock.clone(), kinds);
    let database = Box::pin(database::open(config, context)).await?;
    let sessions = match &database {
        Some(database) => Sessions::open(database, config, context)?,
        None => None,
    };
    let signed = database.as_ref().and_then(|database| Signed::open(database, config, context));
    let signed = signed.map(|signed| signed.beside(ended_sessions));
    let signing_keys = signed.as_ref().map(|signed| signed.task(context.clock.clone(), context.shutdown.clone()));
    let door = Arc::new(Door {
        edge: Edge { admission, rules, signed, sessions: sessions.clone() },
        challenges: Challenges { basic: kinds.basic || kinds.app, bearer: !config.issuer.is_empty() },
        leniency: Leniency { semicolons: config.allow_semicolons },
        filter: Arc::new(config.request_filter()?),
    });
    let metrics = forward::Metrics::new(&context.metrics);
    let counted = |route: Route| {
        let counted = metrics.of_route(&route.name);
        (route, counted)
    };
    let settings = forward::Settings {
        door: Arc::clone(&door),
        routes: routes.into_iter().map(counted).collect(),
        astray: metrics.of_route(NO_ROUTE),
        clients: Clients::new(config.https_cacert.as_deref(), config.insecure_backends)?,
        is_https: config.is_https(),
        multi_factor: multi_factor::MultiFactor::new(&config.mfa, sessions.clone()),
        shutdown: context.shutdown.clone(),
    };
    let answered = Arc::new(Answered::parse(&config.doors.verify_headers)?);
    let forward = Forward(Arc::new(settings));
    let check = Check { door: Arc::clone(&door), answered: Arc::clone(&answered), forward: forward.clone() };
    let check = AuthorizationServer::new(check)
        .max_decoding_message_size(config.grpc.max_received_message_size.unwrap_or(CHECK_LIMIT));
    let verify = config.doors.outer().map(|outer| Verify { door: Arc::clone(&door), outer, answered });
    let shortcut: Arc<dyn Shortcut> = Arc::new(Straight { verify, forward: forward.clone() });
    let http = token_review(&config.doors, &door).fallback(forward::forward).with_state(forward);
    let grpc = App::grpc(Routes::new(check));
    let mut app = App { http: Some(http), shortcut: Some(shortcut), streaming: true, ..grpc };
    if let Some(sessions) = &sessions {
        app.http = app.http.map(|http| http.merge(session::router(sessions)));
        app.tasks = sessions.tasks(context);
    }
    app.tasks.extend(signing_keys);
    app.checks = match (&sessions, &database) {
        (Some(sessions), _) => sessions.checks(),
        (None, database) => database.iter().map(database::check).collect(),
    };
    Ok(app)
}

/// The routes and access rules that the configuration names.
fn contents(config: &Config) -> Result<Contents, Misconfigured> {
    config.routes_file.as_deref().map_or(Ok(Contents::default()), file::read).map_err(Misconfigured::new)
}

/// The door for Kubernetes, if there is one.
fn token_review(config: &Doors, door: &Arc<Door>) -> Router<Forward> {
    if config.token_review_secret.is_empty() {
        return Router::new();
    }
    let state = Review {
        door: Arc::clone(door),
        audiences: config.token_review_audiences.clone().into(),
        secret: config.token_review_secret.expose().into(),
    };
    Router::new().route(review::PATH, post(review::review).with_state(state))
}
