//! What operators read about tokens.

use super::*;

/// The numbers of the entries that a token matches, or why it is refused; without the token.
async fn explained(setting: &Setting, token: &str) -> Result<Vec<usize>, (WorkloadError, String)> {
    match setting.workloads.explain(token, setting.now()).await {
        Ok(explanation) => Ok(explanation.entries.iter().map(|entry| entry.number()).collect()),
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(token.is_empty() || !text.contains(token), "the token is not printed: {text}");
            Err((refusal.reason, text))
        }
    }
}

#[tokio::test]
async fn accepted_token_is_explained_by_the_entries_that_it_matches() {
    let setting = Setting::new().await;
    let production = json!({ "environment": "production" });
    let mut for_client = setting.issuer.claims("repo:acme/site:main", PROVIDER, LIFETIME, setting.now());
    for_client.insert("environment".to_owned(), "production".into());
    for (token, entry) in [
        (setting.svid(INDEXER, AUDIENCE), 1),
        (setting.account("batch", "reporter", AUDIENCE), 2),
        (setting.job("repo:acme/site:main", &production), 3),
        (setting.issuer.token(&for_client), 4),
    ] {
        assert_eq!(explained(&setting, &token).await, Ok(vec![entry]), "{token}");
    }
    let explanation = setting.workloads.explain(&setting.svid(INDEXER, AUDIENCE), setting.now()).await;
    let explanation = explanation.expect("is accepted");
    assert_eq!(&*explanation.workload.identity, "spiffe://example.org/ns/mail/sa/indexer");
    assert_eq!(explanation.entries[0].may_act_for().as_deref(), Some("users *"));
}

/// Row [M13](../../../../docs/security-requirements.md#m13): what is explained is what services decide.
#[tokio::test]
async fn refused_token_is_explained_by_the_reason() {
    let setting = Setting::new().await;
    let issuer = setting.issuer.name();
    let (stranger, elsewhere) = (SpiffeAuthority::new("example.com"), Issuer::start().await);
    let (mut unknown_key, mut endless) = (SpiffeAuthority::new("example.org"), Map::new());
    unknown_key.add_key();
    endless.extend(setting.issuer.claims("repo:acme/site:main", AUDIENCE, LIFETIME, setting.now()));
    endless.remove("exp");
    let (now, foreign) = (setting.now(), elsewhere.name());
    let misnamed = json!({ "kubernetes.io": { "namespace": "batch", "serviceaccount": { "name": "reporter" } } });
    for (token, reason, text) in [
        ("a key".to_owned(), WorkloadError::Malformed, "no JWT".to_owned()),
        (stranger.svid(INDEXER, AUDIENCE, LIFETIME, now), WorkloadError::Unknown, "domain example.com".to_owned()),
        (
            elsewhere.service_account_token(("batch", "reporter"), AUDIENCE, LIFETIME, now),
            WorkloadError::Unknown,
            format!("no entry of the policy has the issuer {foreign:?}"),
        ),
        (
            setting.svid(INDEXER, "other"),
            WorkloadError::Unknown,
            format!("\"other\"; entries for tokens of example.org have {AUDIENCE}"),
        ),
        (
            setting.account("batch", "reporter", "other"),
            WorkloadError::Unknown,
            format!("entries for tokens of {issuer} have {AUDIENCE}, {PROVIDER}"),
        ),
        (
            unknown_key.svid(INDEXER, AUDIENCE, LIFETIME, now),
            WorkloadError::Unknown,
            "no key of example.org".to_owned(),
        ),
        (
            setting.svid("/ns/mail/sa/other", AUDIENCE),
            WorkloadError::Policy,
            "the workload \"spiffe://example.org/ns/mail/sa/other\" of example.org".to_owned(),
        ),
        (setting.job("repo:acme/site:x", &json!({})), WorkloadError::Policy, "no entry".to_owned()),
        (
            setting.job("repo:acme/site:x", &json!({ "nonce": "n" })),
            WorkloadError::Malformed,
            "another kind".to_owned(),
        ),
        (setting.job("repo:acme/site:x", &misnamed), WorkloadError::Malformed, "kubernetes.io".to_owned()),
        (setting.job("spiffe://example.org/x", &json!({})), WorkloadError::Malformed, "cannot prove".to_owned()),
        (setting.issuer.token(&endless), WorkloadError::Malformed, "no end (exp)".to_owned()),
        (
            setting.authority.svid(INDEXER, AUDIENCE, LIFETIME, now - 2 * LIFETIME),
            WorkloadError::Expired,
            "expired".to_owned(),
        ),
    ] {
        let (found, problem) = explained(&setting, &token).await.expect_err("is refused");
        assert_eq!(found, reason, "{token}: {problem}");
        assert!(problem.contains(&text), "{token}: {problem}, not {text}");
        assert_eq!(setting.verify(&token).await, Err(reason), "{token}");
    }
}
