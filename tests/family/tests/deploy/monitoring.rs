//! What Prometheus and Grafana get in a cluster.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kubernetes::{changed, list, text};
use crate::single_services;

/// The names of the ports in a list of a manifest.
fn ports(items: &Value) -> BTreeSet<&str> {
    list(items).iter().map(|item| text(&item["port"])).collect()
}

#[test]
fn metrics_of_every_service_are_read() {
    for overlay in ["single-sqlite", "ha-postgres"] {
        let Some(manifests) = changed(overlay, &[], &["monitoring"]) else { return };
        let read = ports(&manifests.find("ServiceMonitor", "doorward").expect("there is one")["spec"]["endpoints"]);
        let policy = &manifests.find("NetworkPolicy", "metrics").expect("there is one")["spec"];
        let open = ports(&policy["ingress"][0]["ports"]);
        let mut found = BTreeSet::new();
        for workload in manifests.servers() {
            let variables = workload.variables(&manifests);
            let service = manifests.find("Service", &format!("{}-headless", workload.name())).expect("there is one");
            for name in single_services() {
                let variable = format!("{}_DEBUG_ADDR", name.to_uppercase().replace('-', "_"));
                let Some(address) = variables.get(&variable) else { continue };
                let number = address.strip_prefix("0.0.0.0:").expect("other pods reach it").parse::<u64>();
                let number = number.unwrap_or_else(|error| panic!("{variable}={address}: {error}"));
                let port = list(&service["spec"]["ports"]).iter().find(|port| port["port"] == number);
                let port = port.unwrap_or_else(|| panic!("{overlay}: no Service has {variable}={address}"));
                let target = text(&port["targetPort"]);
                assert_eq!(workload.port(target), Some(number), "{overlay}: {variable}");
                assert!(open.contains(target), "{overlay}: {target} is closed");
                assert!(read.contains(text(&port["name"])), "{overlay}: {target} is not read");
                found.insert(name);
            }
        }
        assert_eq!(found, single_services(), "{overlay}");
    }
}
