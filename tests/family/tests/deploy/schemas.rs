//! Every manifest is valid for the schemas of Kubernetes, without unknown fields.

use std::fs;

use serde_json::Value;

use crate::deploy::kubernetes::{EXTRAS, Manifests, OVERLAYS, changed, overlay, text};
use crate::deploy::programs::Program;

/// The kinds of other projects, whose schemas Kubernetes does not have, and the fields of their specifications that we use.
const FOREIGN: [(&str, &str, &[&str]); 8] = [
    (
        "Certificate",
        "cert-manager.io/v1",
        &[
            "commonName",
            "dnsNames",
            "duration",
            "isCA",
            "issuerRef",
            "privateKey",
            "renewBefore",
            "secretName",
            "uris",
            "usages",
        ],
    ),
    ("Issuer", "cert-manager.io/v1", &["ca", "selfSigned"]),
    ("ServiceMonitor", "monitoring.coreos.com/v1", &["endpoints", "jobLabel", "selector"]),
    ("PrometheusRule", "monitoring.coreos.com/v1", &["groups"]),
    ("HTTPRoute", "gateway.networking.k8s.io/v1", &["hostnames", "parentRefs", "rules"]),
    ("GRPCRoute", "gateway.networking.k8s.io/v1", &["hostnames", "parentRefs", "rules"]),
    ("BackendTLSPolicy", "gateway.networking.k8s.io/v1", &["targetRefs", "validation"]),
    ("ExternalSecret", "external-secrets.io/v1", &["dataFrom", "refreshInterval", "secretStoreRef", "target"]),
];

/// Validates manifests strictly: those of Kubernetes by its schemas, those of other projects by the fields above.
pub(crate) fn validate(place: &str, manifests: &Manifests) {
    let (foreign, own): (Vec<&Value>, Vec<&Value>) =
        manifests.0.iter().partition(|value| FOREIGN.iter().any(|(kind, ..)| value["kind"] == *kind));
    for value in foreign {
        let (_, version, fields) =
            FOREIGN.iter().find(|(kind, ..)| value["kind"] == *kind).expect("it was found before");
        assert_eq!(text(&value["apiVersion"]), *version, "{place}: {value}");
        let unknown =
            value["spec"].as_object().expect("a specification").keys().find(|key| !fields.contains(&key.as_str()));
        assert_eq!(unknown, None, "{place}: {value}");
    }
    if !Program::Validate.is_there() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("manifests.yaml");
    // JSON is YAML too, and leaves no doubt what is text: `on`, `0440`
    let documents: Vec<_> = own.iter().map(ToString::to_string).collect();
    fs::write(&file, documents.join("\n---\n")).expect("it can be written");
    let output = Program::Validate.output(&["--strict", &file.display().to_string()]);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && !said.contains("WARN") && !said.contains("ERROR"), "{place}: {said}");
}

#[test]
fn overlays_are_valid() {
    for name in OVERLAYS {
        let Some(manifests) = overlay(name) else { return };
        validate(name, &manifests);
    }
}

#[test]
fn components_are_valid() {
    let Some(manifests) = changed("ha-postgres", &[], &EXTRAS) else { return };
    let kinds = |kind: &str| manifests.of_kind(kind).count();
    let added =
        ["ServiceMonitor", "PrometheusRule", "HTTPRoute", "GRPCRoute", "ExternalSecret", "PriorityClass", "Issuer"];
    assert!(added.iter().all(|kind| kinds(kind) > 0), "every component is there");
    validate("components", &manifests);
}
