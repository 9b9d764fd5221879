//! The access token of a request, and whether it may be used in this way (RFC 6750 2, RFC 9449 7).

use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use oidc::error::ErrorCode;

use crate::answer::Refusal;
use crate::endpoints::Site;
use crate::model::Binding;
use crate::provider::Provider;
use crate::token::form::{Form, is_form};
use crate::token::{certificate, dpop};

const NO_TOKEN: HeaderValue = HeaderValue::from_static(r#"Bearer realm="idp", DPoP algs="ES256 EdDSA RS256 PS256""#);
const INVALID_TOKEN: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="idp", error="invalid_token", DPoP error="invalid_token""#);
const INVALID_PROOF: HeaderValue = HeaderValue::from_static(r#"DPoP error="invalid_dpop_proof""#);

/// How a token came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

/// An access token, and how it came.
pub(super) struct Credential {
    scheme: Scheme,
    token: String,
    parts: Parts,
}

/// An access token that does not count: one answer for every reason.
pub(super) fn invalid_token() -> Refusal {
    Refusal::new(ErrorCode::InvalidToken, "the access token does not count").with_challenge(INVALID_TOKEN)
}

fn unauthenticated() -> Refusal {
    Refusal::new(ErrorCode::InvalidToken, "an access token is needed").with_challenge(NO_TOKEN)
}

impl Credential {
    /// Takes the token out of the header, or out of a form. In the URL it is refused.
    ///
    /// # Errors
    /// 400 for two tokens or one in the URL, 401 for none.
    pub(super) async fn read(request: Request) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token") {
            return Err(Refusal::invalid("an access token may not stand in the URL"));
        }
        let from_header = of_header(&parts.headers)?;
        let mut from_form = None;
        if parts.method == Method::POST && is_form(&parts.headers) {
            from_form = Form::read(&parts.headers, body).await?.get("access_token").map(str::to_owned);
        }
        let (scheme, token) = match (from_header, from_form) {
            (Some(_), Some(_)) => return Err(Refusal::invalid("there is more than one access token")),
            (Some(found), None) => found,
            (None, Some(token)) => (Scheme::Bearer, token),
            (None, None) => return Err(unauthenticated()),
        };
        Ok(Self { scheme, token, parts })
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// A token that is bound counts only with the proof of its key, and never as a bearer's (row I29); one that is bound to a
    /// certificate only where that is shown (RFC 8705 3).
    ///
    /// # Errors
    /// 401 with `invalid_token` or `invalid_dpop_proof`.
    pub(super) async fn check_binding(
        &self,
        provider: &Provider,
        site: &Site,
        binding: Option<&Binding>,
    ) -> Result<(), Refusal> {
        let wanted = match (binding, self.scheme) {
            (None, Scheme::Bearer) => return Ok(()),
            (Some(Binding::Dpop(wanted)), Scheme::Dpop) => wanted,
            (Some(bound @ Binding::Certificate(_)), Scheme::Bearer) => {
                let shown = certificate::binding(&self.parts.extensions);
                return if shown.as_ref() == Some(bound) { Ok(()) } else { Err(invalid_token()) };
            }
            (Some(Binding::Certificate(_)) | None, Scheme::Dpop) | (Some(Binding::Dpop(_)), Scheme::Bearer) => {
                return Err(invalid_token());
            }
        };
        let Parts { headers, method, extensions, .. } = &self.parts;
        let url = certificate::called(site, extensions, site.paths.userinfo);
        let proved = dpop::proof(provider, headers, method, &url, Some(&self.token)).await.map_err(at_resource)?;
        let missing = || at_resource(Refusal::new(ErrorCode::InvalidDpopProof, "the DPoP proof is missing"));
        if proved.ok_or_else(missing)? == *wanted { Ok(()) } else { Err(invalid_token()) }
    }
}

/// Where a token is presented, the proof is part of the credential (RFC 9449 7.1).
fn at_resource(refusal: Refusal) -> Refusal {
    if refusal.code == ErrorCode::InvalidDpopProof {
        refusal.with_status(StatusCode::UNAUTHORIZED).with_challenge(INVALID_PROOF)
    } else {
        refusal
    }
}

fn of_header(headers: &HeaderMap) -> Result<Option<(Scheme, String)>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::invalid("there is more than one Authorization header"));
    }
    let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return Err(unauthenticated());
    };
    let scheme = if scheme.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Scheme::Dpop
    } else {
        return Err(unauthenticated());
    };
    Ok(Some((scheme, token.trim().to_owned())))
}
