//! Secrets and other files change while the family runs: valid tokens are accepted throughout.

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use doorward::Secrets;
use runtime::Random;
use status::Kind;
use testkit::{Layout, Mode, TestFamily, note_secret, write_secret};

/// How long a changed file may take to be noticed and a new secret to sign.
const PATIENCE: Duration = Duration::from_secs(30);

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
    let after = wait_for_another_signature(&family, &old).await;
    family.who_am_i(&before).await.expect("a token of the previous secret is accepted");
    family.who_am_i(&after).await.expect("a token of the current secret is accepted");

    write_secret(&previous, "");
    let refused = async {
        while !matches!(family.who_am_i(&before).await, Err(Kind::Unauthenticated)) {
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
async fn wait_for_another_signature(family: &TestFamily, old: &str) -> String {
    let verifier = token::Verifier::new(std::sync::Arc::new(token::KeyRing::new(&old.into(), None).unwrap()));
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

/// Rows D13, G9 and M12.
#[tokio::test(flavor = "multi_thread")]
async fn generated_secrets_rotate_under_calls() {
    let mut layout = Layout::new("process-secrets", false);
    let (data, audit) = (layout.folder().join("data"), layout.folder().join("audit.log"));
    layout.unset("OCIS_JWT_SECRET");
    layout.unset("OCIS_MACHINE_AUTH_API_KEY");
    layout.unset("OCIS_SERVICE_ACCOUNT_ID");
    layout.unset("OCIS_SERVICE_ACCOUNT_SECRET");
    layout.set("OCIS_AUDIT_LOG_FILE", &audit.display().to_string());
    Secrets::read_or_make(&data, &Random::system()).expect("makes secrets");
    layout.machine_key = read(&data).machine_key.expose().to_owned();
    let mut family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    let has_ended = async |family: &TestFamily, token: &str| {
        while !matches!(family.who_am_i(token).await, Err(Kind::Unauthenticated)) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };

    for round in 0..2 {
        let (old, before) = (read(&data), family.token_of("einstein").await);
        let (key, calls) = (Mutex::new(family.layout.machine_key.clone()), AtomicU64::new(0));
        let rotations = async {
            rotate(&family, &["jwt"]).await;
            if round > 0 {
                family.hang_up();
            }
            let after = wait_for_another_signature(&family, old.jwt.expose()).await;
            family.who_am_i(&before).await.expect("a token of the former secret is accepted");
            wait_for_calls(&calls).await;
            rotate(&family, &["jwt", "--end-previous", "--yes"]).await;
            tokio::time::timeout(PATIENCE, has_ended(&family, &before)).await.expect("the former secret is dropped");
            assert_eq!(family.who_am_i(&before).await.expect_err("dropped"), Kind::Unauthenticated);
            family.who_am_i(&after).await.expect("the current secret goes on");

            rotate(&family, &["machine-key"]).await;
            let new = read(&data).machine_key.expose().to_owned();
            wait_for_secret(&family, ["machine", "username:einstein"], &new, true).await;
            new.clone_into(&mut key.lock().expect("no panic"));
            wait_for_calls(&calls).await;
            rotate(&family, &["machine-key", "--end-previous", "--yes"]).await;
            wait_for_secret(&family, ["machine", "username:einstein"], old.machine_key.expose(), false).await;

            let account = ["serviceaccounts", old.service_account_id.as_str()];
            rotate(&family, &["service-account"]).await;
            let new = read(&data).service_account_secret.expose().to_owned();
            wait_for_secret(&family, account, &new, true).await;
            rotate(&family, &["service-account", "--end-previous", "--yes"]).await;
            wait_for_secret(&family, account, old.service_account_secret.expose(), false).await;
        };
        let calling = async {
            loop {
                let key = key.lock().expect("no panic").clone();
                let (_, token) = family.authenticate("machine", "username:einstein", &key).await.expect("is accepted");
                family.who_am_i(&token).await.expect("a token that was just made is accepted");
                calls.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! { () = rotations => {}, _ = calling => {} }
        family.layout.machine_key = read(&data).machine_key.expose().to_owned();
    }
    let events = std::fs::read_to_string(&audit).expect("the audit log is written");
    assert_eq!((events.matches("secret_rotated").count(), events.matches("secret_previous_ended").count()), (6, 6));
}

fn read(data: &Path) -> Secrets {
    let secrets = Secrets::read(data).expect("is read").expect("is there");
    for secret in [&secrets.jwt, &secrets.machine_key, &secrets.service_account_secret] {
        note_secret(secret.expose());
    }
    secrets
}

async fn rotate(family: &TestFamily, arguments: &[&str]) {
    let outcome = family.command(&[&["secrets", "rotate"], arguments].concat(), "").await;
    assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.stderr);
    assert!(outcome.stdout.contains("reads it within seconds"), "{}", outcome.stdout);
}

/// Waits until calls that have begun after this moment have ended.
async fn wait_for_calls(calls: &AtomicU64) {
    let enough = calls.load(Ordering::Relaxed) + 2;
    let called = async {
        while calls.load(Ordering::Relaxed) < enough {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, called).await.expect("calls go on");
}

async fn wait_for_secret(family: &TestFamily, [kind, id]: [&str; 2], secret: &str, is_accepted: bool) {
    let opens = async || family.authenticate(kind, id, secret).await.is_ok();
    let changed = async {
        while opens().await != is_accepted {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, changed).await.expect("the change is noticed");
}
