//! Somebody signs out: the session ends here, and the browser is sent to the issuer to end there too (`OpenID` Connect RP-Initiated
//! Logout 1.0). Only an own page ends it; whoever comes by a link is asked first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use url::Url;

use super::page::{page, redirect, with_cookies};
use super::site::LOGOUT;
use super::tokens::Tokens;
use super::{Sessions, csrf};

/// Asks, or says that nobody is signed in. The issuer sends here those who have signed out.
pub(super) async fn ask(State(sessions): State<Arc<Sessions>>, headers: HeaderMap) -> Response {
    if sessions.key(&headers).is_none() {
        return page(StatusCode::OK, "You are signed out", "<p><a href=\"/\">Sign in again</a></p>");
    }
    let form = format!("<form method=\"post\" action=\"{LOGOUT}\"><button>Sign out</button></form>");
    page(StatusCode::OK, "Sign out?", &form)
}

/// Ends the session.
pub(super) async fn end(State(sessions): State<Arc<Sessions>>, headers: HeaderMap) -> Response {
    if !csrf::is_own(&headers, &[&sessions.site.origin()]) {
        return page(StatusCode::FORBIDDEN, "Not permitted", "<p>Another site has asked for this.</p>");
    }
    let Some(key) = sessions.key(&headers) else { return redirect(&sessions.site.url(LOGOUT)) };
    let tokens = match sessions.end(&key).await {
        Ok(tokens) => tokens,
        Err(error) => {
            tracing::warn!(%error, "a session is not ended");
            let text = "<p>You are still signed in. Please try again in a moment.</p>";
            return page(StatusCode::SERVICE_UNAVAILABLE, "Signing out has failed", text);
        }
    };
    if let Some(refresh) = tokens.as_ref().and_then(|tokens| tokens.refresh.clone()) {
        let sessions = Arc::clone(&sessions);
        // nobody has to wait for it, and it cannot be used any more here
        tokio::spawn(async move {
            if let Err(error) = sessions.client.revoke(&sessions.issuer, &refresh).await {
                tracing::warn!(%error, "the refresh token of a session that has ended is not revoked");
            }
        });
    }
    let hint = tokens.map(|tokens| tokens.id);
    let to = sessions.end_session(hint.as_deref()).await.unwrap_or_else(|| sessions.site.url(LOGOUT));
    with_cookies(redirect(&to), [sessions.cookies.set_session("", 0)])
}

impl Sessions {
    /// Ends a session; what its tokens were.
    async fn end(&self, key: &str) -> Result<Option<Tokens>, ::store::StoreError> {
        let Some(row) = self.rows.find(key).await? else { return Ok(None) };
        self.rows.end(key).await?;
        tracing::info!(target: "audit", event = "session.end", outcome = "success", subject = row.subject);
        Ok(self.open_tokens(&row))
    }

    /// Where the issuer ends its own session; `None` if it does not, or cannot be asked.
    async fn end_session(&self, hint: Option<&str>) -> Option<String> {
        let known = self.issuer.known().await.ok()?;
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
