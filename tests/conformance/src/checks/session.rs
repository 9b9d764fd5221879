//! Sessions that a frame watches (Session Management 1.0).

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use url::Url;

use super::{
    Check,
    discovery::offers,
    logout::{Leaving, back_to, state},
    runs,
};
use crate::{
    browser::{Page, Site, Visit},
    context::Context,
    outcome::{Needed, Verdict, ensure, failed},
    target::LOGGED_OUT,
};

pub(super) const CHECKS: &[Check] =
    &[Check::registering("oidcc-session-management-rp-initiated-logout", runs::SESSION, |c| Box::pin(watched(c)))];

/// The origin of the client's page.
const CLIENT: &str = "https://rp.conformance.test";
/// Another one, which has nothing to ask.
const FOREIGN: &str = "https://foreign.conformance.test";
/// Runs the frame's scripts, by Node.
const ASKING: &str = include_str!("session_frame.mjs");

/// As the suite has it, the frame is asked by another iframe of the client's page, and its scripts are run.
async fn watched(context: &Context<'_>) -> Verdict {
    offers(context, "check_session_iframe")?;
    let url = Url::parse(context.discovery.endpoint("check_session_iframe")?).needed("check_session_iframe")?;
    let leaving = Leaving::with(context, context.client().await?).await?;
    let session_state = leaving.done.answer.get("session_state").needed("session_state")?.to_owned();
    ensure(!session_state.contains(' '), "session_state has a space")?;
    let page = leaving.browser.fetch(&Visit { url: url.clone(), form: None, from: Site::Relying }).await?;
    ensure(page.status.is_success() && page.elements.has_script, format!("the frame is {}", page.described()))?;
    ensure(!page.text.contains("<script src="), "the frame has a script elsewhere, which is not run here")?;
    let framing = page.headers.get("x-frame-options").is_none();
    ensure(framing, "the frame forbids being one by X-Frame-Options")?;
    let question = format!("{} {session_state}", leaving.client.id);
    let answers = async || ask(&page, &leaving.browser.cookies_of_scripts(&url), &question).await;
    let before = answers().await?;
    ensure(before["own"] == "unchanged", format!("the client's iframe is answered {} in the session", before["own"]))?;
    ensure(before["foreign"] != "unchanged", "a page of another origin learns the state of the session")?;
    leaving.leave(context, &[leaving.hint(), back_to(LOGGED_OUT), state()]).await?;
    let after = answers().await?;
    ensure(after["own"] == "changed", format!("the client's iframe is answered {} after the logout", after["own"]))?;
    leaving.is_over(context).await
}

/// What the frame answers to siblings of the client's origin (`own`) and of another one (`foreign`); `null` if nothing.
async fn ask(page: &Page, cookies: &str, question: &str) -> Verdict<Value> {
    let parameters = json!({
        "page": page.text, "url": page.url.as_str(), "cookies": cookies, "client": CLIENT, "foreign": FOREIGN,
        "question": question,
    });
    let mut node = Command::new("node");
    node.args(["--input-type=module", "--eval", ASKING]).kill_on_drop(true);
    node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut node = node.spawn().needed("node, which runs the frame's script, cannot be started")?;
    let mut input = node.stdin.take().needed("an input for node")?;
    input.write_all(parameters.to_string().as_bytes()).await.needed("node does not read")?;
    drop(input);
    let output = node.wait_with_output().await.needed("node does not end")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).map_err(|_| failed(format!("the frame's script fails: {complaint}")))
}
