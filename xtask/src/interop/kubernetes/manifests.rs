//! Whether the API server accepts every manifest, with strict validation.

use std::fs;
use std::path::{Path, PathBuf};

use super::cluster::Cluster;
use crate::interop::Session;
use crate::interop::go_program::download;
use crate::interop::helm::template;
use crate::interop::processes::{wait_until, write};
use crate::interop::report::Scenarios;
use crate::tools::Outcome;

/// The modules with the definitions of kinds that are not Kubernetes' own, and the files in each.
const DEFINITIONS: [((&str, &str), &str, &[&str]); 4] = [
    (
        ("sigs.k8s.io/gateway-api", "v1.5.1"),
        "config/crd/standard",
        &["httproutes", "grpcroutes", "backendtlspolicies", "gateways."],
    ),
    (("github.com/cert-manager/cert-manager", "v1.21.2"), "deploy/crds", &["certificates", "issuers"]),
    (
        ("github.com/prometheus-operator/prometheus-operator", "v0.85.0"),
        "example/prometheus-operator-crd",
        &["servicemonitors", "prometheusrules"],
    ),
    (
        ("github.com/external-secrets/external-secrets", "v1.3.2"),
        "config/crds/bases",
        &["externalsecrets", "secretstores"],
    ),
];

/// What an installation may add, in the order of docs/kubernetes.md.
const OPTIONAL: [&str; 12] = [
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
];

pub(super) fn run(session: &Session<'_>, cluster: &Cluster<'_>, helm: Option<&Path>, scenarios: &mut Scenarios<'_>) {
    let root = session.workspace.root.join("deploy");
    let prepared = prepare(session, cluster, &root);
    if !scenarios.add("definitions of cert-manager, Gateway API, Prometheus Operator, External Secrets", prepared) {
        return;
    }
    for overlay in ["single-sqlite", "ha-postgres", "mtls", "sidecar-ocis"] {
        let outcome = cluster.kustomize(&root.join("kubernetes/overlays").join(overlay));
        let scenario = format!("overlay `{overlay}`, dry run of the server with strict validation");
        scenarios.add(&scenario, outcome.and_then(|text| accepted(cluster, &text)));
    }
    let everything = with_components(session, &root).and_then(|folder| cluster.kustomize(&folder));
    scenarios.add("`ha-postgres` with every component", everything.and_then(|text| accepted(cluster, &text)));
    if let Some(helm) = helm {
        let chart = root.join("helm/doorward");
        let values = [
            "routes.enabled=true",
            "routes.grpcHostname=grpc.example.org",
            "monitoring.enabled=true",
            "tls.certManager.enabled=true",
            "previousSecrets.enabled=true",
            "settings.OCIS_TRANSACTION_TRUST_DOMAIN=doorward.example.org",
        ];
        let manifests = template(helm, &chart, &values);
        scenarios.add(
            "the chart with routes, monitoring and cert-manager",
            manifests.and_then(|text| accepted(cluster, &text)),
        );
    }
}

/// Adds the kinds and the namespace, and makes sure that a mistake in a manifest would be found.
fn prepare(session: &Session<'_>, cluster: &Cluster<'_>, root: &Path) -> Outcome<String> {
    let mut count = 0;
    for (module, folder, names) in DEFINITIONS {
        let folder = download(&session.processes.scratch, module)?.join(folder);
        for file in files(&folder)? {
            let is_wanted = |name: &&&str| file.file_name().is_some_and(|file| file.to_string_lossy().contains(**name));
            if names.iter().find(is_wanted).is_some() {
                cluster.admin(&["create", "--filename", &file.display().to_string()], "")?;
                count += 1;
            }
        }
    }
    let established = ["wait", "--for=condition=Established", "--timeout=60s", "customresourcedefinitions", "--all"];
    cluster.admin(&established, "")?;
    let namespace = root.join("kubernetes/base/namespace.yaml");
    // the overlays have it too, and `apply` warns of an object that was created without this
    cluster.admin(&["create", "--save-config", "--filename", &namespace.display().to_string()], "")?;
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: wrong}\nspec: {ports: [{port: 80}], selectors: {a: b}}\n";
    wait_until("a refusal of an unknown field", 30, || {
        Ok(accepted(cluster, service).is_err_and(|failure| failure.contains("selectors")))
    })?;
    Ok(format!("{count}; an unknown field is refused"))
}

/// What the server says of manifests, without storing them.
fn accepted(cluster: &Cluster<'_>, manifests: &str) -> Outcome<String> {
    let arguments = ["--dry-run=server", "--validate=strict", "--namespace=doorward", "--filename", "-"];
    let said = cluster.admin(&[&["apply"], &arguments[..]].concat(), manifests)?;
    let count = said.lines().filter(|line| line.ends_with("(server dry run)")).count();
    let wanted = manifests.lines().filter(|line| line.starts_with("kind: ")).count();
    if count == 0 || count != wanted {
        return Err(format!("{count} of {wanted} objects are accepted: {said}"));
    }
    Ok(format!("{count} objects"))
}

/// An overlay in the temporary folder that has all components.
fn with_components(session: &Session<'_>, root: &Path) -> Outcome<PathBuf> {
    let folder = session.processes.folder("every-component")?;
    // kustomize takes no absolute path
    let own = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
    let root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
    let up = "../".repeat(own.components().count().saturating_sub(1));
    let base = format!("{up}{}/kubernetes", root.display().to_string().trim_start_matches('/'));
    let components: Vec<_> = OPTIONAL.iter().map(|name| format!("  - {base}/components/{name}\n")).collect();
    let text = format!(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: doorward\nresources:\n  \
         - {base}/overlays/ha-postgres\ncomponents:\n{}",
        components.concat()
    );
    write(&folder.join("kustomization.yaml"), &text)?;
    Ok(folder)
}

/// The files of a folder, sorted.
fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}
