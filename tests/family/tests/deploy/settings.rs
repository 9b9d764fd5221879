//! Every service accepts the settings that the overlays give it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use tempfile::TempDir;
use testkit::{Certificates, run, secret, write_secret};

use crate::deploy::kubernetes::{EXTRAS, Manifests, Workload, changed, overlays, rendered, text};
use crate::deploy::read;

/// Files of a test in place of those that Kubernetes mounts.
pub(crate) struct Files {
    folder: TempDir,
    certificates: Certificates,
}

impl Files {
    pub(crate) fn make() -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::create_dir(folder.path().join("configuration")).expect("a folder");
        let certificates = Certificates::make(folder.path(), "spiffe://doorward/test");
        Self { folder, certificates }
    }

    /// The variables of a pod, for this machine.
    pub(crate) fn variables(&self, workload: Workload<'_>, manifests: &Manifests) -> BTreeMap<String, String> {
        self.local(workload.variables(manifests))
    }

    /// Variables that name files in a container, for this machine.
    pub(crate) fn local(&self, mut variables: BTreeMap<String, String>) -> BTreeMap<String, String> {
        for value in variables.values_mut() {
            if let Some(file) = self.file(value) {
                *value = file;
            }
        }
        let folder = self.folder.path().display();
        variables.insert("OCIS_CONFIG_DIR".to_owned(), format!("{folder}/configuration"));
        variables.insert("OCIS_BASE_DATA_PATH".to_owned(), format!("{folder}/data"));
        variables
    }

    fn file(&self, value: &str) -> Option<String> {
        let shown = |path: &Path| Some(path.display().to_string());
        match value {
            "/etc/doorward/tls/tls.crt" => shown(&self.certificates.certificate),
            "/etc/doorward/tls/tls.key" => shown(&self.certificates.key),
            "/etc/doorward/tls/ca.crt" => shown(&self.certificates.ca),
            "/etc/doorward/workloads/policy.yaml" => {
                let path = self.folder.path().join("policy.yaml");
                fs::write(&path, "callers: []\n").expect("writes");
                shown(&path)
            }
            _ => {
                let name = value.strip_prefix("/run/secrets/")?.rsplit('/').next()?;
                let path = self.folder.path().join(name);
                let is_url = name == "database_url";
                write_secret(
                    &path,
                    &if is_url { "postgres://doorward@database/doorward".to_owned() } else { secret() },
                );
                shown(&path)
            }
        }
    }
}

/// The secrets that the one process makes at its first start.
const MADE: [&str; 5] = [
    "OCIS_JWT_SECRET",
    "OCIS_MACHINE_AUTH_API_KEY",
    "OCIS_SERVICE_ACCOUNT_SECRET",
    "AUTH_APP_TOKEN_KEY",
    "IDP_ENCRYPTION_SECRET",
];

/// What auth-bearer says where idp is left out: another issuer has to be named, and whose tokens are accepted.
const WITHOUT_IDP: &str = "name the audience of this installation or its clients";

/// Lets a binary check its settings, the files among them, and returns what it says.
pub(crate) fn said(place: &str, binary: &str, mut variables: BTreeMap<String, String>) -> String {
    if binary == "doorward" {
        variables.extend(MADE.map(|name| (name.to_owned(), secret())));
        variables.insert("OCIS_SERVICE_ACCOUNT_ID".to_owned(), "doorward".to_owned());
    }
    let finished = run(binary, &["config", "check"], &variables, "");
    assert_eq!(finished.code, 0, "{place}: {}", finished.stderr);
    finished.stdout
}

/// Lets the binary of every server check its settings, the files among them.
pub(crate) fn check(place: &str, manifests: &Manifests, files: &Files) {
    for workload in manifests.servers() {
        let command = text(&workload.container()["command"][0]);
        let binary = command.strip_prefix("/usr/bin/").expect("the image has the programs there");
        let place = format!("{place}: {}", workload.name());
        let said = said(&place, binary, files.variables(workload, manifests));
        let warnings = said.lines().filter(|line| line.starts_with("warning: ") && !line.contains(WITHOUT_IDP));
        assert_eq!(warnings.collect::<Vec<_>>(), Vec::<&str>::new(), "{place}");
    }
}

#[test]
fn services_accept_the_settings_of_every_overlay() {
    let files = Files::make();
    for (overlay, manifests) in overlays() {
        check(overlay, &manifests, &files);
    }
    let Some(all) = changed("ha-postgres", &[], &EXTRAS) else { return };
    check("everything", &all, &files);
}

#[test]
fn url_of_the_installation_reaches_every_service_that_reads_it() {
    for (overlay, manifests) in overlays() {
        for workload in manifests.servers() {
            let url = &workload.variables(&manifests)["OCIS_URL"];
            assert!(url.starts_with("https://"), "{overlay}: {}", workload.name());
        }
        let urls: BTreeSet<_> =
            manifests.servers().map(|workload| workload.variables(&manifests)["OCIS_URL"].clone()).collect();
        assert_eq!(urls.len(), 1, "{overlay}: it is written once");
    }
}

/// The overlay that the page shows, with paths for `rendered`.
fn overlay_of_the_page() -> String {
    let page = read("docs/kubernetes.md");
    let (_, block) = page.split_once("```yaml\n# kustomization.yaml\n").expect("the page has an overlay");
    let (text, _) = block.split_once("\n```").expect("it ends");
    assert!(text.contains("- path/to/deploy/kubernetes/overlays/ha-postgres\n"), "{text}");
    text.replace("path/to/deploy/kubernetes/", "../../")
}

#[test]
fn overlay_of_the_page_renders() {
    let Some(manifests) = rendered(&overlay_of_the_page()) else { return };
    assert_eq!(manifests.config_map("doorward-settings")["OCIS_URL"], "https://cloud.example.org");
    for workload in manifests.workloads() {
        assert_eq!(workload.container()["image"], "registry.example.org/doorward:0.2.0", "{}", workload.name());
    }
}

/// The API server refuses a Job with another template.
#[test]
fn changed_settings_start_new_pods_and_change_no_job() {
    let text = overlay_of_the_page();
    let more = format!("{text}\n      - OCIS_LOG_LEVEL=debug\n");
    let (Some(before), Some(after)) = (rendered(&text), rendered(&more)) else { return };
    let name = "doorward-migrate";
    assert!(before.find("Job", name).is_some_and(|job| after.find("Job", name) == Some(job)));
    for workload in before.servers() {
        let changed = after.find("Deployment", workload.name()).expect("it is there");
        assert_ne!(changed["spec"]["template"], workload.0["spec"]["template"], "{}", workload.name());
    }
}

/// The process has settings of its own in the `ConfigMap`, which overlays and components change as they do for services by themselves.
#[test]
fn settings_and_components_reach_the_one_process() {
    let Some(manifests) = changed("single-sqlite", &[], &["mail", "tracing"]) else { return };
    check("the one process with mail and traces", &manifests, &Files::make());
    let Some(manifests) = changed("single-sqlite", &[], &["mail", "tracing", "ldap"]) else { return };
    let process = manifests.servers().next().expect("there is one");
    let variables = process.variables(&manifests);
    let data = manifests.config_map("doorward-settings");
    for (name, value) in &data {
        assert_eq!(variables[*name], *value, "{name}");
    }
    for (name, value) in [
        ("OCIS_SMTP_HOST", "smtp.example.org"),
        ("OCIS_SMTP_PASSWORD_FILE", "/run/secrets/doorward-mail/smtp_password"),
        ("OCIS_TRACING_ENABLED", "true"),
        ("USERS_DRIVER", "ldap"),
        ("OCIS_LDAP_BIND_PASSWORD_FILE", "/run/secrets/doorward-ldap/ldap_bind_password"),
    ] {
        assert_eq!(variables[name], value);
    }
    // an empty endpoint would part the services of the process
    let empty = data.iter().filter(|(_, value)| value.is_empty()).map(|(name, _)| *name);
    assert_eq!(empty.collect::<Vec<_>>(), ["OCIS_AUDIT_LOG_FILE"]);
}
