//! Every service accepts the settings that the overlays give it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tempfile::TempDir;
use testkit::{Certificates, run, secret, write_secret};

use crate::kubernetes::{EXTRAS, Manifests, Workload, changed, overlays, text};

/// Files of a test in place of those that Kubernetes mounts.
pub(crate) struct Files {
    folder: TempDir,
    certificates: Certificates,
}

impl Files {
    pub(crate) fn make() -> Self {
        let folder = TempDir::new().expect("a folder");
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

/// Lets the binary of every server check its settings, the files among them.
pub(crate) fn check(place: &str, manifests: &Manifests, files: &Files) {
    for workload in manifests.servers() {
        let command = text(&workload.container()["command"][0]);
        let binary = command.strip_prefix("/usr/bin/").expect("the image has the programs there");
        let finished = run(binary, &["config", "check"], &files.variables(workload, manifests), "");
        let place = format!("{place}: {}", workload.name());
        assert_eq!(finished.code, 0, "{place}: {}", finished.stderr);
        assert!(!finished.stdout.contains("warning: "), "{place}: {}", finished.stdout);
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
