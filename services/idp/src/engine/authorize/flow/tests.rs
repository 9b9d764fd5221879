use std::time::Duration;

use super::*;
use crate::testing::Bench;

#[tokio::test]
async fn sealed_flow_opens_until_the_interaction_expires() {
    let bench = Bench::new().await;
    let flow = Flow::to_path(bench.endpoints().layout, page::DEVICE, bench.clock.now());
    let text = flow.seal(&bench.provider);
    bench.advance(bench.provider.config.lifetimes.interaction.saturating_sub(Duration::from_secs(1)));
    assert_eq!(Flow::open(&bench.provider, &text), Ok(flow));
    bench.advance(Duration::from_secs(1));
    assert_eq!(Flow::open(&bench.provider, &text), Err(FlowExpired));
}

#[tokio::test]
async fn truncated_flow_is_rejected() {
    let bench = Bench::new().await;
    let text = Flow::to_path(bench.endpoints().layout, page::DEVICE, bench.clock.now()).seal(&bench.provider);
    for text in ["", &text[4..], &text[..text.len() - 4]] {
        assert_eq!(Flow::open(&bench.provider, text), Err(FlowExpired), "{text}");
    }
}

#[test]
fn path_of_another_site_becomes_the_consents_page() {
    let others = ["https://evil.example/", "//evil.example/", "/\\evil.example"].map(|path| (path, page::CONSENTS));
    for (path, destination) in others.into_iter().chain([(page::DEVICE, page::DEVICE)]) {
        let flow = Flow::to_path(EndpointProfile::Cells, path, SystemTime::UNIX_EPOCH);
        assert_eq!(flow.destination, Destination::Path(destination.to_owned()), "{path}");
    }
}
