//! How the pods of every overlay run: rights, probes, resources, replicas, shutdown, secrets.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::deploy::documented::Documented;
use crate::deploy::kubernetes::{Manifests, Workload, changed, list, overlay, overlays, text};
use crate::deploy::read;

/// How long a service finishes what is in flight once it accepts no more requests.
const DRAIN: Duration = Duration::from_secs(10);

/// The variables of a workload's service: of all services for the process that has all of them.
fn documented(workload: Workload<'_>) -> Vec<Documented> {
    let command = text(&workload.container()["command"][0]);
    match command.rsplit('/').next().expect("a command has a name") {
        "doorward" => crate::deploy::single_services().iter().map(|service| Documented::of(service)).collect(),
        service => vec![Documented::of(service)],
    }
}

/// The Pod Security Standard `restricted`, and more (`docs/security-requirements.md#d3`).
#[test]
fn pods_have_no_rights_that_they_do_not_need() {
    for (overlay, manifests) in overlays() {
        let namespace = manifests.find("Namespace", "doorward").expect("there is one");
        assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
        for workload in manifests.workloads() {
            let (pod, container, place) =
                (workload.pod(), workload.container(), format!("{overlay}: {}", workload.name()));
            let context = &pod["securityContext"];
            assert_eq!(context["runAsNonRoot"], true, "{place}");
            assert_eq!(context["runAsUser"], 65532, "{place}");
            assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{place}");
            let expected = json!({
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
            });
            assert_eq!(container["securityContext"], expected, "{place}");
            // a profile is written there while it is taken
            let has_folder = list(&container["volumeMounts"]).iter().any(|mount| mount["mountPath"] == "/tmp");
            assert!(has_folder, "{place}: /tmp cannot be written");
            assert_eq!(pod["automountServiceAccountToken"], false, "{place}");
            assert_eq!(pod["enableServiceLinks"], false, "{place}");
            for key in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] {
                assert!(pod[key].is_null(), "{place}: {key}");
            }
            let account = manifests.find("ServiceAccount", text(&pod["serviceAccountName"]));
            assert_eq!(account.expect("each has its own")["automountServiceAccountToken"], false, "{place}");
        }
        let kinds: BTreeSet<_> = manifests.0.iter().map(|value| text(&value["kind"])).collect();
        assert!(!kinds.iter().any(|kind| kind.contains("Role")), "{overlay}: no pod calls the API server");
    }
}

#[test]
fn pods_of_openshift_name_no_user() {
    let Some(manifests) = changed("ha-postgres", &[], &["openshift"]) else { return };
    for workload in manifests.workloads() {
        let context = &workload.pod()["securityContext"];
        for key in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert!(context[key].is_null(), "{}: {key}", workload.name());
        }
        assert_eq!(context["runAsNonRoot"], true, "{}", workload.name());
    }
}

#[test]
fn containers_ask_for_resources_and_have_no_limit_of_processor_time() {
    for (overlay, manifests) in overlays() {
        for workload in manifests.workloads() {
            let resources = &workload.container()["resources"];
            let is_set = |part: &str, key: &str| !text(&resources[part][key]).is_empty();
            let place = format!("{overlay}: {}", workload.name());
            assert!(is_set("requests", "cpu") && is_set("requests", "memory") && is_set("limits", "memory"), "{place}");
            assert!(resources["limits"]["cpu"].is_null(), "{place}: a limit would throttle requests");
        }
    }
}

#[test]
fn probes_use_ports_that_are_there() {
    for (overlay, manifests) in overlays() {
        for workload in manifests.servers() {
            let (container, place) = (workload.container(), format!("{overlay}: {}", workload.name()));
            for (probe, path) in
                [("startupProbe", "/readyz"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]
            {
                let probe = &container[probe];
                if probe["exec"].is_null() {
                    let asked = ["path", "port", "scheme"].map(|key| text(&probe["httpGet"][key]));
                    assert_eq!(asked, [path, "debug", "HTTPS"], "{place}");
                } else {
                    assert_eq!(probe["exec"]["command"], json!([container["command"][0], "health"]), "{place}");
                }
            }
            let variables = workload.variables(&manifests);
            // in one process the port of probes is that of the edge
            let of_probes = if workload.name() == "doorward" { "PROXY_DEBUG_ADDR" } else { "_DEBUG_ADDR" };
            let debug = variables.iter().find(|(name, _)| name.ends_with(of_probes)).expect("it is set").1;
            assert_eq!(debug, &format!("0.0.0.0:{}", workload.port("debug").expect("a port")), "{place}");
            assert_eq!(variables["OCIS_DEBUG_TLS_ENABLED"], "true", "{place}");
        }
    }
}

#[test]
fn replicas_are_kept_available_and_apart() {
    for (overlay, manifests) in overlays() {
        let budgets = manifests.names_of("PodDisruptionBudget");
        let autoscaled = manifests.names_of("HorizontalPodAutoscaler");
        let deployments: BTreeSet<_> = manifests.names_of("Deployment");
        assert_eq!((&budgets, &autoscaled), (&deployments, &deployments), "{overlay}");
        for workload in manifests.servers().filter(|workload| workload.0["kind"] == "Deployment") {
            let (name, spec) = (workload.name(), &workload.0["spec"]);
            let budget = &manifests.find("PodDisruptionBudget", name).expect("there is one")["spec"];
            assert_eq!(budget["minAvailable"], 1, "{name}");
            assert_eq!(budget["selector"], spec["selector"], "{name}");
            let own = manifests.find("HorizontalPodAutoscaler", name).expect("there is one");
            assert_eq!(own["apiVersion"], "autoscaling/v2", "{name}");
            assert!(own["spec"]["minReplicas"].as_u64() >= Some(2), "{name}");
            assert_eq!(text(&own["spec"]["scaleTargetRef"]["name"]), name, "{name}");
            assert_eq!(own["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"], 300, "{name}");
            assert!(spec["replicas"].is_null(), "{name}: the autoscaler's number would be overwritten");
            let rolling = json!({"maxSurge": 1, "maxUnavailable": 0});
            assert_eq!(spec["strategy"]["rollingUpdate"], rolling, "{name}");
            let keys: Vec<_> = list(&workload.pod()["topologySpreadConstraints"])
                .iter()
                .map(|one| text(&one["topologyKey"]))
                .collect();
            assert_eq!(keys, ["kubernetes.io/hostname", "topology.kubernetes.io/zone"], "{name}");
        }
    }
}

/// Two processes would write the same files.
#[test]
fn process_with_sqlite_is_the_only_one() {
    let overlays = overlays();
    let Some(manifests) = overlays.get("single-sqlite") else { return };
    let sets: Vec<_> = manifests.of_kind("StatefulSet").collect();
    assert_eq!((sets.len(), manifests.servers().count()), (1, 1));
    assert_eq!(sets[0]["spec"]["replicas"], 1);
    assert_eq!(sets[0]["spec"]["volumeClaimTemplates"][0]["spec"]["accessModes"], json!(["ReadWriteOnce"]));
    let kinds = |kind: &str| manifests.of_kind(kind).count();
    assert_eq!((kinds("HorizontalPodAutoscaler"), kinds("PodDisruptionBudget"), kinds("Secret")), (0, 0, 0));
}

#[test]
fn pods_end_before_they_are_killed() {
    for (overlay, manifests) in overlays() {
        for workload in manifests.servers() {
            let variables = workload.variables(&manifests);
            let delay: u64 =
                variables["OCIS_DRAIN_DELAY"].strip_suffix('s').expect("seconds").parse().expect("a number");
            let grace = workload.pod()["terminationGracePeriodSeconds"].as_u64().expect("it is set");
            // a load balancer has to see a failed probe first
            assert!(delay >= 5, "{overlay}: {}", workload.name());
            assert!(
                Duration::from_secs(delay) + DRAIN * 2 <= Duration::from_secs(grace),
                "{overlay}: {}",
                workload.name()
            );
        }
    }
}

/// `docs/security-requirements.md#d4`
#[test]
fn secrets_are_files_that_only_their_users_have() {
    let with_previous = changed("ha-postgres", &[], &["previous-secrets"]);
    for (overlay, manifests) in overlays().into_iter().chain(with_previous.map(|one| ("with previous secrets", one))) {
        assert_eq!(manifests.of_kind("Secret").count(), 0, "{overlay}: it would be in the repository");
        for workload in manifests.workloads().filter(|workload| workload.name() != "doorward-migrate") {
            let place = format!("{overlay}: {}", workload.name());
            let variables = workload.variables(&manifests);
            let secrets: BTreeSet<_> = documented(workload).into_iter().flat_map(|service| service.secrets).collect();
            for name in variables.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name) {
                assert!(!secrets.contains(name), "{place}: {name} is a value");
            }
            let used = variables.values().filter(|value| value.starts_with("/run/secrets/"));
            let used: BTreeSet<_> = used.cloned().collect();
            assert_eq!(used, mounted(workload), "{place}");
            for mount in list(&workload.container()["volumeMounts"]) {
                assert!(mount["subPath"].is_null(), "{place}: it would not change when the secret does");
                assert!(
                    mount["readOnly"] == true || mount["name"] == "data" || mount["name"] == "temporary",
                    "{place}: {mount}"
                );
            }
        }
    }
}

/// `docs/security-requirements.md#x9`
#[test]
fn secret_of_transaction_tokens_is_mounted_by_gateway_and_idp_alone() {
    let Some(manifests) = changed("ha-postgres", &[], &["transaction-tokens"]) else { return };
    let has_it = |workload: &Workload<'_>| mounted(*workload).iter().any(|file| file.ends_with("/transaction_secret"));
    let with_it: BTreeSet<_> = manifests.workloads().filter(has_it).map(Workload::name).collect();
    assert_eq!(with_it, BTreeSet::from(["gateway", "idp"]));
}

/// The two secrets that services read again while they run.
#[test]
fn secrets_can_be_changed_while_the_previous_ones_are_accepted() {
    let Some(manifests) = changed("ha-postgres", &[], &["previous-secrets"]) else { return };
    let mut count = 0;
    for workload in manifests.servers() {
        let variables = workload.variables(&manifests);
        for name in ["OCIS_JWT_SECRET", "OCIS_MACHINE_AUTH_API_KEY"] {
            let key = |name: String| variables.get(&name).and_then(|file| file.rsplit('/').next());
            let previous = key(format!("{name}_FILE")).map(|key| format!("{key}_previous"));
            assert_eq!(key(format!("{name}_PREVIOUS_FILE")), previous.as_deref(), "{}: {name}", workload.name());
            count += usize::from(previous.is_some());
        }
    }
    assert_eq!(count, 10, "each service has one of them");
}

/// The files of the secret `doorward-secrets` that a workload mounts.
fn mounted(workload: Workload<'_>) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for volume in
        list(&workload.pod()["volumes"]).iter().filter(|volume| volume["secret"]["secretName"] == "doorward-secrets")
    {
        assert_eq!(volume["secret"]["defaultMode"], 0o440, "only the pod's group reads it");
        let mounts = list(&workload.container()["volumeMounts"]).iter();
        for mount in mounts.filter(|mount| mount["name"] == volume["name"]) {
            let paths = list(&volume["secret"]["items"]).iter().map(|item| text(&item["path"]));
            files.extend(paths.map(|path| format!("{}/{path}", text(&mount["mountPath"]))));
        }
    }
    files
}

/// `docs/security-requirements.md#d1`
#[test]
fn callers_of_pods_show_certificates() {
    for name in ["ha-postgres", "mtls"] {
        let Some(manifests) = overlay(name) else { return };
        for workload in manifests.servers() {
            let (service, variables) = (workload.name(), workload.variables(&manifests));
            let demands = |key: &str| variables.get(key).is_some_and(|file| file == "/etc/doorward/tls/ca.crt");
            // programs and browsers call the gateway and the edge; account has no gRPC
            let by_grpc = !["gateway", "proxy", "account"].contains(&service);
            let by_http = ["auth-app", "auth-bearer", "idp", "account"].contains(&service);
            assert_eq!(demands("OCIS_GRPC_TLS_CLIENT_CA"), by_grpc, "{name}: {service}");
            assert_eq!(demands("OCIS_HTTP_TLS_CLIENT_CA"), by_http, "{name}: {service}");
            let shows = variables.contains_key("OCIS_HTTP_CLIENT_TLS_CERTIFICATE");
            assert_eq!(shows, ["proxy", "auth-bearer"].contains(&service), "{name}: {service}");
        }
    }
}

#[test]
fn certificates_are_renewed_with_new_keys() {
    let overlays = overlays();
    let Some(manifests) = overlays.get("mtls") else { return };
    let leaves: Vec<_> = manifests.of_kind("Certificate").filter(|one| one["spec"]["isCA"] != true).collect();
    let names: BTreeSet<_> = leaves.iter().map(|one| text(&one["metadata"]["name"])).collect();
    assert_eq!(names, manifests.names_of("Deployment"));
    for certificate in leaves {
        let (name, spec) = (text(&certificate["metadata"]["name"]), &certificate["spec"]);
        assert_eq!((text(&spec["duration"]), text(&spec["renewBefore"])), ("2160h", "720h"), "{name}");
        let key = json!({"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"});
        assert_eq!(spec["privateKey"], key, "{name}");
        let dns: BTreeSet<_> = list(&spec["dnsNames"]).iter().map(text).collect();
        assert!(dns.contains(name) && dns.contains(format!("{name}-headless").as_str()), "{name}: {dns:?}");
        assert_eq!(spec["uris"], json!([format!("spiffe://doorward/{name}")]), "{name}");
        assert_eq!(tls_secret(manifests, name), text(&spec["secretName"]), "{name}");
    }
}

/// The secret with the certificate of a Deployment.
fn tls_secret<'a>(manifests: &'a Manifests, name: &str) -> &'a str {
    let deployment = Workload(manifests.find("Deployment", name).expect("there is one"));
    let volume = list(&deployment.pod()["volumes"]).iter().find(|volume| volume["name"] == "tls");
    volume.map_or("", |volume: &Value| text(&volume["secret"]["secretName"]))
}

/// The services that listen for changes on a connection in addition to their pool.
const LISTENING: [&str; 4] = ["users", "auth-app", "auth-bearer", "idp"];

/// PostgreSQL has a limit that autoscalers do not know.
#[test]
fn page_names_the_connections_of_all_pods() {
    let overlays = overlays();
    let Some(manifests) = overlays.get("ha-postgres") else { return };
    let (mut least, mut most) = (0, 0);
    for workload in manifests.servers() {
        let name = workload.name();
        if !workload.variables(manifests).contains_key("OCIS_DATABASE_URL_FILE") {
            continue;
        }
        let readme = read(&format!("services/{name}/README.md"));
        let row = readme.lines().find(|line| line.starts_with("| OCIS_DATABASE_MAX_CONNECTIONS<br>"));
        let pool = row.expect("it has a pool").split(" | ").nth(2).expect("a default").parse::<u64>();
        let each = pool.expect("a number") + u64::from(LISTENING.contains(&name));
        let scale = &manifests.find("HorizontalPodAutoscaler", name).expect("there is one")["spec"];
        least += each * scale["minReplicas"].as_u64().expect("a number");
        most += each * scale["maxReplicas"].as_u64().expect("a number");
    }
    let page = read("docs/kubernetes.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let sums = [format!("open up to {least} together"), format!("up to {most} are needed")];
    assert!(sums.iter().all(|sum| page.contains(sum)), "{sums:?}");
}
