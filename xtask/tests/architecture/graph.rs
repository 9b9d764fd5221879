//! The workspace's crates and their imports of one another, as cargo tells them.

use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What an import is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

/// A crate of the workspace.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Its folder, seen from the root.
    pub(crate) folder: String,
    /// The workspace's crates that it imports.
    pub(crate) imports: Vec<(String, Kind)>,
}

impl Crate {
    pub(crate) fn new(name: &str, folder: &str, imports: &[(&str, Kind)]) -> Self {
        let imports = imports.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        Self { name: name.to_owned(), folder: folder.to_owned(), imports }
    }
}

/// Every crate of this workspace.
pub(crate) fn of_workspace() -> Vec<Crate> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata");
    let packages = metadata.packages.iter().map(|package| Crate {
        name: package.name.to_string(),
        folder: folder_of(&package.manifest_path, &metadata.workspace_root),
        imports: package.dependencies.iter().filter(|import| import.path.is_some()).map(imported).collect(),
    });
    packages.collect()
}

fn folder_of(manifest: &cargo_metadata::camino::Utf8Path, root: &cargo_metadata::camino::Utf8Path) -> String {
    let folder = manifest.parent().expect("a manifest is in a folder");
    folder.strip_prefix(root).expect("a member is below the root").to_string()
}

fn imported(import: &cargo_metadata::Dependency) -> (String, Kind) {
    let kind = match import.kind {
        DependencyKind::Development => Kind::Dev,
        DependencyKind::Build => Kind::Build,
        _ => Kind::Normal,
    };
    (import.name.clone(), kind)
}
