//! `/tokenreview`: a webhook by which a Kubernetes API server asks whose a bearer token is (`authentication.k8s.io/v1` and
//! `v1beta1`).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::asked::{Asked, single};
use crate::credential::Presented;
use crate::door::Door;
use crate::identity::Identity;
use crate::path::{Leniency, Path};
use crate::verdict::Verdict;

/// The path of this door.
pub const PATH: &str = "/tokenreview";
/// The longest question, in bytes.
const MAX_BODY: usize = 64 * 1024;
const GROUP: &str = "authentication.k8s.io/";
/// Names of the cluster's own; no token of a person is one of these.
const OF_THE_CLUSTER: &str = "system:";

/// What the door needs.
#[derive(Clone)]
pub struct Review {
    /// Who verifies.
    pub door: Arc<Door>,
    /// For whom tokens count.
    pub audiences: Arc<[String]>,
    /// What the API server proves itself with.
    pub secret: SecretString,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    api_version: String,
    kind: String,
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    token: String,
    #[serde(default)]
    audiences: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    api_version: String,
    kind: &'static str,
    status: Outcome,
}

#[derive(Default, Serialize)]
struct Outcome {
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

/// Answers whose a token is, in the version it was asked in.
pub async fn review(State(review): State<Review>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !review.is_asked_by_server(&parts.headers) {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let Ok(question) = serde_json::from_slice::<Question>(&body) else {
        return (StatusCode::BAD_REQUEST, "not a TokenReview\n").into_response();
    };
    let version = question.api_version.strip_prefix(GROUP);
    if question.kind != "TokenReview" || !version.is_some_and(|version| matches!(version, "v1" | "v1beta1")) {
        return (StatusCode::BAD_REQUEST, "not a TokenReview of v1 or v1beta1\n").into_response();
    }
    let source = parts.extensions.get::<authn::Peer>().and_then(|peer| peer.source);
    let status = match review.outcome(question.spec, source).await {
        Ok(outcome) => outcome,
        // the API server asks again where it gets no answer, and takes none for an answer
        Err(Verdict::Unavailable) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(_) => Outcome { error: Some("the token is not accepted"), ..Outcome::default() },
    };
    Json(Answer { api_version: question.api_version, kind: "TokenReview", status }).into_response()
}

impl Review {
    /// Whether the question is the API server's: to anybody else it would tell whose a found token is.
    fn is_asked_by_server(&self, headers: &HeaderMap) -> bool {
        let presented = single(headers, &AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        presented.is_some_and(|presented| presented.as_bytes().ct_eq(self.secret.expose_secret().as_bytes()).into())
    }

    async fn outcome(&self, spec: Spec, source: Option<std::net::IpAddr>) -> Result<Outcome, Verdict> {
        let audiences = self.common(&spec.audiences).ok_or(Verdict::Forbidden)?;
        let token = SecretString::from(spec.token);
        let (path, headers) =
            (Path::parse(PATH, Leniency::default()).map_err(|_| Verdict::Forbidden)?, HeaderMap::new());
        let (method, host) = (&http::Method::POST, "");
        let asked = Asked { method, is_https: true, host, path: &path, query: None, headers: &headers, source };
        let identity = self.door.edge.admission.identify(&asked, Presented::Bearer(token)).await?;
        let user = user_info(&identity).ok_or(Verdict::Forbidden)?;
        Ok(Outcome { authenticated: true, user: Some(user), audiences, error: None })
    }

    /// The audiences that are asked for and that tokens are for here; `None` if there is none in common.
    fn common(&self, asked: &[String]) -> Option<Vec<String>> {
        if asked.is_empty() {
            return Some(self.audiences.to_vec());
        }
        let common: Vec<_> = asked.iter().filter(|audience| self.audiences.contains(audience)).cloned().collect();
        (!common.is_empty()).then_some(common)
    }
}

/// Who it is to the cluster; nobody if the credential is only for a part of what its owner may, or if the name is one of the
/// cluster's own.
fn user_info(identity: &Identity) -> Option<UserInfo> {
    let user = &identity.claims.user;
    let is_own = |name: &str| name.starts_with(OF_THE_CLUSTER);
    let may_be = identity.claims.scopes.is_full_user() && !user.username.is_empty() && !is_own(&user.username);
    may_be.then(|| UserInfo {
        username: user.username.clone(),
        uid: user.id.opaque_id.clone(),
        groups: user.groups.iter().filter(|group| !is_own(group)).cloned().collect(),
    })
}
