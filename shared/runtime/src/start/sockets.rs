//! Everything that must be bound before anything is built.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::StartError;
use crate::inherited_listeners::InheritedListener;
use crate::server::Listener;
use crate::service::Listeners;
use crate::serving::Socket;
use crate::tls::{ServerFiles, ServerTls, TlsError};
use crate::{Context, ListenerKind, is_plaintext_allowed};
use config::ListenAddr;

/// The kinds of listeners, as they are named.
const GRPC: &str = "grpc";
const HTTP: &str = "http";
const MTLS: &str = "mtls";
const REDIRECT: &str = "redirect";
const DEBUG: &str = "debug";

/// The sockets of a service.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) debug: Option<Socket>,
    pub(super) grpc: Option<Socket>,
    pub(super) http: Option<Socket>,
    pub(super) mtls: Option<Socket>,
    /// Redirects to `http`.
    pub(super) redirect: Option<Listener>,
}

/// Where a service can be reached; `None` where it listens nowhere or on a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addrs {
    pub(super) grpc: Option<SocketAddr>,
    pub(super) http: Option<SocketAddr>,
    pub(super) mtls: Option<SocketAddr>,
    pub(super) redirect: Option<SocketAddr>,
    pub(super) debug: Option<SocketAddr>,
}

impl Sockets {
    /// Reads the certificates, then binds what the service manager has not bound.
    pub(super) async fn bind(service: &str, listeners: &Listeners<'_>, context: &Context) -> Result<Self, StartError> {
        let grpc = listeners.grpc.map(|grpc| (&grpc.addr, ServerFiles::of_grpc(&grpc.tls)));
        let http = listeners.http.map(|http| (&http.addr, ServerFiles::of_http(&http.tls)));
        let mtls = listeners.mtls.zip(listeners.http);
        let mtls = mtls.map(|(mtls, http)| (&mtls.addr, ServerFiles::of_mtls(mtls, &http.tls)));
        let debug = (&listeners.debug.addr, ServerFiles::of_debug(&listeners.debug.tls));
        let inherited = |kind| context.inherited.take(&listener_name(service, kind));
        let changes = context.reload.subscribe();
        let (grpc_tls, http_tls) = (certificate(grpc.as_ref(), context)?, certificate(http.as_ref(), context)?);
        let (mtls_tls, debug_tls) = (certificate(mtls.as_ref(), context)?, certificate(Some(&debug), context)?);
        let allowed = is_plaintext_allowed(&context.environment);
        Ok(Self {
            debug: bind(Some(debug), inherited(DEBUG), (debug_tls, &changes), "OCIS_DEBUG_TLS_ENABLED", allowed)
                .await?,
            grpc: bind(grpc, inherited(GRPC), (grpc_tls, &changes), "OCIS_GRPC_TLS_ENABLED", allowed).await?,
            http: bind(http, inherited(HTTP), (http_tls, &changes), "OCIS_HTTP_TLS_ENABLED", allowed).await?,
            // never in plain text
            mtls: bind(mtls, inherited(MTLS), (mtls_tls, &changes), "OCIS_MTLS_CERTIFICATE", false).await?,
            // always in plain text, as it passes nothing on
            redirect: match listeners.http {
                Some(http) => Listener::bind(&http.redirect_addr, inherited(REDIRECT)).await?,
                None => None,
            },
        })
    }

    /// The TLS of the listeners that have it.
    pub(super) fn tls(&self) -> impl Iterator<Item = (ListenerKind, Weak<ServerTls>)> {
        let kinds = [
            (ListenerKind::Grpc, &self.grpc),
            (ListenerKind::Http, &self.http),
            (ListenerKind::Mtls, &self.mtls),
            (ListenerKind::Debug, &self.debug),
        ];
        kinds.into_iter().filter_map(|(kind, socket)| Some((kind, Arc::downgrade(socket.as_ref()?.tls.as_ref()?))))
    }

    pub(super) fn addrs(&self) -> Addrs {
        let of = |socket: &Option<Socket>| socket.as_ref().and_then(|socket| socket.listener.addr());
        let redirect = self.redirect.as_ref().and_then(Listener::addr);
        Addrs { grpc: of(&self.grpc), http: of(&self.http), mtls: of(&self.mtls), redirect, debug: of(&self.debug) }
    }
}

/// The names of the listeners that a service has, by which the service manager passes sockets for them.
pub(super) fn listener_names(service: &str, listeners: &Listeners<'_>) -> Vec<String> {
    let Listeners { debug, grpc, http, mtls, .. } = listeners;
    let addrs = [
        (GRPC, grpc.map(|grpc| &grpc.addr)),
        (HTTP, http.map(|http| &http.addr)),
        (MTLS, mtls.map(|mtls| &mtls.addr)),
        (REDIRECT, http.map(|http| &http.redirect_addr)),
        (DEBUG, Some(&debug.addr)),
    ];
    let served = addrs.into_iter().filter(|(_, addr)| addr.is_some_and(|addr| *addr != ListenAddr::Off));
    served.map(|(kind, _)| listener_name(service, kind)).collect()
}

fn listener_name(service: &str, kind: &str) -> String {
    format!("{service}-{kind}")
}

type Wanted<'a> = (&'a ListenAddr, Option<ServerFiles>);

fn certificate(wanted: Option<&Wanted<'_>>, context: &Context) -> Result<Option<Arc<ServerTls>>, TlsError> {
    let Some(files) = wanted.and_then(|(_, files)| files.clone()) else { return Ok(None) };
    // before they are read, so that no change in between is missed
    files.paths().for_each(|file| context.reload.watch(file));
    let tls = Arc::new(ServerTls::new(files, context.clock.clone())?);
    let weak = Arc::downgrade(&tls);
    context.certificates.add(move || Some(weak.upgrade()?.expiries()), context);
    Ok(Some(tls))
}

async fn bind(
    wanted: Option<Wanted<'_>>,
    inherited: Option<InheritedListener>,
    (tls, changes): (Option<Arc<ServerTls>>, &watch::Receiver<u64>),
    variable: &'static str,
    is_plaintext_allowed: bool,
) -> Result<Option<Socket>, StartError> {
    let Some((addr, files)) = wanted else { return Ok(None) };
    let is_inherited = inherited.is_some();
    let Some(listener) = Listener::bind(addr, inherited).await? else { return Ok(None) };
    if tls.is_none() && !listener.is_local() && !is_plaintext_allowed {
        let bound = listener.addr().filter(|_| is_inherited);
        let addr = bound.map_or_else(|| addr.to_string(), |bound| bound.to_string());
        return Err(StartError::Plaintext { addr, variable });
    }
    Ok(Some(Socket { listener, tls, files, changes: changes.clone() }))
}
