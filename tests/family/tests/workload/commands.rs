//! What the command line says of the policy.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::{Finished, Layout, run};
use workload::testing::SpiffeAuthority;

use crate::workload::{HERE, HOUR, World, noted, now, succeeded};

fn check(variables: &BTreeMap<String, String>, arguments: &[&str], token: &str) -> Finished {
    let arguments = [&["workload", "check", "--token-stdin"], arguments].concat();
    let finished = run("doorward", &arguments, variables, &format!("{token}\n"));
    let printed = format!("{}{}", finished.stdout, finished.stderr);
    let signature = token.rsplit('.').next().unwrap_or_default();
    assert!(!printed.contains(token) && !printed.contains(signature), "the token is not printed: {printed}");
    finished
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_is_tried_with_a_token() {
    let mut layout = Layout::new("process-workload-check", false);
    let no_policy = check(layout.variables(), &[], "a.token.that-is-none");
    assert_eq!((no_policy.code, no_policy.stderr.lines().count()), (64, 1), "{}", no_policy.stderr);
    assert!(no_policy.stderr.contains("OCIS_WORKLOAD_POLICY_FILE"), "{}", no_policy.stderr);

    let world = World::new(&mut layout).await;
    let variables = layout.variables().clone();
    let policy = world.policy.display().to_string();
    let accepted = check(&variables, &[], &world.svid("/indexer", HERE));
    for line in [
        format!("policy    {policy} (auth-machine, auth-service, idp)"),
        format!("workload  {}", world.authority.id("/indexer")),
        "proof     jwt_svid of example.org".to_owned(),
        "audience  doorward".to_owned(),
        "entry 1   may act for users *; scopes user".to_owned(),
    ] {
        assert!(succeeded(&accepted).lines().any(|printed| printed == line), "{line}: {}", accepted.stdout);
    }
    let account = check(&variables, &["--json"], &world.token("batch", "reporter", HERE));
    let account: Value = serde_json::from_str(succeeded(&account)).expect("is JSON");
    assert_eq!(account[0]["accepted"], true, "{account}");
    assert_eq!(account[0]["workload"]["identity"], "system:serviceaccount:batch:reporter", "{account}");
    let (entry, none) = (&account[0]["entries"][0], Value::Null);
    assert_eq!((&entry["entry"], &entry["service_account"]), (&json!(3), &json!("jobs")), "{account}");
    assert_eq!((&entry["may_act_for"], &entry["client"], &entry["scopes"]), (&none, &none, &none), "{account}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_token_is_explained_without_printing_it() {
    let mut layout = Layout::new("process-workload-refused", false);
    let world = World::new(&mut layout).await;
    let variables = layout.variables().clone();
    let stranger = SpiffeAuthority::new("partner.org");
    for (token, reason, text) in [
        (world.svid("/indexer", "another"), "foreign_token", "the audience of the token is \"another\""),
        (world.svid("/other", HERE), "policy", "no entry with its audience is for it"),
        (world.token("other", "reporter", HERE), "policy", "system:serviceaccount:other:reporter"),
        (noted(stranger.svid("/indexer", HERE, HOUR, now())), "foreign_token", "the trust domain partner.org"),
        (noted(world.authority.svid("/indexer", HERE, HOUR, now() - 2 * HOUR)), "expired", "has expired"),
        (layout.machine_key.clone(), "malformed", "no JWT"),
    ] {
        let refused = check(&variables, &[], &token);
        assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{text}: {}", refused.stderr);
        assert!(refused.stderr.contains(text), "{text}: {}", refused.stderr);
        let expected = format!("refused   {reason}: ");
        assert!(refused.stdout.lines().any(|line| line.starts_with(&expected)), "{reason}: {}", refused.stdout);
    }
    let json = check(&variables, &["--json"], &world.svid("/other", HERE));
    let found: Value = serde_json::from_str(&json.stdout).expect("is JSON");
    assert_eq!(
        (json.code, &found[0]["accepted"], &found[0]["reason"]),
        (1, &json!(false), &json!("policy")),
        "{found}"
    );

    // an issuer that does not answer
    let unverified = noted(world.away.service_account_token(("batch", "mailer"), HERE, HOUR, now()));
    let unavailable = check(&variables, &[], &unverified);
    assert!(unavailable.code == 1 && unavailable.stdout.contains("unavailable: "), "{}", unavailable.stdout);
}
