//! What Prometheus and Grafana get in a cluster.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::deploy::helm::template;
use crate::deploy::kubernetes::{changed, list, text};
use crate::deploy::{read, single_services};

/// The names of the ports in a list of a manifest.
fn ports(items: &Value) -> BTreeSet<&str> {
    list(items).iter().map(|item| text(&item["port"])).collect()
}

#[test]
fn metrics_of_every_service_are_read() {
    for overlay in ["single-sqlite", "ha-postgres"] {
        let Some(manifests) = changed(overlay, &[], &["monitoring"]) else { return };
        let monitor = manifests.find("ServiceMonitor", "doorward").expect("there is one");
        let scraped = ports(&monitor["spec"]["endpoints"]);
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
                assert!(scraped.contains(text(&port["name"])), "{overlay}: {target} is not read");
                found.insert(name);
            }
        }
        assert_eq!(found, single_services(), "{overlay}");
    }
}

/// kustomize reads no rules of Prometheus, so that the component has a copy.
#[test]
fn alerts_and_dashboard_are_those_of_the_observability_folder() {
    let rules: Value = serde_yaml_ng::from_str(&read("deploy/observability/rules.yaml")).expect("YAML");
    let dashboard = read("deploy/observability/dashboard.json");
    let component = changed("ha-postgres", &[], &["monitoring"]);
    let (Some(component), Some(chart)) = (component, template(&["monitoring.enabled=true"])) else { return };
    for (place, manifests) in [("component", component), ("chart", chart)] {
        let found = manifests.find("PrometheusRule", "doorward").expect("there is one");
        assert_eq!(found["spec"], rules, "{place}");
        let found = manifests.find("ConfigMap", "doorward-dashboard").expect("there is one");
        assert_eq!(text(&found["data"]["doorward.json"]), dashboard, "{place}");
        assert_eq!(found["metadata"]["labels"]["grafana_dashboard"], "1", "{place}");
    }
}

/// Grafana would draw one panel over the other.
#[test]
fn panels_of_the_dashboard_have_places_of_their_own() {
    let dashboard: Value = serde_json::from_str(&read("deploy/observability/dashboard.json")).expect("JSON");
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} is no number"));
    let (mut ids, mut places, mut queries) = (BTreeSet::new(), BTreeSet::new(), String::new());
    for panel in list(&dashboard["panels"]) {
        let (title, grid) = (text(&panel["title"]), &panel["gridPos"]);
        assert!(ids.insert(number(&panel["id"])), "{title} has the id of another");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| number(&grid[key]));
        assert!(w > 0 && h > 0 && x + w <= 24, "{title} is outside of the grid");
        for place in (x..x + w).flat_map(|column| (y..y + h).map(move |row| (column, row))) {
            assert!(places.insert(place), "{title} is where another is");
        }
        queries.extend(list(&panel["targets"]).iter().map(|target| text(&target["expr"])));
    }
    for metric in ["doorward_workload_verifications_total", "doorward_trust_bundle_age_seconds"] {
        assert!(queries.contains(metric), "{metric} is in no panel");
    }
}
