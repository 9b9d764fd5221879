//! What the files under `deploy/` and docker-compose.yml have in common with the services.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_yaml_ng::{Mapping, Value};

/// Settings of the edge that docker-compose.yml does not pass on, and why.
const NOT_PASSED: [(&str, &str); 5] = [
    ("PROXY_SESSION_CACERT", "names a file, which has to be mounted first"),
    ("PROXY_SESSION_CLIENT_SECRET", "is a file among the secrets of the family"),
    ("PROXY_SESSION_SECRET", "is a file among the secrets of the family"),
    ("PROXY_URL", "is OCIS_URL"),
    ("PROXY_OIDC_ISSUER", "is OCIS_OIDC_ISSUER"),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &str) -> String {
    fs::read_to_string(workspace().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The services in the source tree, each of which is a binary.
fn services() -> BTreeSet<String> {
    let folders = fs::read_dir(workspace().join("services")).expect("the folder is there");
    let binaries = folders.filter_map(|entry| {
        let folder = entry.expect("it can be read").path();
        folder.join("src/main.rs").exists().then(|| folder.file_name().expect("a name").to_string_lossy().into_owned())
    });
    binaries.collect()
}

fn containers() -> Mapping {
    let compose: Value = serde_yaml_ng::from_str(&read("docker-compose.yml")).expect("YAML");
    compose["services"].as_mapping().expect("there are services").clone()
}

/// The variables of a container: those that it has a line for, whether with a value or passed on.
fn variables(container: &str) -> BTreeSet<String> {
    let containers = containers();
    let environment = containers[container]["environment"].as_mapping().expect("an environment").clone();
    environment.keys().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The names of the edge's settings that say who signs in and where, in the table of its README.
fn settings_of_sessions() -> BTreeSet<String> {
    let readme = read("services/proxy/README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let names = rows.flat_map(|names| names.split("<br>"));
    let wanted = |name: &&str| name.starts_with("PROXY_SESSION_") || matches!(*name, "OCIS_URL" | "OCIS_OIDC_ISSUER");
    let found: BTreeSet<_> = names.filter(wanted).map(str::to_owned).collect();
    assert!(found.contains("PROXY_SESSION_CLIENT_ID") && found.contains("OCIS_URL"), "{found:?}");
    found
}

#[test]
fn image_has_the_binary_of_every_service() {
    let listed: Vec<_> = read("deploy/services").lines().map(str::to_owned).collect();
    let unique: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!((unique.len(), unique), (listed.len(), services()));
    // neither has a list of its own
    for file in ["deploy/build-root", "deploy/build-image", "deploy/Dockerfile"] {
        let code: Vec<_> = read(file).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        assert!(!code.iter().any(|line| line.contains("auth-machine")), "{file} lists services");
    }
    assert!(read("deploy/build-root").contains("deploy/services"));
}

#[test]
fn compose_and_kubernetes_run_every_service() {
    let containers: BTreeSet<_> = containers().keys().filter_map(Value::as_str).map(str::to_owned).collect();
    assert_eq!(containers, services());
    let kustomization: Value =
        serde_yaml_ng::from_str(&read("deploy/kubernetes/base/kustomization.yaml")).expect("YAML");
    let resources: Vec<_> = kustomization["resources"].as_sequence().expect("a list").iter().collect();
    for service in services().iter().filter(|service| *service != "doorward") {
        // auth-bearer needs an issuer, which a base does not know
        let is_there = resources.iter().any(|name| name.as_str() == Some(&format!("{service}.yaml")));
        assert!(is_there || service == "auth-bearer", "{service}");
    }
}

#[test]
fn settings_of_browser_sessions_reach_the_edge_in_compose() {
    for container in ["doorward", "proxy"] {
        let there = variables(container);
        for name in settings_of_sessions() {
            let is_there = there.contains(&name) || there.contains(&format!("{name}_FILE"));
            let reason = NOT_PASSED.iter().find(|(known, _)| *known == name);
            assert!(is_there || reason.is_some(), "{container}: {name} does not reach the edge");
        }
        for name in ["PROXY_SESSION_SECRET", "PROXY_SESSION_CLIENT_SECRET"] {
            assert!(there.contains(name) || there.contains(&format!("{name}_FILE")), "{container}: {name}");
        }
    }
}

#[test]
fn every_secret_of_a_container_is_made_and_mounted() {
    let compose: Value = serde_yaml_ng::from_str(&read("docker-compose.yml")).expect("YAML");
    let maker = read("deploy/compose/make-secrets");
    let known = compose["secrets"].as_mapping().expect("secrets").clone();
    for name in known.keys().filter_map(Value::as_str) {
        assert!(maker.contains(name), "make-secrets does not make {name}");
    }
    for (container, settings) in containers() {
        let mounted: BTreeSet<_> =
            settings["secrets"].as_sequence().into_iter().flatten().filter_map(Value::as_str).collect();
        let files = settings["environment"].as_mapping().expect("an environment").values().filter_map(Value::as_str);
        let used: BTreeSet<_> = files.filter_map(|value| value.strip_prefix("/run/secrets/")).collect();
        assert_eq!(mounted, used, "{container:?}");
        assert!(used.iter().all(|name| known.contains_key(*name)), "{container:?}: {used:?}");
    }
}
