//! Where the response to an authorization request is sent: only to a registered URI (rows I1 to I3).

#[cfg(test)]
mod tests;

use oidc::error::ErrorCode;
use oidc::redirect::Redirect;
use oidc::request::Addressee;

use super::rejection::Rejection;
use crate::engine::clients::Client;

/// The redirect URI of a request.
pub(super) fn find(client: &Client, parameters: &[(String, String)]) -> Result<Redirect, Rejection> {
    let Addressee { redirect_uri, .. } = Addressee::read(parameters).map_err(Rejection::Page)?;
    let found = match &redirect_uri {
        Some(uri) => client.redirects.find(uri),
        None => client.redirects.sole(),
    };
    let problem = match redirect_uri {
        Some(_) => "redirect_uri is not registered for this client",
        None => "redirect_uri is missing",
    };
    found.ok_or_else(|| Rejection::page(ErrorCode::InvalidRequest, problem))
}
