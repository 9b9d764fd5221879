//! Secrets and other files change while the family runs: valid tokens are accepted throughout.

use std::{path::PathBuf, time::Duration};

use status::Kind;
use testkit::{Layout, Mode, TestFamily, note_secret, write_secret};

/// How long a changed file may take to be noticed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Rows G9 and E30.
#[tokio::test(flavor = "multi_thread")]
async fn jwt_secret_and_access_rules_change_without_a_restart() {
    let mut layout = Layout::new("process-rotation", false);
    let file = |name: &str| -> PathBuf { layout.folder().join(name) };
    let (current, previous, rules) = (file("current"), file("previous"), file("rules.yaml"));
    let (old, new) = (layout.jwt_secret.clone(), "the new secret of the rotation, 32 bytes and more".to_owned());
    note_secret(&new);
    write_secret(&current, &old);
    write_secret(&previous, "");
    layout.unset("OCIS_JWT_SECRET");
    layout.set("OCIS_JWT_SECRET_FILE", &current.display().to_string());
    layout.set("OCIS_JWT_SECRET_PREVIOUS_FILE", &previous.display().to_string());
    let write_rules = |text: &str| std::fs::write(&rules, format!("access: [{text}]\n")).expect("writes");
    write_rules("{ path: /closed, action: deny }");
    layout.set("PROXY_ROUTES_FILE", &rules.display().to_string());
    layout.set("PROXY_TLS", "false");
    let url = format!("http://{}/closed", layout.variables()["PROXY_HTTP_ADDR"]);
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    let before = family.token_of("einstein").await;

    write_secret(&previous, &old);
    write_secret(&current, &new);
    let after = wait_for_another_signature(&family).await;
    family.who_am_i(&before).await.expect("a token of the previous secret is accepted");
    family.who_am_i(&after).await.expect("a token of the current secret is accepted");

    write_secret(&previous, "");
    let refused = async {
        while family.who_am_i(&before).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("a token of a dropped secret is refused");
    assert_eq!(family.who_am_i(&before).await.expect_err("dropped"), Kind::Unauthenticated);
    family.who_am_i(&after).await.expect("the current secret goes on");

    // a route is missing, which is said only of what the rules permit
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let status = async || client.get(&url).send().await.expect("the edge answers").status().as_u16();
    assert_eq!(status().await, 403);
    write_rules("{ path: /closed, action: permit }");
    family.hang_up();
    assert_eq!(status().await, 403, "an invalid file changes nothing");
    write_rules("{ path: /closed, action: allow }");
    family.hang_up();
    let permitted = async {
        while status().await != 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, permitted).await.expect("the new rules are used");
}

/// A token that the new secret signed: the verifier of the old secret alone would refuse it.
async fn wait_for_another_signature(family: &TestFamily) -> String {
    let old = secrecy::SecretString::from(family.layout.jwt_secret.clone());
    let verifier = token::Verifier::new(std::sync::Arc::new(token::KeyRing::new(&old, None).unwrap()));
    let clock = runtime::Clock::system();
    let signed_anew = async {
        loop {
            let token = family.token_of("einstein").await;
            if verifier.verify(clock.now(), &token).is_err() {
                return token;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, signed_anew).await.expect("the new secret is used")
}
