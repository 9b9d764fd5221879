//! The routes of the Gateway API: towards every Service behind one the Gateway uses TLS, and verifies a name of its certificate.

use std::collections::BTreeSet;

use serde_json::json;

use crate::deploy::helm::template;
use crate::deploy::kubernetes::{Manifests, changed, list, overlay, text};
use crate::deploy::read;

/// The Services behind routes.
fn behind(manifests: &Manifests) -> BTreeSet<&str> {
    let routes = manifests.of_kind("HTTPRoute").chain(manifests.of_kind("GRPCRoute"));
    let rules = routes.flat_map(|route| list(&route["spec"]["rules"]));
    rules.flat_map(|rule| list(&rule["backendRefs"])).map(|service| text(&service["name"])).collect()
}

#[test]
fn routes_use_tls_with_names_of_the_certificates() {
    let values = ["tls.certManager.enabled=true", "routes.enabled=true", "routes.grpcHostname=grpc.example.org"];
    let (Some(component), Some(chart)) = (changed("mtls", &[], &["gateway-api"]), template(&values)) else { return };
    for (place, manifests) in [("component", component), ("chart", chart)] {
        let services = behind(&manifests);
        assert_eq!(services, ["gateway", "proxy"].into(), "{place}");
        assert_eq!(manifests.names_of("BackendTLSPolicy"), services, "{place}: a policy for each");
        for service in services {
            let spec = &manifests.find("BackendTLSPolicy", service).expect("there is one")["spec"];
            assert_eq!(spec["targetRefs"], json!([{"group": "", "kind": "Service", "name": service}]), "{place}");
            let certificate = manifests.find("Certificate", service).expect("there is one");
            let names = list(&certificate["spec"]["dnsNames"]);
            assert!(names.contains(&spec["validation"]["hostname"]), "{place}: {service}: {names:?}");
            let authority = json!([{"group": "", "kind": "ConfigMap", "name": "doorward-ca"}]);
            assert_eq!(spec["validation"]["caCertificateRefs"], authority, "{place}: {service}");
        }
    }
    assert!(
        read("docs/kubernetes.md").contains("create configmap doorward-ca --from-file=ca.crt="),
        "the page makes it"
    );
}

#[test]
fn policies_of_the_chart_are_those_of_its_routes() {
    let Some(manifests) = template(&["routes.enabled=true"]) else { return };
    assert_eq!(behind(&manifests), ["proxy"].into());
    assert_eq!(manifests.names_of("BackendTLSPolicy"), ["proxy"].into());
}

/// A certificate that the operator makes by the page is good for the same names as those of cert-manager.
#[test]
fn page_lists_the_names_of_all_certificates() {
    let Some(manifests) = overlay("mtls") else { return };
    let page = read("docs/kubernetes.md");
    let listed = page.split("```").find(|block| block.starts_with("\nproxy proxy-headless ")).expect("a list of names");
    let certificates = manifests.of_kind("Certificate").flat_map(|one| list(&one["spec"]["dnsNames"]));
    let names: BTreeSet<_> = certificates.map(text).collect();
    assert_eq!(listed.split_whitespace().collect::<BTreeSet<_>>(), names);
    assert!(names.contains("gateway.doorward.svc"), "{names:?}");
}
