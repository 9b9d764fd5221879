//! One endpoint of each issuer.

use std::sync::Arc;

use axum::Router;
use axum::routing::MethodRouter;

use crate::endpoints::{Paths, Site};
use crate::provider::Provider;

/// What a handler works with: the provider, and the issuer whose endpoint was called.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) provider: Provider,
    pub(crate) site: Arc<Site>,
}

/// A router that has this endpoint for every issuer.
pub(crate) fn at_every_site(
    provider: Provider,
    path: fn(&Paths) -> &'static str,
    methods: &MethodRouter<Served>,
) -> Router {
    let sites = provider.sites.clone();
    sites.into_iter().map(Arc::new).fold(Router::new(), move |router, site| {
        let served = Served { provider: provider.clone(), site: Arc::clone(&site) };
        router.merge(Router::new().route(path(&site.paths), methods.clone()).with_state(served))
    })
}
