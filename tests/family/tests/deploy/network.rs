//! The network policies: exactly the calls that the settings of the services name.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::deploy::documented::Documented;
use crate::deploy::helm::template;
use crate::deploy::kubernetes::{Manifests, Workload, changed, list, overlay, overlays, text};

/// A call of a workload by another, and the name of the port.
type Call<'a> = (&'a str, &'a str, &'a str);

/// Whether a label selector selects these labels.
fn selects(selector: &Value, labels: &Value) -> bool {
    let all = selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value);
    let expressions = list(&selector["matchExpressions"]).iter().all(|expression| {
        assert_eq!(expression["operator"], "In");
        list(&expression["values"]).contains(&labels[text(&expression["key"])])
    });
    all && expressions
}

/// Whether a rule of a policy lets through what goes to or comes from a pod with these labels, at a port with this name.
fn permits(rule: &Value, peers: &str, labels: &Value, port: &str) -> bool {
    let has_port = rule["ports"].is_null() || list(&rule["ports"]).iter().any(|one| one["port"] == port);
    // our pods are in one namespace, which no policy names
    let is_ours = |peer: &Value| {
        let namespace = &peer["namespaceSelector"];
        let everywhere = namespace.is_null() || namespace.as_object().is_some_and(serde_json::Map::is_empty);
        everywhere && selects(&peer["podSelector"], labels)
    };
    has_port && (rule[peers].is_null() || list(&rule[peers]).iter().any(is_ours))
}

/// The rules of the policies that are about a pod with these labels.
fn rules<'a>(manifests: &'a Manifests, direction: &'a str, labels: &'a Value) -> impl Iterator<Item = &'a Value> {
    let about =
        manifests.of_kind("NetworkPolicy").filter(move |policy| selects(&policy["spec"]["podSelector"], labels));
    about.flat_map(move |policy| list(&policy["spec"][direction]))
}

/// The calls that both ends' policies let through.
fn permitted(manifests: &Manifests) -> BTreeSet<Call<'_>> {
    let mut calls = BTreeSet::new();
    for caller in manifests.servers() {
        for called in manifests.servers().filter(|called| called.name() != caller.name()) {
            for port in ["grpc", "http", "debug"] {
                let (from, to) = (caller.labels(), called.labels());
                let leaves = rules(manifests, "egress", from).any(|rule| permits(rule, "to", to, port));
                let enters = rules(manifests, "ingress", to).any(|rule| permits(rule, "from", from, port));
                if leaves && enters {
                    calls.insert((caller.name(), called.name(), port));
                }
            }
        }
    }
    calls
}

/// The calls that the settings of the services name: each by a Service whose pods listen at its port.
fn configured(manifests: &Manifests) -> BTreeSet<Call<'_>> {
    let mut calls = BTreeSet::new();
    for caller in manifests.servers().filter(|workload| workload.0["kind"] == "Deployment") {
        let documented = Documented::of(caller.name());
        for (variable, value) in caller.variables(manifests) {
            let peer = value.strip_prefix("dns:///").or_else(|| value.strip_prefix("https://"));
            let Some((host, port)) = peer.and_then(|peer| peer.split_once(':')) else { continue };
            if !documented.has(&variable) || host.contains('.') {
                continue;
            }
            let service = manifests.find("Service", host).unwrap_or_else(|| panic!("{variable}: no Service is {host}"));
            assert_eq!(service["spec"]["clusterIP"] == "None", value.starts_with("dns:///"), "{variable}={value}");
            let number: u64 = port.parse().unwrap_or_else(|error| panic!("{variable}={value}: {error}"));
            let target = list(&service["spec"]["ports"]).iter().find(|one| one["port"] == number);
            let target = text(&target.unwrap_or_else(|| panic!("{variable}={value}"))["targetPort"]);
            let called = behind(manifests, service);
            assert_eq!(called.port(target), Some(number), "{variable}={value}");
            calls.insert((caller.name(), called.name(), target));
        }
    }
    calls
}

/// The workload whose pods a Service has.
fn behind<'a>(manifests: &'a Manifests, service: &Value) -> Workload<'a> {
    let is_behind = |workload: &Workload<'_>| {
        let wanted = service["spec"]["selector"].as_object().expect("it selects");
        wanted.iter().all(|(key, value)| workload.labels()[key] == *value)
    };
    manifests.servers().find(is_behind).unwrap_or_else(|| panic!("{service} has no pods"))
}

/// `docs/security-requirements.md#d8`
#[test]
fn policies_permit_exactly_the_calls_that_settings_name() {
    for name in ["ha-postgres", "mtls"] {
        let Some(manifests) = overlay(name) else { return };
        assert_eq!(permitted(&manifests), configured(&manifests), "{name}");
        assert!(permitted(&manifests).contains(&("gateway", "users", "grpc")));
    }
    for service in ["auth-app", "auth-bearer", "idp", "account"] {
        let Some(manifests) = changed("ha-postgres", &[service, "browser-sessions"], &[]) else { return };
        assert_eq!(permitted(&manifests), configured(&manifests), "without {service}");
    }
}

/// `docs/security-requirements.md#d8`
#[test]
fn nothing_is_permitted_by_default() {
    for (overlay, manifests) in overlays() {
        let policy = manifests.find("NetworkPolicy", "default-deny").expect("there is one");
        assert_eq!(policy["spec"], json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}), "{overlay}");
    }
}

/// The DNS of `OpenShift` is not that of other clusters, and without it no service finds another.
#[test]
fn pods_ask_the_dns_of_openshift() {
    let values = ["openshift=true"];
    let (Some(component), Some(chart)) = (changed("ha-postgres", &[], &["openshift"]), template(&values)) else {
        return;
    };
    let policy =
        |manifests: &Manifests| manifests.find("NetworkPolicy", "dns-openshift").expect("there is one").clone();
    let (component, chart) = (policy(&component), policy(&chart));
    assert_eq!(component["spec"], chart["spec"]);
    assert_eq!(component["spec"]["podSelector"], json!({}), "for all pods");
    let rule = &component["spec"]["egress"][0];
    let namespace = &rule["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"];
    assert_eq!(text(namespace), "openshift-dns");
    assert_eq!(rule["ports"], json!([{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}]));
}

/// The workloads that a policy lets out to this port of any address.
fn let_out(manifests: &Manifests, port: u64) -> BTreeSet<&str> {
    let leaves = |workload: &Workload<'_>| {
        let is_outside =
            |rule: &Value| rule["to"].is_null() && list(&rule["ports"]).iter().any(|one| one["port"] == port);
        rules(manifests, "egress", workload.labels()).any(is_outside)
    };
    manifests.workloads().filter(leaves).map(Workload::name).collect()
}

#[test]
fn ways_out_are_those_of_the_database_issuers_and_mail() {
    let Some(manifests) = changed("ha-postgres", &[], &["mail", "ldap"]) else { return };
    let uses_database = |workload: &Workload<'_>| workload.variables(&manifests).contains_key("OCIS_DATABASE_URL_FILE");
    let with_database: BTreeSet<_> = manifests.workloads().filter(uses_database).map(Workload::name).collect();
    assert!(with_database.contains("users") && with_database.contains("doorward-migrate"), "{with_database:?}");
    assert_eq!(let_out(&manifests, 5432), with_database);
    assert_eq!(let_out(&manifests, 443), BTreeSet::from(["idp", "auth-bearer"]));
    for port in [25, 465, 587] {
        assert_eq!(let_out(&manifests, port), BTreeSet::from(["idp"]), "{port}");
    }
    assert_eq!(let_out(&manifests, 636), BTreeSet::from(["users", "auth-basic"]));
    let Some(plain) = overlay("ha-postgres") else { return };
    assert!(let_out(&plain, 587).is_empty() && let_out(&plain, 636).is_empty());
    let Some(process) = changed("single-sqlite", &[], &["mail", "ldap"]) else { return };
    assert!([587, 636].iter().all(|port| let_out(&process, *port) == BTreeSet::from(["doorward"])));
}

/// The first arrangement of `docs/existing-installation.md`: their gateway calls our services, which call only their gateway.
#[test]
fn policies_next_to_an_ocis_name_its_namespace() {
    let Some(manifests) = overlay("sidecar-ocis") else { return };
    assert!(permitted(&manifests).is_empty());
    let policy = &manifests.find("NetworkPolicy", "ocis").expect("there is one")["spec"];
    for peers in [&policy["ingress"][0]["from"], &policy["egress"][0]["to"]] {
        assert_eq!(text(&peers[0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]), "ocis");
    }
    for workload in manifests.servers() {
        let variables = workload.variables(&manifests);
        assert_eq!(variables["OCIS_REVA_GATEWAY"], "dns:///gateway.ocis.svc:9142", "{}", workload.name());
    }
}
