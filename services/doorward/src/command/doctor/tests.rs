use super::*;

fn doctor(only: &[Check]) -> Doctor {
    Doctor { only: only.to_vec(), user: None, send_mail_to: None, output: Output { json: false } }
}

fn environment(folder: &std::path::Path) -> Environment {
    let folder = folder.display().to_string();
    Environment::from([("OCIS_BASE_DATA_PATH", folder.as_str()), ("OCIS_CONFIG_DIR", "/nonexistent")])
}

#[tokio::test]
async fn every_check_says_something_about_an_installation_that_does_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    // one that nothing listens to, so that the test meets no other installation
    let mut environment = environment(folder.path()).with("OCIS_URL", "https://127.0.0.1:1");
    for service in ["USERS", "AUTH_BASIC", "AUTH_MACHINE", "AUTH_SERVICE", "IDP", "AUTH_BEARER", "GATEWAY"] {
        environment = environment.with(format!("{service}_GRPC_ADDR"), "127.0.0.1:1");
    }
    for service in ["IDP", "PROXY", "AUTH_BEARER"] {
        environment = environment.with(format!("{service}_HTTP_ADDR"), "127.0.0.1:1");
    }
    let findings = find(&doctor(&[]), &environment).await;
    for check in Check::value_variants() {
        let found: Vec<_> = findings.iter().filter(|finding| finding.check == *check).collect();
        assert!(!found.is_empty(), "{check:?}");
        assert!(
            found.iter().all(|one| one.remedy.is_some() == matches!(one.outcome, Outcome::Warning | Outcome::Failed)),
            "{found:?}"
        );
    }
    let outcomes = |check| findings.iter().filter(move |one| one.check == check).map(|one| one.outcome);
    assert_eq!(outcomes(Check::Peers).collect::<Vec<_>>(), [Outcome::Failed], "none answers");
    assert!(outcomes(Check::Issuer).all(|outcome| outcome == Outcome::Failed));
    assert!(outcomes(Check::Database).all(|outcome| outcome == Outcome::NotChecked));
    let only = find(&doctor(&[Check::Mail]), &environment).await;
    assert!(only.len() == 1 && only[0].check == Check::Mail);
}

/// Row D14.
#[tokio::test]
async fn invalid_configuration_is_one_failure_and_no_secret_is_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let weak = "hush-hush";
    let environment = environment(folder.path()).with("OCIS_JWT_SECRET", weak);
    let findings = find(&doctor(&[]), &environment).await;
    let failed: Vec<_> = findings.iter().filter(|finding| finding.outcome == Outcome::Failed).collect();
    assert!(failed.len() == 1 && failed[0].found.contains("OCIS_JWT_SECRET"), "{failed:?}");
    let text = serde_json::to_string(&findings).expect("is JSON");
    assert!(!text.contains(weak) && text.contains("the configuration cannot be read"), "{text}");
    for (only, expected) in [(Check::Configuration, "failed: 1 of 1"), (Check::Database, "failed: 1 of 2")] {
        let error = run(&doctor(&[only]), environment.clone()).await.expect_err("has failed").to_string();
        assert_eq!(error, expected, "{only:?}");
    }
    assert!(find(&doctor(&[Check::DataFolder]), &environment).await.iter().all(|one| one.check == Check::DataFolder));
}

#[test]
fn names_of_checks_are_those_of_the_command_line() {
    for check in Check::value_variants() {
        let named = check.to_possible_value().map(|value| value.get_name().to_owned());
        assert_eq!(named.as_deref(), Some(check.name()));
        assert_eq!(serde_json::to_value(check).ok(), Some(check.name().into()));
    }
}
