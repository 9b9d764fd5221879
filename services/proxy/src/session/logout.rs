//! Sign-out: ends the session here, and redirects the browser to the issuer to end its session too (`OpenID` Connect RP-Initiated
//! Logout 1.0). Only a page of the edge ends a session; a link shows a page that asks for confirmation.

use std::sync::Arc;

use authn::audit::Event;
use axum::response::Response;
use http::HeaderMap;
use url::Url;
use web::cookie::with_cookies;
use web::origin;

use super::Sessions;
use super::redirect::redirect;
use super::tokens::Tokens;
use crate::pages::Notice;
use crate::site::LOGOUT;

/// The page that asks for confirmation, or says that the user is signed out. The issuer redirects to it after a sign-out.
pub(super) fn ask(sessions: &Sessions, headers: &HeaderMap) -> Response {
    if sessions.key(headers).is_none() {
        return sessions.pages.notice(Notice::SignedOut, headers);
    }
    sessions.pages.sign_out(headers)
}

/// Ends the session.
pub(super) async fn end(sessions: &Arc<Sessions>, headers: &HeaderMap) -> Response {
    if !origin::is_same_origin(headers, &[&sessions.site.origin()]) {
        return sessions.pages.notice(Notice::CrossSite, headers);
    }
    let Some(key) = sessions.key(headers) else { return redirect(&sessions.site.url(LOGOUT)) };
    let tokens = match sessions.end(&key).await {
        Ok(tokens) => tokens,
        Err(error) => {
            tracing::warn!(%error, "cannot end a session");
            return sessions.pages.notice(Notice::SignOutFailed, headers);
        }
    };
    if let Some(refresh) = tokens.as_ref().and_then(|tokens| tokens.refresh.clone()) {
        let sessions = Arc::clone(sessions);
        // The browser need not wait for it.
        tokio::spawn(async move {
            if let Err(error) = sessions.client.revoke(&sessions.issuer, &refresh).await {
                tracing::warn!(%error, "cannot revoke the refresh token of an ended session");
            }
        });
    }
    let hint = tokens.map(|tokens| tokens.id);
    let to = sessions.end_session(hint.as_deref()).await.unwrap_or_else(|| sessions.site.url(LOGOUT));
    with_cookies(redirect(&to), [sessions.cookies.set_session("", 0)])
}

impl Sessions {
    /// Ends a session, and returns its tokens.
    async fn end(&self, key: &str) -> Result<Option<Tokens>, ::store::StoreError> {
        let Some(row) = self.rows.find(key).await? else { return Ok(None) };
        self.rows.end(key).await?;
        Event { subject: &row.subject, ..Event::new("session.end", "success") }.log();
        Ok(self.open_tokens(&row))
    }

    /// The URL where the issuer ends its session; `None` if it has none, or does not answer.
    async fn end_session(&self, hint: Option<&str>) -> Option<String> {
        let known = self.issuer.get().await.ok()?;
        let mut address = Url::parse(known.metadata.end_session_endpoint.as_deref()?).ok()?;
        if !matches!(address.scheme(), "https" | "http") {
            return None;
        }
        address
            .query_pairs_mut()
            .append_pair("client_id", &self.client.id)
            .append_pair("post_logout_redirect_uri", &self.site.url(LOGOUT))
            .extend_pairs(hint.map(|hint| ("id_token_hint", hint)));
        Some(address.into())
    }
}
