//! Helm: the chart is accepted, and its values make what they say.

use std::path::Path;
use std::process::Command;

use super::Session;
use super::go_program::GoProgram;
use super::report::{Scenarios, Trouble};
use crate::tools::{self, Outcome};

pub(super) const PROGRAM: GoProgram = GoProgram {
    variables: &[
        ("helm.sh/helm/v3/internal/version.version", "v3.22.0"),
        // without them it takes every cluster for Kubernetes 1.20; in a release they are the minor version of its k8s.io/client-go
        ("helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor", "37"),
        ("helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor", "37"),
    ],
    ..GoProgram::new("helm", ("helm.sh/helm/v3", "v3.22.0"), "helm.sh/helm/v3/cmd/helm")
};

/// Values, and what they bring and leave out: an object as `Kind/name`, or a part of the text.
struct Case {
    name: &'static str,
    values: &'static [&'static str],
    wanted: &'static [&'static str],
    unwanted: &'static [&'static str],
}

const CASES: [Case; 4] = [
    Case {
        name: "the defaults",
        values: &[],
        wanted: &["Deployment/gateway", "Deployment/idp", "Job/doorward-migrate"],
        unwanted: &["kind: Certificate"],
    },
    Case {
        name: "certificates of cert-manager",
        values: &["tls.certManager.enabled=true"],
        wanted: &["kind: Certificate", "kind: Issuer", "Deployment/gateway"],
        unwanted: &["kind: HTTPRoute"],
    },
    Case {
        name: "routes, monitoring, OpenShift",
        values: &[
            "routes.enabled=true",
            "routes.grpcHostname=grpc.example.org",
            "monitoring.enabled=true",
            "openshift=true",
        ],
        wanted: &[
            "kind: HTTPRoute",
            "kind: GRPCRoute",
            "BackendTLSPolicy/proxy",
            "BackendTLSPolicy/gateway",
            "kind: ServiceMonitor",
            "PrometheusRule/doorward",
            "ConfigMap/doorward-dashboard",
        ],
        unwanted: &["runAsUser"],
    },
    Case {
        name: "LDAP; no browser sessions, auth-machine, account",
        values: &[
            "browserSessions.enabled=false",
            "services.auth-machine.enabled=false",
            "services.account.enabled=false",
            "settings.OCIS_LDAP_URI=ldaps://ldap.example.org",
        ],
        wanted: &["Deployment/gateway", "NetworkPolicy/ldap"],
        unwanted: &["Deployment/auth-machine", "Deployment/account"],
    },
];

/// Values that are wrong, and what is said about each.
const REFUSED: [(&str, &str); 3] = [
    ("services.gateway.enabled=false", "/services/gateway/enabled"),
    ("url=doorward.example.org", "'/url'"),
    ("services.auth-basic.enabled=false", "needs the service auth-basic"),
];

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    let helm = session.build(&PROGRAM)?;
    let chart = session.workspace.root.join("deploy/helm/doorward");
    scenarios.add("`lint --strict` of the chart", lint(&helm, &chart));
    for case in &CASES {
        let scenario = format!("`template`: {}", case.name);
        scenarios.add(&scenario, check(&helm, &chart, case));
    }
    scenarios.add("`template` with wrong values", refusals(&helm, &chart));
    Ok(())
}

fn lint(helm: &Path, chart: &Path) -> Outcome<String> {
    let said = tools::output(Command::new(helm).args(["lint", "--strict"]).arg(chart))?;
    if said.contains("1 chart(s) linted, 0 chart(s) failed") { Ok(String::new()) } else { Err(said) }
}

/// The manifests that the chart makes of values.
pub(super) fn template(helm: &Path, chart: &Path, values: &[&str]) -> Outcome<String> {
    let mut command = Command::new(helm);
    command.args(["template", "doorward"]).arg(chart).args(["--namespace", "doorward"]);
    tools::output(command.args(values.iter().flat_map(|value| ["--set", *value])))
}

fn check(helm: &Path, chart: &Path, case: &Case) -> Outcome<String> {
    let manifests = template(helm, chart, case.values)?;
    let objects = objects(&manifests);
    let has = |part: &&str| {
        if part.contains('/') { objects.iter().any(|name| name == part) } else { manifests.contains(*part) }
    };
    if let Some(missing) = case.wanted.iter().find(|part| !has(part)) {
        return Err(format!("there is no {missing}"));
    }
    if let Some(extra) = case.unwanted.iter().find(|part| has(part)) {
        return Err(format!("there is {extra}"));
    }
    Ok(format!("{} objects", objects.len()))
}

/// The objects of manifests, each as `Kind/name`.
fn objects(manifests: &str) -> Vec<String> {
    let member = |document: &str, start: &str| -> Option<String> {
        document.lines().find_map(|line| Some(line.strip_prefix(start)?.trim().trim_matches('"').to_owned()))
    };
    let documents = manifests.split("\n---\n");
    let object = |document| Some(format!("{}/{}", member(document, "kind: ")?, member(document, "  name: ")?));
    documents.filter_map(object).collect()
}

fn refusals(helm: &Path, chart: &Path) -> Outcome<String> {
    for (value, part) in REFUSED {
        match template(helm, chart, &[value]) {
            Ok(_) => return Err(format!("{value} is accepted")),
            Err(complaint) if complaint.contains(part) => {}
            Err(complaint) => return Err(format!("{value}: {complaint}")),
        }
    }
    Ok(format!("{} refused, with the name of the value", REFUSED.len()))
}

#[cfg(test)]
mod tests {
    use super::objects;

    #[test]
    fn objects_are_named_by_kind_and_name() {
        let text = "---\n# Source: a\napiVersion: v1\nkind: Service\nmetadata:\n  name: users\n---\nkind: Job\nmetadata:\n  labels:\n    a: b\n  name: \"x\"\n";
        assert_eq!(objects(text), ["Service/users", "Job/x"]);
    }
}
