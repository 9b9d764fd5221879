//! Relying parties that are not ours, and a browser, at the provider as processes: npm `openid-client`, `oidc-client-ts` and the SDK of MCP,
//! `PyPI` `authlib`, the metrics by its `prometheus_client`, Apache's `mod_auth_openidc`, the program `oidc-agent`, the mail server `aiosmtpd`, the programs that verify transaction tokens, and the flows of the documents by Chromium and curl. The scripts in this folder are the relying parties.

mod documents;
mod front_door;
mod mail_server;
mod mcp;
mod transactions;
mod world;

use doorward::ServiceId;
use world::{Place, World};

/// A script that walks what a document has, and the page of the book that keeps its transcript.
async fn documented(name: &str, site: &'static str) {
    let Some(world) = World::start(name, Place::Named(site)).await else { return };
    let walked = world.node(&format!("{name}.mjs")).await;
    let kept = format!("{}/../../docs/sign-in-{name}.md", env!("CARGO_MANIFEST_DIR"));
    let new = format!("{}/sign-in-{name}.md", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&new, &walked).expect("the transcript can be written");
    let kept = std::fs::read_to_string(&kept).unwrap_or_else(|error| panic!("{kept}: {error}; the new one is {new}"));
    for (kept, walked) in kept.lines().zip(walked.lines()) {
        assert_eq!(without_values(kept), without_values(walked), "the book shows another answer; the new one is {new}");
    }
    assert_eq!(kept.lines().count(), walked.lines().count(), "the book shows another walk; the new one is {new}");
}

/// A line without the beginnings of codes and tokens, which are others in each walk: they end in three dots.
fn without_values(line: &str) -> String {
    let is_value = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
    let mut parts: Vec<&str> = line.split("...").collect();
    if let Some((_, before)) = parts.split_last_mut() {
        for part in before {
            *part = part.trim_end_matches(is_value);
        }
    }
    parts.join("...")
}

#[test]
fn only_the_values_are_left_out() {
    assert_eq!(without_values("  303 http://x?code=ab-C_1...&iss=y"), "  303 http://x?code=...&iss=y");
    assert_eq!(without_values(r#""access_token": "eyJhbGciOi...","#), r#""access_token": "...","#);
    assert_eq!(without_values("  200 \"Sign in\""), "  200 \"Sign in\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_flows_of_the_opencloud_document_at_the_process() {
    documented("opencloud", "https://cloud.opencloud.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn method_1_of_the_cells_document_at_the_process() {
    documented("cells", "https://your-cells.com").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_at_the_process() {
    let Some(world) = World::start("openid-client", Place::Itself).await else { return };
    let done = world.node("openid-client.mjs").await;
    assert_eq!(done.lines().count(), 8, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_client_ts_in_chromium_at_the_process() {
    let Some(world) = World::start("oidc-client-ts", Place::BehindAProxy).await else { return };
    let done = world.node("spa.mjs").await;
    assert_eq!(done.lines().count(), 4, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn applications_of_other_sites_in_chromium_at_the_process() {
    let Some(world) = World::start("other-sites", Place::Named("https://cloud.example")).await else { return };
    let done = world.node("foreign.mjs").await;
    assert_eq!(done.lines().count(), 3, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn session_frame_answers_a_sibling_iframe_of_the_client() {
    let Some(world) = World::start("session-frame", Place::Named("https://cloud.example")).await else { return };
    let done = world.node("session.mjs").await;
    assert_eq!(done.lines().count(), 3, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_at_the_process() {
    let Some(world) = World::start("authlib", Place::Itself).await else { return };
    let done = world.python("authlib_party.py").await;
    assert_eq!(done.lines().count(), 3, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_at_the_url_of_the_edge() {
    let Some(world) = World::start("openid-client-edge", Place::Edge).await else { return };
    let done = world.node("openid-client.mjs").await;
    assert_eq!(done.lines().count(), 8, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_at_the_url_of_the_edge() {
    let Some(world) = World::start("authlib-edge", Place::Edge).await else { return };
    let done = world.python("authlib_party.py").await;
    assert_eq!(done.lines().count(), 3, "{done}");
    // each service has counted something by now, and the client of Prometheus reads it
    let done = world.python("exposition.py").await;
    assert_eq!(done.lines().count(), ServiceId::ALL.len(), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_client_ts_at_the_url_of_the_edge() {
    let Some(world) = World::start("oidc-client-ts-edge", Place::Edge).await else { return };
    let done = world.node("foreign.mjs").await;
    assert_eq!(done.lines().count(), 3, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mod_auth_openidc_at_the_url_of_the_edge() {
    let Some(world) = World::start("mod-auth-openidc", Place::Edge).await else { return };
    let done = world.node("mod_auth_openidc.mjs").await;
    assert_eq!(done.lines().count(), 2, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_agent_at_the_url_of_the_edge() {
    let Some(world) = World::start("oidc-agent", Place::Edge).await else { return };
    let done = world.node("oidc-agent.mjs").await;
    assert_eq!(done.lines().count(), 2, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_provider_in_chromium() {
    let Some(world) = World::start("provider-pages", Place::Edge).await else { return };
    let done = world.node("provider_pages.mjs").await;
    assert_eq!(done.lines().count(), 3, "{done}");
}
