//! Calls by path: of methods that belong to a service of others, or to one that has several names.

use prost::Message;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

/// Calls a unary method by the first of its names, each like `/package.Service/Method`, that the service has.
///
/// # Errors
/// The status with which the call has failed, see [`unary`].
pub async fn unary_by_names<S, Q, R>(
    service: S,
    names: [&'static str; 2],
    request: Request<Q>,
) -> Result<Response<R>, Status>
where
    S: GrpcService<Body> + Clone,
    S::Error: Into<StdError>,
    S::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
    Q: Message + Clone + 'static,
    R: Message + Default + 'static,
{
    let [first, second] = names;
    let (metadata, extensions, message) = request.into_parts();
    let again = Request::from_parts(metadata.clone(), extensions.clone(), message.clone());
    match unary(service.clone(), first, Request::from_parts(metadata, extensions, message)).await {
        Err(error) if error.code() == Code::Unimplemented => unary(service, second, again).await,
        outcome => outcome,
    }
}

/// Calls the unary method at a path like `/package.Service/Method`.
///
/// # Errors
/// The status with which the call has failed; that of a service which cannot be reached is `UNKNOWN` or `UNAVAILABLE`.
pub async fn unary<S, Q, R>(service: S, path: &'static str, request: Request<Q>) -> Result<Response<R>, Status>
where
    S: GrpcService<Body>,
    S::Error: Into<StdError>,
    S::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
    Q: Message + 'static,
    R: Message + Default + 'static,
{
    let mut grpc = Grpc::new(service);
    grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
    grpc.unary(request, PathAndQuery::from_static(path), ProstCodec::<Q, R>::default()).await
}
