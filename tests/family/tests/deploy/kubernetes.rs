//! The manifests for Kubernetes, rendered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::deploy::programs::Program;
use crate::deploy::{read, workspace};

/// Every overlay that is shipped.
pub(crate) const OVERLAYS: [&str; 4] = ["single-sqlite", "ha-postgres", "mtls", "sidecar-ocis"];
/// The components that no overlay has, and those that they need.
pub(crate) const EXTRAS: [&str; 13] = [
    "mail",
    "ldap",
    "tracing",
    "monitoring",
    "gateway-api",
    "external-secrets",
    "previous-secrets",
    "transaction-tokens",
    "workload-identity",
    "without-machine-key",
    "priority-class",
    "openshift",
    "mtls",
];

/// Manifests, in the order in which they were written.
#[derive(Debug)]
pub(crate) struct Manifests(pub(crate) Vec<Value>);

/// What kustomize makes of an overlay; nothing where it is not installed and that is known.
pub(crate) fn overlay(name: &str) -> Option<Manifests> {
    let folder = workspace().join("deploy/kubernetes/overlays").join(name);
    Program::Kubectl.is_there().then(|| kustomize(&folder))
}

/// What it makes of every overlay, by name.
pub(crate) fn overlays() -> BTreeMap<&'static str, Manifests> {
    OVERLAYS.into_iter().filter_map(|name| Some((name, overlay(name)?))).collect()
}

/// An overlay without some of its components and with others at its end.
pub(crate) fn changed(name: &str, without: &[&str], with: &[&str]) -> Option<Manifests> {
    let text = read(&format!("deploy/kubernetes/overlays/{name}/kustomization.yaml"));
    let is_left_out = |line: &str| {
        let component = line.trim().strip_prefix("- ../../components/").unwrap_or_default();
        without.iter().any(|name| component == *name || component == format!("mtls/{name}"))
    };
    let mut text: String =
        text.lines().filter(|line| !is_left_out(line)).flat_map(|line| [line, "\n"]).collect::<String>();
    // the components are the last list of these overlays
    text.extend(with.iter().map(|name| format!("  - ../../components/{name}\n")));
    let own = fs::read_dir(workspace().join("deploy/kubernetes/overlays").join(name)).expect("the overlay is there");
    rendered_with(&text, &own.map(|file| file.expect("is read").path()).collect::<Vec<_>>())
}

/// What kustomize makes of the text of a `kustomization.yaml`, in which `../../` is `deploy/kubernetes`.
pub(crate) fn rendered(text: &str) -> Option<Manifests> {
    rendered_with(text, &[])
}

/// The same, with files in its folder.
fn rendered_with(text: &str, files: &[PathBuf]) -> Option<Manifests> {
    if !Program::Kubectl.is_there() {
        return None;
    }
    let folder = TempDir::new().expect("a folder");
    for file in files {
        fs::copy(file, folder.path().join(file.file_name().expect("a name"))).expect("it can be copied");
    }
    let place = folder.path().canonicalize().expect("it is there");
    // kustomize takes relative paths only
    let up = "../".repeat(place.components().count() - 1);
    let root = workspace().canonicalize().expect("it is there");
    let here = format!("{up}{}/deploy/kubernetes/", root.strip_prefix("/").expect("it is absolute").display());
    fs::write(place.join("kustomization.yaml"), text.replace("../../", &here)).expect("it can be written");
    Some(kustomize(&place))
}

fn kustomize(folder: &Path) -> Manifests {
    Manifests::parse(&Program::Kubectl.run(&["kustomize", &folder.display().to_string()]))
}

impl Manifests {
    /// Reads YAML with several documents.
    pub(crate) fn parse(text: &str) -> Self {
        let parts = text.split("\n---").map(|part| part.trim_start_matches("---"));
        let parsed =
            parts.map(|part| serde_yaml_ng::from_str::<Value>(part).unwrap_or_else(|error| panic!("{error}: {part}")));
        Self(parsed.filter(|value| !value.is_null()).collect())
    }

    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |value| value["kind"] == kind)
    }

    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        self.of_kind(kind).find(|value| value["metadata"]["name"] == name)
    }

    /// Everything that has pods.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = Workload<'_>> {
        let has_pods = |value: &&Value| ["Deployment", "StatefulSet", "Job"].iter().any(|kind| value["kind"] == *kind);
        self.0.iter().filter(has_pods).map(Workload)
    }

    /// Those that go on running.
    pub(crate) fn servers(&self) -> impl Iterator<Item = Workload<'_>> {
        self.workloads().filter(|workload| workload.0["kind"] != "Job")
    }

    pub(crate) fn names_of(&self, kind: &str) -> BTreeSet<&str> {
        self.of_kind(kind).map(|value| text(&value["metadata"]["name"])).collect()
    }

    /// The data of the `ConfigMap` whose name begins like this: kustomize appends a digest.
    pub(crate) fn config_map(&self, name: &str) -> BTreeMap<&str, &str> {
        let found = self.of_kind("ConfigMap").find(|value| text(&value["metadata"]["name"]).starts_with(name));
        let data = found.unwrap_or_else(|| panic!("{name} is missing"))["data"].as_object().expect("it has data");
        data.iter().map(|(key, value)| (key.as_str(), text(value))).collect()
    }
}

/// Something that has pods.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload<'a>(pub(crate) &'a Value);

impl<'a> Workload<'a> {
    pub(crate) fn name(self) -> &'a str {
        text(&self.0["metadata"]["name"])
    }

    pub(crate) fn labels(self) -> &'a Value {
        &self.0["spec"]["template"]["metadata"]["labels"]
    }

    pub(crate) fn pod(self) -> &'a Value {
        &self.0["spec"]["template"]["spec"]
    }

    /// Its one container.
    pub(crate) fn container(self) -> &'a Value {
        let containers = list(&self.pod()["containers"]);
        assert_eq!(containers.len(), 1, "{}", self.name());
        &containers[0]
    }

    /// The number of the container's port of this name.
    pub(crate) fn port(self, name: &str) -> Option<u64> {
        let port = list(&self.container()["ports"]).iter().find(|port| port["name"] == name);
        port.and_then(|port| port["containerPort"].as_u64())
    }

    /// The container's variables, as Kubernetes makes them.
    pub(crate) fn variables(self, manifests: &Manifests) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        for source in list(&self.container()["envFrom"]) {
            let name = text(&source["configMapRef"]["name"]);
            let data = manifests.config_map(name);
            variables.extend(data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        }
        for variable in list(&self.container()["env"]) {
            let reference = &variable["valueFrom"]["configMapKeyRef"];
            let value = if reference.is_null() {
                text(&variable["value"]).to_owned()
            } else {
                let data = manifests.config_map(text(&reference["name"]));
                let value = data.get(text(&reference["key"])).unwrap_or_else(|| panic!("{reference} is missing"));
                (*value).to_owned()
            };
            variables.insert(text(&variable["name"]).to_owned(), expanded(&value, &variables));
        }
        variables
    }
}

/// `$(NAME)` replaced by the value of that variable, which has to be there.
fn expanded(value: &str, variables: &BTreeMap<String, String>) -> String {
    let mut parts = value.split("$(");
    let mut expanded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(')').unwrap_or_else(|| panic!("{value}"));
        expanded.push_str(variables.get(name).unwrap_or_else(|| panic!("{name} is not set before {value}")));
        expanded.push_str(rest);
    }
    expanded
}

/// The text of a value; empty if it has none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of a value; none if it has none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
