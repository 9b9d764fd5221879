//! The chart for Helm: it installs what the overlays of kustomize do, and says what is wrong with its values.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::deploy::kubernetes::{Manifests, Workload, changed, list, text};
use crate::deploy::programs::Program;
use crate::deploy::schemas::validate;
use crate::deploy::settings::{Files, check};
use crate::deploy::workspace;

/// The labels that only the chart gives.
const LABELS: [&str; 5] = [
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/version",
    "helm.sh/chart",
];

fn chart() -> String {
    workspace().join("deploy/helm/doorward").display().to_string()
}

/// What the chart makes of these values.
pub(crate) fn template(values: &[&str]) -> Option<Manifests> {
    let chart = chart();
    let given = values.iter().flat_map(|value| ["--set", *value]);
    let arguments: Vec<_> =
        ["template", "doorward", chart.as_str(), "--namespace", "doorward"].into_iter().chain(given).collect();
    Program::Helm.is_there().then(|| Manifests::parse(&Program::Helm.run(&arguments)))
}

/// What it says is wrong with these values.
fn complaint(value: &str) -> String {
    let output = Program::Helm.output(&["template", "doorward", &chart(), "--set", value]);
    assert!(!output.status.success(), "{value} is accepted");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The manifests by kind and name, without what differs although it means the same: the order of lists, the labels of the chart,
/// annotations, and how a container gets its variables.
fn comparable(manifests: &Manifests) -> BTreeMap<(String, String), Value> {
    // the chart's Job is a hook, before whose end nothing else is there
    let own = ["Namespace", "Job"];
    let wanted =
        |value: &&Value| !own.contains(&text(&value["kind"])) && value["metadata"]["name"] != "doorward-migrate";
    let mut found = BTreeMap::new();
    for value in manifests.0.iter().filter(wanted) {
        let (kind, name) = (text(&value["kind"]), text(&value["metadata"]["name"]));
        let mut value = value.clone();
        if kind == "Deployment" {
            let variables = Workload(&value).variables(manifests);
            let template = &mut value["spec"]["template"];
            template["metadata"] = json!({"labels": without(&template["metadata"]["labels"], &LABELS)});
            let container = template["spec"]["containers"][0].as_object_mut().expect("a container");
            container.remove("envFrom");
            container.remove("imagePullPolicy");
            container.insert("env".to_owned(), json!(variables));
        }
        // kustomize appends a digest
        let name = if kind == "ConfigMap" { "doorward-settings" } else { name };
        value["metadata"] = without(&value["metadata"]["labels"], &LABELS);
        found.insert((kind.to_owned(), name.to_owned()), sorted(value));
    }
    found
}

fn without(map: &Value, keys: &[&str]) -> Value {
    let entries = map.as_object().into_iter().flatten().filter(|(key, _)| !keys.contains(&key.as_str()));
    Value::Object(entries.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>())
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<_> = items.into_iter().map(sorted).collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, sorted(value))).collect(),
        other => other,
    }
}

#[test]
fn chart_is_accepted() {
    if !Program::Helm.is_there() {
        return;
    }
    let said = Program::Helm.run(&["lint", "--strict", &chart()]);
    assert!(said.contains("0 chart(s) failed"), "{said}");
}

#[test]
fn chart_installs_what_the_overlays_do() {
    for (name, components, values) in [
        ("ha-postgres", &[][..], &[][..]),
        ("mtls", &[], &["tls.certManager.enabled=true"]),
        ("ha-postgres", &["previous-secrets"], &["previousSecrets.enabled=true"]),
        ("ha-postgres", &["workload-identity"], &["workloadPolicy.enabled=true"]),
        (
            "ha-postgres",
            &["workload-identity", "previous-secrets", "without-machine-key"],
            &["workloadPolicy.enabled=true", "previousSecrets.enabled=true", "machineKey.enabled=false"],
        ),
        ("ha-postgres", &["transaction-tokens"], &["settings.OCIS_TRANSACTION_TRUST_DOMAIN=doorward.example.org"]),
    ] {
        let (Some(ours), Some(theirs)) = (changed(name, &[], components), template(values)) else { return };
        let (ours, theirs) = (comparable(&ours), comparable(&theirs));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{name}");
        for (key, value) in &ours {
            assert_eq!(value, &theirs[key], "{name}: {key:?}");
        }
        assert!(ours.len() > 50, "{name}: it is compared: {}", ours.len());
    }
}

#[test]
fn every_value_of_the_chart_makes_valid_manifests() {
    let values = [
        "openshift=true",
        "priorityClassName=important",
        "monitoring.enabled=true",
        "routes.enabled=true",
        "routes.grpcHostname=grpc.example.org",
        "tls.certManager.enabled=true",
        "image.pullSecrets[0]=registry",
        "trustedProxies={10.42.0.0/16,fd00::/8}",
        "settings.OCIS_SMTP_HOST=mail.example.org",
        "settings.OCIS_SMTP_SENDER=noreply@example.org",
        "settings.OCIS_SMTP_USERNAME=doorward",
        "settings.OCIS_LDAP_URI=ldaps://ldap.example.org",
        "services.users.env.USERS_LOG_LEVEL=debug",
        "workloadPolicy.enabled=true",
        "workloadPolicy.configMap=workloads-of-this-cluster",
    ];
    let Some(manifests) = template(&values) else { return };
    validate("the chart", &manifests);
    check("the chart", &manifests, &Files::make());
    let idp = manifests.servers().find(|workload| workload.name() == "idp").expect("it is there");
    assert_eq!(idp.variables(&manifests)["OCIS_SMTP_PASSWORD_FILE"], "/run/secrets/doorward-mail/smtp_password");
    assert!(idp.pod()["securityContext"]["runAsUser"].is_null());
    let proxy = manifests.servers().find(|workload| workload.name() == "proxy").expect("it is there");
    assert_eq!(proxy.variables(&manifests)["PROXY_TRUSTED_PROXIES"], "10.42.0.0/16,fd00::/8");
    let volume = |name: &str| list(&idp.pod()["volumes"]).iter().find(|volume| volume["name"] == name);
    let (policy, cluster) = (volume("workloads").expect("the policy"), volume("cluster").expect("a token"));
    assert_eq!(policy["configMap"]["name"], "workloads-of-this-cluster");
    let token = &cluster["projected"]["sources"][0]["serviceAccountToken"];
    assert!(token["path"] == "token" && token["audience"].is_null(), "it is for the API server: {token}");
    let users = manifests.servers().find(|workload| workload.name() == "users").expect("it is there");
    assert!(!users.variables(&manifests).contains_key("OCIS_WORKLOAD_POLICY_FILE"));
    assert_eq!(users.variables(&manifests)["USERS_LOG_LEVEL"], "debug");
    assert!(manifests.find("NetworkPolicy", "mail").is_some() && manifests.find("NetworkPolicy", "ldap").is_some());
}

#[test]
fn values_select_services() {
    let files = Files::make();
    for service in ["auth-app", "auth-basic", "auth-bearer", "auth-machine", "auth-service", "proxy", "idp", "account"]
    {
        let off = format!("services.{service}.enabled=false");
        // idp verifies passwords by auth-basic
        let with = if service == "auth-basic" { "services.idp.enabled=false" } else { off.as_str() };
        let Some(manifests) = template(&[&off, with, "browserSessions.enabled=false"]) else { return };
        for kind in ["Deployment", "Service", "NetworkPolicy", "HorizontalPodAutoscaler"] {
            assert!(manifests.find(kind, service).is_none(), "without {service}: {kind}");
        }
        check(&format!("the chart without {service}"), &manifests, &files);
    }
}

#[test]
fn machine_key_can_be_left_out_of_every_service() {
    let values = ["workloadPolicy.enabled=true", "previousSecrets.enabled=true", "machineKey.enabled=false"];
    let (Some(with), Some(without)) = (template(&values[..2]), template(&values)) else { return };
    let holders = |manifests: &Manifests| {
        let has_it = |workload: &Workload<'_>| workload.0.to_string().contains("machine_auth_api_key");
        manifests.workloads().filter(has_it).map(|workload| workload.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(holders(&with), ["auth-machine"]);
    assert_eq!(holders(&without), Vec::<String>::new());
    for workload in without.workloads() {
        for volume in list(&workload.pod()["volumes"]) {
            let secret = &volume["secret"];
            let is_whole = secret["secretName"] == "doorward-secrets" && list(&secret["items"]).is_empty();
            assert!(!is_whole, "{}: a volume that names no key has all of them: {volume}", workload.name());
        }
    }
    check("the chart without the machine key", &without, &Files::make());
    assert!(template(&["machineKey.enabled=false", "services.auth-machine.enabled=false"]).is_some());
}

/// The Job starts before there are settings: it has a variable of its own.
#[test]
fn permission_for_an_unverified_database_reaches_the_migration() {
    for (values, expected) in [(&[][..], None), (&["settings.OCIS_INSECURE_DATABASE=true"], Some("true"))] {
        let Some(manifests) = template(values) else { return };
        let job = manifests.workloads().find(|workload| workload.name() == "doorward-migrate").expect("a Job");
        let variables = job.variables(&manifests);
        assert_eq!(variables.get("OCIS_INSECURE_DATABASE").map(String::as_str), expected);
    }
}

#[test]
fn wrong_values_are_refused() {
    if !Program::Helm.is_there() {
        return;
    }
    for (value, part) in [
        ("services.gateway.enabled=false", "/services/gateway/enabled"),
        ("services.auth-apps.enabled=true", "auth-apps"),
        ("url=doorward.example.org", "/url"),
        ("url=https://doorward.example.org/", "/url"),
        ("settings.lower=x", "lower"),
        ("workloadPolicy.enabled=perhaps", "/workloadPolicy/enabled"),
        ("workloadPolicy.policy=x", "policy"),
        ("machineKey.enabled=perhaps", "/machineKey/enabled"),
        ("machineKey.enabled=false", "set workloadPolicy.enabled=true, or services.auth-machine.enabled=false"),
        ("services.auth-basic.enabled=false", "services.idp needs the service auth-basic"),
        ("services.idp.enabled=false", "browserSessions.enabled needs the service idp"),
    ] {
        let said = complaint(value);
        assert!(said.contains(part), "{value}: {said}");
    }
}
