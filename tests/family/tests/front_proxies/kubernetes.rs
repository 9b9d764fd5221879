//! The webhook for Kubernetes, configured and called as its page describes.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use testkit::{Certificates, Layout, Mode, TestFamily, note_secret, write_secret};

use crate::front_proxies::front::{are_there, in_path};
use crate::front_proxies::page::Page;

const SECRET: &str = "3f6c1a58d2e94b07a1c5e8f29d604b7c";

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_of_the_page_before_the_process() {
    if !are_there(&[in_path("curl")]) {
        return;
    }
    let page = Page::read("kubernetes-tokenreview");
    let mut layout = Layout::new("doors-tokenreview", false);
    let folder = layout.folder().to_owned();
    let made = Certificates::make(&folder, "spiffe://doorward.test/proxy");
    note_secret(SECRET);
    let secret = folder.join("token-review");
    write_secret(&secret, SECRET);
    fs::copy(&made.ca, folder.join("ca.crt")).expect("the folder can be written to");
    for (name, value) in page.settings() {
        let value = match name.as_str() {
            "PROXY_TOKEN_REVIEW_SECRET_FILE" => secret.display().to_string(),
            "PROXY_TRANSPORT_TLS_CERT" => made.certificate.display().to_string(),
            "PROXY_TRANSPORT_TLS_KEY" => made.key.display().to_string(),
            _ => value,
        };
        layout.set(&name, &value);
    }
    layout.unset("PROXY_TLS");
    let port = layout.variables()["PROXY_HTTP_ADDR"].rsplit_once(':').expect("a port").1.to_owned();
    let site = format!("https://localhost:{port}");
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    let token = family.app_token("einstein").await;
    let server = "https://doorward.example.org:9200/tokenreview";
    let config = page.block("yaml", 0);
    assert!(config.text().contains(&format!("server: {server}\n")), "the API server asks what the page tries");

    let call = page.block("sh", 1).put(server, format!("{site}/tokenreview")).put("dwa_3s2K7816M4vu...", &token);
    let running = tokio::task::spawn_blocking({
        let (folder, call) = (folder.clone(), call.text().to_owned());
        move || Command::new("sh").args(["-c", &call]).current_dir(folder).env("NO_PROXY", "*").output()
    });
    let output = running.await.expect("curl ends").expect("a shell can be started");
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(answer["apiVersion"], "authentication.k8s.io/v1");
    assert_eq!(answer["status"]["authenticated"], true, "{answer}");
    assert_eq!(answer["status"]["user"]["username"], "einstein");
    assert_eq!(answer["status"]["audiences"], json!(["https://kubernetes.default.svc"]));
}
