//! Sessions that a frame watches (Session Management 1.0).

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use url::Url;

use super::{
    Check,
    discovery::offers,
    logout::{Leaving, back_to, state},
    runs,
};
use crate::{
    browser::{Site, Visit},
    context::Context,
    outcome::{Needed, Verdict, ensure},
    target::LOGGED_OUT,
};

pub(super) const CHECKS: &[Check] =
    &[Check::registering("oidcc-session-management-rp-initiated-logout", runs::SESSION, |c| Box::pin(watched(c)))];

/// The frame's script is not run: what it would compute is, over each cookie that it can read.
async fn watched(context: &Context<'_>) -> Verdict {
    offers(context, "check_session_iframe")?;
    let url = Url::parse(context.discovery.endpoint("check_session_iframe")?).needed("check_session_iframe")?;
    let leaving = Leaving::with(context, context.client().await?).await?;
    let session_state = leaving.done.answer.get("session_state").needed("session_state")?.to_owned();
    ensure(!session_state.contains(' '), "session_state has a space")?;
    let page = leaving.browser.fetch(&Visit { url: url.clone(), form: None, from: Site::Relying }).await?;
    ensure(page.status.is_success() && page.elements.has_script, format!("the frame is {}", page.described()))?;
    let script_answers = page.text.contains("postMessage") || page.text.contains("<script src=");
    ensure(script_answers, "the frame has no script that answers")?;
    let framing = page.headers.get("x-frame-options").is_none();
    ensure(framing, "the frame forbids being one by X-Frame-Options")?;
    let fits = || is_unchanged(&leaving.client.id, &session_state, &leaving.browser.cookies_of_scripts(&url));
    if !fits() {
        context.warn("session_state is not computed as Session Management 3.2 shows; it cannot be followed");
        return Ok(());
    }
    leaving.leave(context, &[leaving.hint(), back_to(LOGGED_OUT), state()]).await?;
    ensure(!fits(), "the session is unchanged after the logout")?;
    leaving.is_over(context).await
}

/// Whether one of the browser's states gives the session state (Session Management 3.2 and 3.3).
fn is_unchanged(client: &str, session_state: &str, browser_states: &[String]) -> bool {
    let (hash, salt) = session_state.rsplit_once('.').map_or((session_state, None), |(hash, salt)| (hash, Some(salt)));
    browser_states.iter().any(|state| {
        let text = [client, "https://rp.conformance.test", state].into_iter().chain(salt).collect::<Vec<_>>().join(" ");
        let found = digest(&SHA256, text.as_bytes());
        hash == hex(found.as_ref()) || hash == URL_SAFE_NO_PAD.encode(found) || hash == STANDARD.encode(found)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_unchanged_while_the_browser_keeps_its_state() {
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, b"client https://rp.conformance.test browser salt"));
        let session_state = format!("{hash}.salt");
        assert!(is_unchanged("client", &session_state, &["other".to_owned(), "browser".to_owned()]));
        assert!(!is_unchanged("client", &session_state, &["another".to_owned()]));
        let unsalted = URL_SAFE_NO_PAD.encode(digest(&SHA256, b"client https://rp.conformance.test browser"));
        assert!(is_unchanged("client", &unsalted, &["browser".to_owned()]), "salt is optional");
        assert!(!is_unchanged("client2", &session_state, &["browser".to_owned()]));
    }
}
