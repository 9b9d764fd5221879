//! The page about workloads fits the component that it is about.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::deploy::kubernetes::{Manifests, changed, list, text};
use crate::deploy::programs::Program;
use crate::deploy::read;
use crate::deploy::schemas::validate;

/// The blocks of a language on the page.
fn blocks(language: &str) -> Vec<String> {
    let page = read("docs/kubernetes-workloads.md");
    let begin = format!("\n```{language}\n");
    let blocks = page.split(&begin).skip(1).filter_map(|rest| rest.split("\n```").next());
    blocks.map(str::to_owned).collect()
}

/// The policy of the page, as text and as YAML.
fn policy() -> (String, Value) {
    let policy = blocks("yaml").into_iter().find(|block| block.contains("\ncallers:")).expect("the page has a policy");
    let value = serde_yaml_ng::from_str(&policy).expect("YAML");
    (policy, value)
}

#[test]
fn token_of_the_pod_on_the_page_is_for_the_audience_of_the_policy() {
    let pod = blocks("yaml").into_iter().find(|block| block.contains("kind: Pod")).expect("the page has a pod");
    let manifests = Manifests::parse(&pod);
    let pod = manifests.of_kind("Pod").next().expect("a pod");
    let token = &list(&pod["spec"]["volumes"])[0]["projected"]["sources"][0]["serviceAccountToken"];
    let (_, policy) = policy();
    let entry = &policy["callers"][0];
    assert!(list(&entry["audience"]).contains(&token["audience"]), "{token}: {entry}");
    assert_eq!(
        (&entry["namespace"], &entry["name"]),
        (&pod["metadata"]["namespace"], &pod["spec"]["serviceAccountName"])
    );
    assert!(
        token["expirationSeconds"].as_u64().is_some_and(|seconds| seconds >= 600),
        "what Kubernetes makes: {token}"
    );
    validate("the page about workloads", &manifests);
}

#[test]
fn config_map_of_the_page_is_what_the_component_mounts() {
    let Some(component) = changed("ha-postgres", &[], &["workload-identity"]) else { return };
    let block = blocks("sh").into_iter().find(|block| block.starts_with("kubectl ")).expect("the page makes it");
    let folder = tempfile::tempdir().expect("a folder");
    let (written, _) = policy();
    fs::write(folder.path().join("policy.yaml"), &written).expect("writes");
    let file = folder.path().join("policy.yaml").display().to_string();
    assert!(block.contains("--from-file=policy.yaml"), "{block}");
    let command = block.replace("policy.yaml", &file);
    let arguments = command.split_whitespace().skip(1).chain(["--dry-run=client", "--output=json"]);
    let made: Value = serde_json::from_str(&Program::Kubectl.run(&arguments.collect::<Vec<_>>())).expect("JSON");

    let mut mounting = BTreeSet::new();
    for workload in component.servers() {
        let variables = workload.variables(&component);
        let Some(policy) = variables.get("OCIS_WORKLOAD_POLICY_FILE").map(Path::new) else { continue };
        let volume = list(&workload.pod()["volumes"]).iter().find(|volume| volume["name"] == "workloads");
        let volume = volume.unwrap_or_else(|| panic!("{} has no volume", workload.name()));
        assert_eq!(volume["configMap"]["name"], made["metadata"]["name"], "{}", workload.name());
        let mounts = list(&workload.container()["volumeMounts"]).iter();
        let mount =
            mounts.filter(|mount| mount["name"] == "workloads").map(|mount| Path::new(text(&mount["mountPath"])));
        assert_eq!(mount.collect::<Vec<_>>(), policy.parent().into_iter().collect::<Vec<_>>(), "{}", workload.name());
        let key = policy.file_name().and_then(|name| name.to_str()).expect("a name");
        assert_eq!(text(&made["data"][key]), written, "{}", workload.name());
        mounting.insert(workload.name());
    }
    assert_eq!(mounting, BTreeSet::from(["auth-machine", "auth-service", "idp"]));
    assert_eq!(made["metadata"]["namespace"], component.servers().next().expect("one").0["metadata"]["namespace"]);
}
