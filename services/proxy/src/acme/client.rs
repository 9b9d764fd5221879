//! The HTTP client by which the authority is called.

use std::error::Error as StdError;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use authn::causes;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use runtime::TlsError;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::time::timeout;
use url::Url;

use crate::config::is_trustworthy;

/// The setting that names the file of authorities.
const SETTING: &str = "PROXY_ACME_CACERT";
/// The timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest response, in bytes.
const MAX_RESPONSE: usize = 1024 * 1024;

/// A client of one authority, for one attempt. Clones share it.
#[derive(Clone)]
pub(crate) struct AuthorityClient {
    http: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    /// The last `Retry-After` of a response with an error.
    retry_after: Arc<Mutex<Option<String>>>,
}

impl AuthorityClient {
    /// Trusts the certificates in this file, or the system's.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(crate) fn new(authorities: Option<&Path>) -> Result<Self, TlsError> {
        let tls = runtime::client::https(SETTING, authorities, false)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().wrap_connector(tcp);
        let http = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self { http, retry_after: Arc::default() })
    }

    /// How long the authority wants to see no further request, if it has said so with an error.
    pub(crate) fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let value = self.retry_after.lock().unwrap_or_else(PoisonError::into_inner);
        parse_retry_after(value.as_deref()?, now)
    }

    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (url, method) = (request.uri().to_string(), request.method().clone());
        let failed = |problem: String| Error::Other(format!("{method} {url}: {problem}").into());
        // the directory names further URLs, for which the same holds
        if !Url::parse(&url).is_ok_and(|url| is_trustworthy(&url)) {
            return Err(failed("is neither https nor http within this machine".to_owned()));
        }
        let exchange = async {
            let (parts, body) = self.http.request(request).await.map_err(|error| describe(&error))?.into_parts();
            let body = Limited::new(body, MAX_RESPONSE).collect().await.map_err(|error| describe(&*error))?;
            Ok::<_, String>((parts, body.to_bytes()))
        };
        let exchanged = timeout(TIMEOUT, exchange).await.map_err(|_| failed("no response in time".to_owned()))?;
        let (parts, body) = exchanged.map_err(failed)?;
        if parts.status.is_client_error() || parts.status.is_server_error() {
            let value = parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
            *self.retry_after.lock().unwrap_or_else(PoisonError::into_inner) = value;
        }
        Ok(BytesResponse::from(Response::from_parts(parts, Full::new(body))))
    }
}

impl HttpClient for AuthorityClient {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().send(request))
    }
}

/// An error with its causes, which the client's own text leaves out.
fn describe(error: &(dyn StdError + 'static)) -> String {
    match causes(error) {
        causes if causes.is_empty() => error.to_string(),
        causes => format!("{error}: {causes}"),
    }
}

/// A number of seconds or a date (RFC 9110 10.2.3).
fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = OffsetDateTime::parse(value, &Rfc2822).ok()?;
    SystemTime::from(date).duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(946_684_799);
        assert_eq!(parse_retry_after(" 120 ", now), Some(Duration::from_mins(2)));
        let date = "Sat, 01 Jan 2000 00:01:00 GMT";
        assert_eq!(parse_retry_after(date, now), Some(Duration::from_secs(61)));
        for value in ["", "soon", "-1", "Fri, 31 Dec 1999 00:00:00 GMT"] {
            assert_eq!(parse_retry_after(value, now), None, "{value}");
        }
    }

    /// `docs/security-requirements.md#e43`
    #[tokio::test]
    async fn addresses_that_a_directory_names_are_called_by_https_only() {
        let client = AuthorityClient::new(None).expect("a client");
        let request = Request::builder().uri("http://ca.example/new-order").body(BodyWrapper::default());
        let error = client.request(request.expect("a request")).await.err().expect("is refused");
        assert!(error.to_string().contains("neither https nor http within this machine"), "{error}");
    }
}
