//! The folders of configuration and data.

use std::path::{Path, PathBuf};

use crate::Environment;

/// The `OC_` name stands first as it is tried last, and the last one set wins.
const CONFIG_DIR: [&str; 2] = ["OC_CONFIG_DIR", "OCIS_CONFIG_DIR"];
const BASE_DATA_PATH: [&str; 2] = ["OC_BASE_DATA_PATH", "OCIS_BASE_DATA_PATH"];

/// The folder of `doorward.yaml` and `<service>.yaml`: `OC_CONFIG_DIR` or `OCIS_CONFIG_DIR`; for root `/etc/doorward` if
/// it exists; else `$XDG_CONFIG_HOME/doorward` or `~/.config/doorward`.
pub fn config_dir(env: &Environment) -> PathBuf {
    let system = Path::new("/etc/doorward");
    if let Some(given) = given(env, CONFIG_DIR) {
        return given;
    }
    if is_root(env) && system.is_dir() {
        return system.to_owned();
    }
    personal(env, "XDG_CONFIG_HOME", ".config").unwrap_or_else(|| system.to_owned())
}

/// The folder of everything a service keeps: `OC_BASE_DATA_PATH` or `OCIS_BASE_DATA_PATH`; else
/// `$XDG_DATA_HOME/doorward` or `~/.local/share/doorward`; `/var/lib/doorward` where there is no home.
pub fn base_data_path(env: &Environment) -> PathBuf {
    given(env, BASE_DATA_PATH)
        .or_else(|| personal(env, "XDG_DATA_HOME", ".local/share"))
        .unwrap_or_else(|| "/var/lib/doorward".into())
}

/// Whether the folder is configured.
pub(crate) fn config_dir_is_given(env: &Environment) -> bool {
    given(env, CONFIG_DIR).is_some()
}

fn given(env: &Environment, names: [&str; 2]) -> Option<PathBuf> {
    names.into_iter().find_map(|name| env.get_filled(name)).map(PathBuf::from)
}

fn personal(env: &Environment, xdg: &str, below_home: &str) -> Option<PathBuf> {
    let from_xdg = env.get_filled(xdg).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = from_xdg.or_else(|| Some(Path::new(env.get_filled("HOME")?).join(below_home)))?;
    Some(base.join("doorward"))
}

/// Judged by the home folder, so that a test's environment decides and not the account that runs it.
fn is_root(env: &Environment) -> bool {
    env.get_filled("HOME").is_none_or(|home| home == "/root")
}
