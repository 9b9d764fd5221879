//! Rules of the architecture that the workspace is held against: which crate may import which, by what cargo knows of it; no cycle
//! among the top-level modules of a crate, nor among those of idp's engine; no trait with a single implementation; and no link to a
//! security requirement, nor from one to a test, that does not exist. The dashboard and the alerts use metrics that exist.

mod files;
mod graph;
mod links;
mod modules;
mod observability;
mod rules;
mod sources;
mod traits;

use graph::{Crate, Kind};
use rules::violations;

/// Traits with a single implementation, and why each is needed (rule 8).
const SINGLE: [(&str, &str); 1] =
    [("Configuration", "an alias for bounds, implemented for every type that meets them")];

#[test]
fn the_workspace_follows_the_rules() {
    let crates = graph::of_workspace();
    assert!(crates.len() > 10, "the workspace is read: {crates:?}");
    assert_eq!(violations(&crates), Vec::<String>::new());
}

/// idp's engine decides about requests that are parsed already.
#[test]
fn engine_of_idp_imports_nothing_of_http() {
    let of_http = ["axum", "http", "hyper", "tonic", "tower", "web"];
    assert_eq!(sources::imports("services/idp/src/engine", &of_http), Vec::<String>::new());
    assert!(!sources::imports("services/idp/src/http", &of_http).is_empty(), "imports are found");
}

#[test]
fn modules_of_a_crate_form_no_cycle() {
    let of_crate = |one: &Crate| {
        let folder = format!("{}/src", one.folder);
        modules::cycles(&folder, "crate::", &files::below(&folder, "rs"))
    };
    let of_engine =
        modules::cycles("services/idp/src/engine", "crate::engine::", &files::below("services/idp/src", "rs"));
    let found: Vec<_> = graph::of_workspace().iter().flat_map(of_crate).chain(of_engine).collect();
    assert_eq!(found, Vec::<String>::new());
}

/// Rule 8: a trait has two implementations or guards a trust boundary.
#[test]
fn traits_have_two_implementations() {
    let mut files = files::below("services", "rs");
    files.extend(files::below("shared", "rs"));
    assert_eq!(traits::violations(&files, &SINGLE), Vec::<String>::new());
}

#[test]
fn links_to_security_requirements_have_a_target() {
    let mut files = files::below("", "rs");
    files.extend(files::below("", "md"));
    let page = files.iter().find(|file| file.path == "docs/security-requirements.md").expect("the page exists");
    assert_eq!(links::broken(&page.text, &files), Vec::<String>::new());
    assert_eq!(links::repeated(&page.text), Vec::<&str>::new());
    let naming_tests = ["docs/security-requirements.md", "docs/go-interoperability.md"];
    for page in files.iter().filter(|file| naming_tests.contains(&file.path.as_str())) {
        assert_eq!(links::missing_tests(&page.text, &files), Vec::<String>::new(), "{}", page.path);
    }
}

#[test]
fn each_row_of_the_interoperability_page_names_a_test() {
    let pages = files::below("docs", "md");
    let page = pages.iter().find(|file| file.path == "docs/go-interoperability.md").expect("the page exists");
    assert!(page.text.contains("\n| 14 | "), "the rows are read");
    assert_eq!(links::rows_without_tests(&page.text), Vec::<&str>::new());
}

#[test]
fn dashboard_and_alerts_use_metrics_that_exist() {
    let page = files::below("docs", "md").into_iter().find(|file| file.path == "docs/metrics.md").expect("the page");
    let listed = observability::listed(&page.text);
    assert!(listed.contains("doorward_requests_total") && listed.len() > 20, "the list is read: {listed:?}");
    let folder = "deploy/observability";
    let files = ["json", "yaml"].map(|extension| files::below(folder, extension)).into_iter().flatten();
    let mut read = 0;
    for file in files {
        assert_eq!(observability::unknown(&file, &listed), Vec::<&str>::new(), "{}", file.path);
        read += observability::used(&file.text).count();
    }
    assert!(read > 30, "names of metrics are found: {read}");
    let made_up = files::File { path: String::new(), text: "rate(doorward_made_up_total[5m])".to_owned() };
    assert_eq!(observability::unknown(&made_up, &listed), ["doorward_made_up_total"]);
}

#[test]
fn each_alert_has_a_paragraph_in_the_runbook() {
    let rules = files::below("deploy/observability", "yaml").into_iter();
    let rules = rules.filter(|file| file.text.contains("- alert: ")).map(|file| file.text).collect::<String>();
    let docs = files::below("docs", "md");
    let runbook = docs.iter().find(|file| file.path == "docs/runbook.md").expect("the page");
    assert!(rules.matches("- alert: ").count() >= 7, "the alerts are read");
    assert_eq!(observability::missing_paragraphs(&rules, &runbook.text), Vec::<String>::new());
    let made_up = "- alert: MadeUp\n  runbook_url: docs/runbook.md#made-up\n- alert: Without\n";
    let missing = observability::missing_paragraphs(made_up, &runbook.text);
    assert_eq!(missing, ["MadeUp: made-up", "Without: no runbook_url"]);
}

#[test]
fn each_field_of_audit_events_is_documented() {
    let sources = files::below("shared/authn/src", "rs");
    let source = sources.iter().find(|file| file.path.ends_with("authn/src/audit.rs")).expect("the source");
    let fields = observability::fields_of_audit_events(&source.text);
    assert!(fields.contains(&"outcome") && fields.len() > 15, "the fields are read: {fields:?}");
    let docs = files::below("docs", "md");
    let page = docs.iter().find(|file| file.path == "docs/audit-log.md").expect("the page");
    let schemas = files::below("docs", "json");
    let schema = schemas.iter().find(|file| file.path == "docs/audit-log.schema.json").expect("the schema");
    let is_described = |field: &str| {
        page.text.contains(&format!("| `{field}` | ")) && schema.text.contains(&format!("\"{field}\": {{"))
    };
    let missing: Vec<_> = fields.into_iter().filter(|field| !is_described(field)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// The crates of the tests below; each test adds what is wrong.
fn sound() -> Vec<Crate> {
    vec![
        Crate::new("proto", "proto", &[]),
        Crate::new("status", "shared/status", &[("proto", Kind::Normal)]),
        Crate::new("authn", "shared/authn", &[("proto", Kind::Normal), ("status", Kind::Normal)]),
        Crate::new("runtime", "shared/runtime", &[("authn", Kind::Normal), ("status", Kind::Normal)]),
        Crate::new("users", "services/users", &[("runtime", Kind::Normal), ("testkit", Kind::Dev)]),
        Crate::new("gateway", "services/gateway", &[("authn", Kind::Normal), ("testkit", Kind::Dev)]),
        Crate::new("doorward", "services/doorward", &[("gateway", Kind::Normal), ("users", Kind::Normal)]),
        Crate::new("testkit", "tests/testkit", &[("doorward", Kind::Normal), ("users", Kind::Normal)]),
        Crate::new("conformance", "tests/conformance", &[]),
        Crate::new("family", "tests/family", &[("testkit", Kind::Dev)]),
        Crate::new("xtask", "xtask", &[]),
    ]
}

/// What the rules say when one import is added to the sound crates.
fn with(from: &str, to: &str, kind: Kind) -> Vec<String> {
    let mut crates = sound();
    let found = crates.iter_mut().find(|one| one.name == from).expect("the crate is one of the sound crates");
    found.imports.push((to.to_owned(), kind));
    violations(&crates)
}

#[test]
fn sound_crates_have_no_violations() {
    assert_eq!(violations(&sound()), Vec::<String>::new());
}

#[test]
fn an_import_upwards_is_found() {
    for (from, to) in [("proto", "authn"), ("authn", "runtime"), ("runtime", "users"), ("users", "doorward")] {
        for kind in [Kind::Normal, Kind::Build] {
            let found = with(from, to, kind);
            assert!(found.contains(&format!("{from} imports {to}, which is above it")), "{found:?}");
        }
    }
}

#[test]
fn a_circle_of_siblings_is_found() {
    let found = with("proto", "status", Kind::Normal);
    assert!(found.iter().any(|line| line.starts_with("a circle: ")), "{found:?}");
    assert_eq!(found.len(), 1, "once, not once from each end: {found:?}");
}

#[test]
fn a_service_that_imports_a_service_is_found() {
    let wanted = vec!["gateway imports users: services meet through authn's traits".to_owned()];
    assert_eq!(with("gateway", "users", Kind::Normal), wanted);
}

#[test]
fn testkit_is_for_the_tests_of_services_only() {
    for (from, kind) in [("gateway", Kind::Normal), ("runtime", Kind::Dev), ("doorward", Kind::Build)] {
        let found = with(from, "testkit", kind);
        assert!(found.iter().any(|line| line.contains("testkit")), "{from}: {found:?}");
    }
    for from in ["doorward", "family"] {
        assert_eq!(with(from, "testkit", Kind::Dev), Vec::<String>::new());
    }
}

#[test]
fn what_judges_the_family_shares_nothing_with_it() {
    for (to, kind) in [("status", Kind::Normal), ("users", Kind::Normal), ("testkit", Kind::Dev)] {
        let wanted = vec![format!("conformance imports {to}: it judges the family, and shares nothing with it")];
        assert_eq!(with("conformance", to, kind), wanted);
    }
    for (from, kind) in [("gateway", Kind::Normal), ("testkit", Kind::Normal), ("runtime", Kind::Dev)] {
        let found = with(from, "conformance", kind);
        assert!(found.iter().any(|line| line.contains("conformance")), "{from}: {found:?}");
    }
    assert_eq!(with("gateway", "conformance", Kind::Dev), Vec::<String>::new());
}

#[test]
fn the_tool_stands_alone() {
    assert_eq!(with("xtask", "proto", Kind::Dev), vec!["xtask imports proto: it stands alone".to_owned()]);
    assert_eq!(with("gateway", "xtask", Kind::Dev), vec!["gateway imports xtask: it stands alone".to_owned()]);
}

#[test]
fn a_crate_without_a_layer_is_found() {
    let mut crates = sound();
    crates.push(Crate::new("utils", "shared/utils", &[]));
    assert_eq!(violations(&crates), vec!["utils in shared/utils has no layer".to_owned()]);
}
