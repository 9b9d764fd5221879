//! `/tokenreview`: the webhook by which a Kubernetes API server authenticates bearer tokens (`authentication.k8s.io/v1` and
//! `v1beta1`).

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use web::header::single;

use crate::credential::Credential;
use crate::entrypoint::Entrypoint;
use crate::identity::Identity;
use crate::path::{Leniency, Path};
use crate::refusal::Refusal;
use crate::request_info::{RequestInfo, source};
use crate::verdict::Verdict;

/// The path of this entrypoint.
pub const PATH: &str = "/tokenreview";
/// The longest request body, in bytes.
const MAX_BODY: usize = 64 * 1024;
const GROUP: &str = "authentication.k8s.io/";
/// The prefix of names that belong to the cluster. No user has one.
const RESERVED_PREFIX: &str = "system:";

/// The entrypoint.
pub struct TokenReviewer {
    /// Authenticates the tokens.
    pub entrypoint: Arc<Entrypoint>,
    /// The audiences for which tokens are valid.
    pub audiences: Vec<String>,
    /// The bearer token of the API server.
    pub secret: SecretString,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenReviewRequest {
    api_version: String,
    kind: String,
    spec: TokenReviewSpec,
}

#[derive(Deserialize)]
struct TokenReviewSpec {
    #[serde(default)]
    token: String,
    #[serde(default)]
    audiences: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenReviewResponse {
    api_version: String,
    kind: &'static str,
    status: TokenReviewStatus,
}

#[derive(Default, Serialize)]
struct TokenReviewStatus {
    authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserInfo>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    audiences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct UserInfo {
    username: String,
    uid: String,
    groups: Vec<String>,
}

impl TokenReviewer {
    /// Answers a request for a review.
    pub(crate) async fn respond(self: Arc<Self>, request: Request) -> Result<Response, Infallible> {
        let (parts, body) = request.into_parts();
        Ok(self.answer(&parts, body).await)
    }

    async fn answer(&self, parts: &Parts, body: Body) -> Response {
        if parts.method != Method::POST {
            return Refusal::method_not_allowed("POST").into_response();
        }
        if !self.is_api_server(&parts.headers) {
            return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response();
        }
        let Ok(body) = to_bytes(body, MAX_BODY).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let Ok(review) = serde_json::from_slice::<TokenReviewRequest>(&body) else {
            return (StatusCode::BAD_REQUEST, "not a TokenReview\n").into_response();
        };
        let version = review.api_version.strip_prefix(GROUP);
        if review.kind != "TokenReview" || !version.is_some_and(|version| matches!(version, "v1" | "v1beta1")) {
            return (StatusCode::BAD_REQUEST, "not a TokenReview of v1 or v1beta1\n").into_response();
        }
        let status = match self.review(review.spec, source(parts)).await {
            Ok(status) => status,
            // The API server repeats a review that failed. It would take a negative status for the result.
            Err(Verdict::Unavailable) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Err(_) => TokenReviewStatus { error: Some("the token is not accepted"), ..TokenReviewStatus::default() },
        };
        Json(TokenReviewResponse { api_version: review.api_version, kind: "TokenReview", status }).into_response()
    }

    /// Whether the API server sends the request. Anyone else would learn whose a stolen token is.
    fn is_api_server(&self, headers: &HeaderMap) -> bool {
        let sent = single(headers, &AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        sent.is_some_and(|sent| sent.as_bytes().ct_eq(self.secret.expose_secret().as_bytes()).into())
    }

    async fn review(&self, spec: TokenReviewSpec, source: Option<IpAddr>) -> Result<TokenReviewStatus, Verdict> {
        let audiences = self.common_audiences(&spec.audiences).ok_or(Verdict::Forbidden)?;
        let token = SecretString::from(spec.token);
        // the cluster is no resource of the edge (docs/security-requirements.md#e61)
        if self.entrypoint.routing.current().rules.resources.is_confined(token.expose_secret()) {
            return Err(Verdict::Forbidden);
        }
        let (path, headers) =
            (Path::parse(PATH, Leniency::default()).map_err(|_| Verdict::Forbidden)?, HeaderMap::new());
        let (method, host) = (&Method::POST, "");
        let info = RequestInfo { method, is_https: true, host, path: &path, query: None, headers: &headers, source };
        let identity = self.entrypoint.authorizer.authentication.identify(&info, Credential::Bearer(token)).await?;
        let user = user_info(&identity).ok_or(Verdict::Forbidden)?;
        Ok(TokenReviewStatus { authenticated: true, user: Some(user), audiences, error: None })
    }

    /// The audiences of the review for which tokens are valid; `None` if there are none.
    fn common_audiences(&self, requested: &[String]) -> Option<Vec<String>> {
        if requested.is_empty() {
            return Some(self.audiences.clone());
        }
        let common: Vec<_> = requested.iter().filter(|audience| self.audiences.contains(audience)).cloned().collect();
        (!common.is_empty()).then_some(common)
    }
}

/// The user as the cluster sees it; `None` if the credential does not have the full scope of its user, or if the name is reserved.
fn user_info(identity: &Identity) -> Option<UserInfo> {
    let user = &identity.claims.user;
    let is_reserved = |name: &str| name.starts_with(RESERVED_PREFIX);
    let is_accepted =
        identity.claims.scopes.is_full_user() && !user.username.is_empty() && !is_reserved(&user.username);
    is_accepted.then(|| UserInfo {
        username: user.username.clone(),
        uid: user.id.opaque_id.clone(),
        groups: user.groups.iter().filter(|group| !is_reserved(group)).cloned().collect(),
    })
}
