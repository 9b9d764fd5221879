//! The files of docker compose: that every service is there, hardened, and gets every variable that it documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testkit::run;

use crate::deploy::documented::{Documented, equal};
use crate::deploy::kubernetes::{list, text};
use crate::deploy::programs::Program;
use crate::deploy::settings::{Files, said};
use crate::deploy::{read, services, single_services};

const DEFAULT: &str = "docker-compose.yml";
const HIGHLY_AVAILABLE: &str = "deploy/compose/ha.yml";
/// The container for commands of operators, which is no service.
const COMMAND: &str = "command";

/// The variables that choose the services of the one process. They are no settings of a service.
const SELECTION: [&str; 4] =
    ["OCIS_RUN_SERVICES", "OCIS_RUN_EXTENSIONS", "OCIS_ADD_RUN_SERVICES", "OCIS_EXCLUDE_RUN_SERVICES"];

/// A file of docker compose, with anchors and `<<` put in place.
fn file(name: &str) -> Value {
    let mut yaml: serde_yaml_ng::Value = serde_yaml_ng::from_str(&read(name)).expect("YAML");
    yaml.apply_merge().expect("each << is a mapping");
    // a mapping that was merged may have one itself
    yaml.apply_merge().expect("each << is a mapping");
    serde_json::to_value(yaml).expect("keys are text")
}

/// The containers of a file, those that extend another with what they extend.
fn containers(name: &str) -> BTreeMap<String, Value> {
    let services = file(name)["services"].as_object().expect("there are services").clone();
    services.into_iter().map(|(container, value)| (container, extended(name, value))).collect()
}

fn extended(name: &str, mut value: Value) -> Value {
    let Some(extends) = value.as_object_mut().expect("a mapping").remove("extends") else { return value };
    let folder = Path::new(name).parent().expect("it is in a folder");
    let other = folder.join(text(&extends["file"])).display().to_string();
    let mut base = file(&other)["services"][text(&extends["service"])].clone();
    for (key, own) in value.as_object().expect("a mapping") {
        let merged = match (&base[key], own) {
            (Value::Object(theirs), Value::Object(own)) => {
                Value::Object(theirs.clone().into_iter().chain(own.clone()).collect())
            }
            (Value::Array(theirs), Value::Array(own)) => theirs.iter().chain(own).cloned().collect(),
            _ => own.clone(),
        };
        base[key] = merged;
    }
    if let Some(names) = base["env_file"].as_str() {
        let folder = Path::new(&other).parent().expect("it is in a folder");
        base["env_file"] = folder.join(names).display().to_string().into();
    }
    base
}

/// The variables that a container has a value for.
fn environment(container: &Value) -> BTreeMap<String, String> {
    let entries = container["environment"].as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.clone(), text(value).to_owned())).collect()
}

/// The names of the variables that a container gets from the environment of docker compose.
fn passed_on(container: &Value) -> BTreeSet<String> {
    read(text(&container["env_file"])).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// A value as it is where no variable is set: `${NAME:-default}` and `${NAME-default}`.
fn by_default(value: &str) -> String {
    let mut parts = value.split("${");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, rest) = part.split_once('}').expect("it is closed");
        result.push_str(inside.split_once('-').map_or("", |(_, default)| default));
        result.push_str(rest);
    }
    result
}

/// All names of the settings of a service, the equal ones among them; of all services for the process that has all of them.
fn every_name(service: &str) -> BTreeSet<String> {
    let services = if service == "doorward" { single_services() } else { BTreeSet::from([service.to_owned()]) };
    let mut names: BTreeSet<_> = services.iter().flat_map(|service| Documented::of(service).names).collect();
    if service == "doorward" {
        names.extend(SELECTION.map(str::to_owned));
    }
    let equal: Vec<_> = names.iter().filter_map(|name| equal(name)).collect();
    names.extend(equal);
    names
}

#[test]
fn every_service_has_a_container() {
    let default: BTreeSet<_> = containers(DEFAULT).into_keys().filter(|name| name != COMMAND).collect();
    assert_eq!(default, services());
    let available = containers(HIGHLY_AVAILABLE);
    let others = ["migrate", "caddy", "postgres", COMMAND];
    let found: BTreeSet<_> = available.keys().filter(|name| !others.contains(&name.as_str())).cloned().collect();
    assert_eq!(found, single_services());
    assert!(found.iter().all(|name| available[name]["scale"] == 2));
    for (name, container) in containers(DEFAULT) {
        let profiles = match &*name {
            "doorward" => json!(["single"]),
            COMMAND => json!([COMMAND]),
            _ => json!(["family", name]),
        };
        assert_eq!(container["profiles"], profiles, "{name}");
    }
}

#[test]
fn documented_variables_reach_every_service_that_reads_them() {
    for name in [DEFAULT, HIGHLY_AVAILABLE] {
        for (service, container) in containers(name).into_iter().filter(|(service, _)| services().contains(service)) {
            assert_eq!(passed_on(&container), every_name(&service), "{name}: {service}; run: cargo xtask env-docs");
        }
    }
}

/// What a container needs to be one of several is not for its operator to change; a variable replaces every other value.
#[test]
fn values_of_containers_are_defaults() {
    let of_containers = |name: &str| {
        let parts = [
            "_ADDR",
            "_FILE",
            "_TRUSTED_PROXIES",
            "_TRUSTED_NETWORKS",
            "OCIS_GRPC_",
            "OCIS_HTTP_TLS_",
            "OCIS_HTTP_CLIENT_TLS_",
            "OCIS_DEBUG_TLS_",
        ];
        parts.iter().any(|part| name.ends_with(part) || name.starts_with(part))
    };
    // from OCIS_URL, which a variable sets; or of the file system of the container
    let derived = ["AUTH_BEARER_OIDC_OWN_ISSUERS", "OCIS_INSECURE_PLAINTEXT", "OCIS_BASE_DATA_PATH"];
    for (service, container) in containers(DEFAULT) {
        for (name, value) in environment(&container) {
            let is_fixed = of_containers(&name) || derived.contains(&name.as_str());
            assert!(is_fixed || value.starts_with(&format!("${{{name}")), "{service}: {name}={value}");
        }
    }
}

/// Otherwise compose tries to pull the image where it is not there.
#[test]
fn every_container_of_ours_can_be_built() {
    for name in [DEFAULT, HIGHLY_AVAILABLE] {
        let ours = |container: &Value| text(&container["image"]).contains("DOORWARD_IMAGE");
        let containers: Vec<_> = containers(name).into_iter().filter(|(_, container)| ours(container)).collect();
        assert!(containers.len() > single_services().len(), "{name}");
        for (service, container) in containers {
            assert_eq!(container["build"]["dockerfile"], "deploy/Dockerfile", "{name}: {service}");
        }
    }
}

/// `docs/security-requirements.md#d3`
#[test]
fn containers_have_no_rights_that_they_do_not_need() {
    for name in [DEFAULT, HIGHLY_AVAILABLE] {
        let is_ours = |service: &str| service == COMMAND || services().contains(service);
        for (service, container) in containers(name).into_iter().filter(|(service, _)| is_ours(service)) {
            assert_eq!(container["user"], "65532:0", "{service}");
            assert_eq!(container["read_only"], true, "{service}");
            assert_eq!(container["cap_drop"], json!(["ALL"]), "{service}");
            assert_eq!(container["security_opt"], json!(["no-new-privileges:true"]), "{service}");
        }
    }
}

/// `docs/security-requirements.md#d4`
#[test]
fn every_secret_of_a_container_is_made_and_mounted() {
    let maker = read("deploy/compose/make-secrets");
    for file_name in [DEFAULT, HIGHLY_AVAILABLE] {
        let known = file(file_name)["secrets"].as_object().expect("secrets").clone();
        for name in known.keys() {
            assert!(maker.contains(name), "make-secrets does not make {name}");
        }
        for (container, settings) in containers(file_name) {
            let mounted: BTreeSet<_> = list(&settings["secrets"]).iter().map(text).collect();
            let environment = environment(&settings);
            let used: BTreeSet<_> =
                environment.values().filter_map(|value| value.strip_prefix("/run/secrets/")).collect();
            assert_eq!(mounted, used, "{container}");
            assert!(used.iter().all(|name| known.contains_key(*name)), "{container}: {used:?}");
        }
    }
}

/// `docs/security-requirements.md#d40`
#[test]
fn unverified_database_is_permitted_by_the_operator_alone() {
    for file_name in [DEFAULT, HIGHLY_AVAILABLE] {
        let ours = |container: &Value| text(&container["image"]).contains("DOORWARD_IMAGE");
        for (name, container) in containers(file_name).into_iter().filter(|(_, container)| ours(container)) {
            let permission = environment(&container).remove("OCIS_INSECURE_DATABASE").expect("it is passed on");
            assert!(permission.starts_with("${OCIS_INSECURE_DATABASE"), "{file_name}: {name}: {permission}");
            assert_eq!(by_default(&permission), "", "{file_name}: {name}");
        }
    }
}

/// `docs/security-requirements.md#d1`
#[test]
fn family_in_containers_uses_tls_with_client_certificates() {
    let maker = read("deploy/compose/make-secrets");
    for name in single_services() {
        assert!(
            maker.lines().any(|line| line.starts_with("for service in") && line.contains(&format!(" {name}"))),
            "{name}"
        );
        let container = &containers(DEFAULT)[&name];
        let environment = environment(container);
        assert!(!environment.contains_key("OCIS_INSECURE_PLAINTEXT"), "{name}");
        assert_eq!(environment["OCIS_GRPC_TLS_ENABLED"], "true", "{name}");
        assert_eq!(environment["OCIS_DEBUG_TLS_ENABLED"], "true", "{name}");
        assert_eq!(environment["OCIS_GRPC_CLIENT_TLS_MODE"], "on", "{name}");
        assert_eq!(environment["OCIS_GRPC_CLIENT_TLS_CERTIFICATE"], "/etc/doorward/tls/tls.crt", "{name}");
        // clients of these two are not services of the family
        let is_open = ["gateway", "proxy", "account"].contains(&name.as_str());
        assert_eq!(environment.contains_key("OCIS_GRPC_TLS_CLIENT_CA"), !is_open, "{name}");
        if ["idp", "auth-app", "auth-bearer", "account"].contains(&name.as_str()) {
            assert_eq!(by_default(&environment["OCIS_HTTP_TLS_CLIENT_CA"]), "/etc/doorward/tls/ca.crt", "{name}");
        }
        assert_eq!(environment["OCIS_HTTP_CLIENT_TLS_CERTIFICATE"], "/etc/doorward/tls/tls.crt", "{name}");
        let volume = format!("./secrets/tls/{name}:/etc/doorward/tls:ro");
        assert!(
            list(&container["volumes"]).contains(&Value::String(volume)),
            "{name}: it has its own certificate alone"
        );
    }
}

#[test]
fn commands_of_operators_call_the_services_where_they_listen() {
    for file_name in [DEFAULT, HIGHLY_AVAILABLE] {
        let containers = containers(file_name);
        let command = &containers[COMMAND];
        assert_eq!((&command["profiles"], &command["entrypoint"]), (&json!([COMMAND]), &json!(["/usr/bin/doorward"])));
        assert_eq!(list(&command["volumes"])[0], "./secrets/tls/command:/etc/doorward/tls:ro");
        let called = environment(command);
        // account has no gRPC, and no command calls the edge
        for name in single_services().into_iter().filter(|name| !["account", "proxy"].contains(&name.as_str())) {
            let variable = format!("{}_GRPC_ADDR", name.to_uppercase().replace('-', "_"));
            let listens = &environment(&containers[&name])[&variable];
            assert_eq!(called[&variable], listens.replace("0.0.0.0", &name), "{file_name}: {name}");
        }
    }
}

/// Each is on the volume of its service, so that `doorward backup` has all of them.
#[test]
fn commands_of_operators_have_the_databases_of_the_family() {
    let containers = containers(DEFAULT);
    let mounted = list(&containers[COMMAND]["volumes"]);
    assert!(mounted.contains(&json!("./deploy/compose/command.yaml:/etc/doorward/doorward.yaml:ro")), "{mounted:?}");
    assert_eq!(by_default(&environment(&containers[COMMAND])["OCIS_CONFIG_DIR"]), "/etc/doorward");
    let has_volume =
        |name: &String| list(&containers[name]["volumes"]).contains(&json!(format!("{name}:/var/lib/doorward")));
    let stateful: Vec<_> = single_services().into_iter().filter(has_volume).collect();
    assert_eq!(stateful, ["auth-app", "auth-basic", "auth-bearer", "auth-service", "idp", "proxy", "users"]);

    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config");
    fs::create_dir(&config).expect("is made");
    fs::write(config.join("doorward.yaml"), read("deploy/compose/command.yaml")).expect("is written");
    let data = folder.path().join("data").display().to_string();
    let variables = [("OCIS_CONFIG_DIR", config.display().to_string()), ("OCIS_BASE_DATA_PATH", data)];
    let variables: BTreeMap<_, _> = variables.map(|(name, value)| (name.to_owned(), value)).into();
    let status = run("doorward", &["migrate", "--check", "--all"], &variables, "");
    for name in stateful {
        assert!(mounted.contains(&json!(format!("{name}:/var/lib/doorward/{name}"))), "{name}");
        let line = status.stdout.lines().find(|line| line.starts_with(&format!("{name} "))).expect("a line");
        assert!(line.contains(&format!("sqlite:///var/lib/doorward/{name}/{name}.db")), "{line}{}", status.stderr);
    }
}

/// A volume that the container of commands uses first would belong to root: the image has no folder at that place.
#[test]
fn volumes_of_the_family_are_made_before_a_command_restores() {
    let page = read("docs/backup.md");
    let place = |command: &str| page.find(&format!("family.env {command}")).expect("the page has it");
    assert!(place("up --no-start") < place("run --rm -T command restore"));
}

#[test]
fn services_accept_the_settings_of_their_containers() {
    let files = Files::make();
    for name in [DEFAULT, HIGHLY_AVAILABLE] {
        for (service, container) in containers(name).into_iter().filter(|(service, _)| services().contains(service)) {
            let given = environment(&container).into_iter().map(|(name, value)| (name, by_default(&value)));
            let place = format!("{name}: {service}");
            let said = said(&place, &service, files.local(given.collect()));
            // programs of this machine call its ports, each as one source
            let is_known = |line: &str| service == "doorward" && line.contains("count as one source");
            let mut warnings = said.lines().filter(|line| line.starts_with("warning: "));
            assert!(warnings.all(is_known), "{place}: {said}");
        }
    }
}

#[test]
fn browsers_sign_in_at_the_idp_of_the_family() {
    let text = read("deploy/compose/family.env");
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let set: BTreeMap<_, _> = lines.collect();
    assert_eq!(set["COMPOSE_PROFILES"], "family");
    assert_eq!(set["OCIS_URL"], set["OCIS_OIDC_ISSUER"]);
    assert_eq!(set["PROXY_SESSION_CLIENT_ID"], "doorward-edge");
    let proxy = Documented::of("proxy");
    let settings: Vec<_> = set.keys().filter(|name| **name != "COMPOSE_PROFILES").collect();
    assert!(settings.iter().all(|name| proxy.has(name)), "{settings:?}");
}

/// Without them browsers have no session at the edge, and `up` would start an edge that has them anew.
#[test]
fn commands_with_several_containers_name_the_variables_of_the_family() {
    let files = ["deploy/compose/ha.yml", "deploy/compose/observability.yml"].map(|file| format!("--file {file} "));
    let mut found = 0;
    for page in [
        DEFAULT,
        HIGHLY_AVAILABLE,
        "deploy/compose/family.env",
        "deploy/compose/observability.yml",
        "docs/containers.md",
        "docs/backup.md",
        "docs/upgrading.md",
    ] {
        let text = read(page);
        let commands = text.lines().filter(|line| line.contains("docker compose "));
        for command in commands.filter(|line| files.iter().any(|file| line.contains(file))) {
            assert!(command.contains(" --env-file deploy/compose/family.env "), "{page}: {command}");
            found += 1;
        }
    }
    assert!(found > 8, "commands are found: {found}");
    let proxy = &containers(HIGHLY_AVAILABLE)["proxy"];
    for name in ["OCIS_OIDC_ISSUER", "PROXY_SESSION_CLIENT_ID"] {
        assert!(passed_on(proxy).contains(name) && !environment(proxy).contains_key(name), "nothing else sets {name}");
    }
}

#[test]
fn caddy_accepts_its_file() {
    if !Program::Caddy.is_there() {
        return;
    }
    let files = Files::make();
    let authority = files.local([("CA".to_owned(), "/etc/doorward/tls/ca.crt".to_owned())].into());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("Caddyfile");
    let text = read("deploy/compose/Caddyfile");
    // a reverse proxy by TLS sends the name of its backend otherwise, for which the edge has no sign-in
    assert!(text.contains("header_up Host {hostport}"), "{text}");
    let text = text.replace("/etc/caddy/ca.crt", &authority["CA"]);
    fs::write(&path, text).expect("it can be written");
    Program::Caddy.run(&["validate", "--adapter", "caddyfile", "--config", &path.display().to_string()]);
}

#[test]
fn prometheus_reads_every_service_where_it_answers() {
    let observability = file("deploy/compose/observability.yml");
    let prometheus = file("deploy/compose/observability/prometheus.yml");
    let jobs = list(&prometheus["scrape_configs"]);
    for name in single_services() {
        let variable = format!("{}_DEBUG_ADDR", name.to_uppercase().replace('-', "_"));
        let job = jobs.iter().find(|job| text(&job["job_name"]) == name).expect("there is a job");
        assert_eq!(job["scheme"], "https", "{name}: its debug server has TLS");
        let found = &job["dns_sd_configs"][0];
        assert_eq!(found["names"], json!([name]));
        let address = format!("0.0.0.0:{}", found["port"]);
        let services = &observability["services"];
        assert_eq!(text(&services[&name]["environment"][&variable]), address, "{name}");
        assert_eq!(text(&services["doorward"]["environment"][&variable]), address, "{name}");
        // the port is the one that the service documents
        let row = read(&format!("services/{name}/README.md"));
        let port = found["port"].to_string();
        let is_row = |line: &str| line.starts_with(&format!("| {variable} |")) && line.contains(&format!(":{port} |"));
        assert!(row.lines().any(is_row), "{name}");
        assert_eq!(services[&name]["environment"]["OCIS_TRACING_ENABLED"], "true", "{name}");
    }
}

/// `docs/security-requirements.md#d15`
#[test]
fn grafana_has_no_account_with_a_known_password() {
    let grafana = file("deploy/compose/observability.yml")["services"]["grafana"].clone();
    let environment = environment(&grafana);
    let known = [
        ("GF_AUTH_ANONYMOUS_ORG_ROLE", "Viewer"),
        ("GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION", "true"),
        ("GF_AUTH_DISABLE_LOGIN_FORM", "true"),
        ("GF_AUTH_BASIC_ENABLED", "false"),
    ];
    for (name, value) in known {
        assert_eq!(environment[name], value);
    }
    let ports = list(&grafana["ports"]);
    assert!(!ports.is_empty() && ports.iter().all(|port| text(port).starts_with("127.0.0.1:")), "{ports:?}");
}
