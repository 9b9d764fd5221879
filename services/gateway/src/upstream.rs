use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{body::Body, server::NamedService};
use tower::Service;

use crate::forward::{UPSTREAM, forward};
use crate::{authenticate::Core, foreign_authenticate, tenants};

/// What messages call the service that has tenants.
const TENANTS: &str = "the service with tenants";

/// The method of which credentials of some types are answered by the upstream.
const AUTHENTICATE: &str = "/cs3.gateway.v1beta1.GatewayAPI/Authenticate";

/// The methods of `GatewayAPI` that this gateway answers itself. Of them only `Authenticate` of a type that this family does not understand
/// ever reaches another one.
const OWN: [&str; 11] = [
    "Authenticate",
    "WhoAmI",
    "ListAuthProviders",
    "GenerateAppPassword",
    "ListAppPasswords",
    "InvalidateAppPassword",
    "GetAppPassword",
    "GetUser",
    "GetUserByClaim",
    "GetUserGroups",
    "FindUsers",
];

/// A service that hands every method it has not itself to an upstream, as it came: headers, message frames, trailers.
/// Without an upstream the generated server answers `UNIMPLEMENTED`.
#[derive(Clone)]
pub(crate) struct WithUpstream<S> {
    pub(crate) own: S,
    pub(crate) core: Arc<Core>,
}

impl<S: NamedService> NamedService for WithUpstream<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for WithUpstream<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.own.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        if let Some(tenants) = self.core.peers.tenants.as_ref().filter(|_| tenants::is_method(path)) {
            return Box::pin(forward(tenants.clone(), TENANTS, tenants::rewritten(request)));
        }
        match &self.core.peers.upstream {
            Some(_) if path == AUTHENTICATE => {
                Box::pin(foreign_authenticate::authenticate(self.own.clone(), Arc::clone(&self.core), request))
            }
            Some(upstream) if !is_own(path) => Box::pin(forward(upstream.clone(), UPSTREAM, request)),
            _ => Box::pin(self.own.call(request)),
        }
    }
}

fn is_own(path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(_, method)| OWN.contains(&method))
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn own_methods_are_those_of_the_contract() {
        let set = prost_types::FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
        let services =
            set.file.iter().filter(|file| file.package() == "cs3.gateway.v1beta1").flat_map(|file| &file.service);
        let mut declared: Vec<_> =
            services.flat_map(|service| &service.method).map(prost_types::MethodDescriptorProto::name).collect();
        let mut own = OWN.to_vec();
        declared.sort_unstable();
        own.sort_unstable();
        assert_eq!(own, declared);
    }

    #[test]
    fn the_method_decides() {
        assert!(is_own("/cs3.gateway.v1beta1.GatewayAPI/WhoAmI"));
        assert!(!is_own("/cs3.gateway.v1beta1.GatewayAPI/Stat"));
        assert!(!is_own("/cs3.gateway.v1beta1.GatewayAPI/WhoAmI/"));
    }
}
