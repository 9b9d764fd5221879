//! Settings that several sections have as their own.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Folder;
use crate::{Environment, Identity, Invalid, Secret, SecretFiles, Section, docs, example, load};

const IDENTITY: Identity = Identity { name: "sample", prefix: "SAMPLE" };

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Pool {
    /// How many there are.
    #[schemars(extend("x-env" = ["OCIS_CONNECTIONS", "<P>_CONNECTIONS"]))]
    connections: u32,
    /// How long one is waited for.
    #[schemars(extend("x-env" = ["<P>_WAIT"]))]
    wait: Duration,
    /// Whether it is used.
    #[schemars(extend("x-env" = ["<P>_POOLED"]))]
    pooled: bool,
    /// The longest statement.
    #[schemars(extend("x-env" = ["<P>_LONGEST"]))]
    longest: Option<usize>,
}

impl Section for Pool {
    fn validate(&self) -> Result<(), Invalid> {
        if self.connections > 9 { Err(Invalid::new("connections", "must be at most 9")) } else { Ok(()) }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Session {
    #[serde(flatten)]
    pool: Pool,
}

impl Section for Session {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("", &self.pool)]
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Sample {
    #[serde(flatten)]
    pool: Pool,
    #[schemars(extend("x-prefix" = "SAMPLE_SESSION"))]
    session: Session,
}

impl Section for Sample {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("", &self.pool), ("session", &self.session)]
    }
}

fn read(variables: &[(&str, &str)]) -> Result<Sample, String> {
    let variables = variables.iter().chain(&[("OCIS_CONFIG_DIR", "/nonexistent")]);
    let environment: Environment = variables.copied().collect();
    load(&IDENTITY, &environment).map(|loaded| loaded.config).map_err(|error| error.to_string())
}

#[test]
fn flattened_settings_are_read_by_the_prefix_of_their_section() {
    let read = read(&[
        ("OCIS_CONNECTIONS", "2"),
        ("SAMPLE_SESSION_CONNECTIONS", "3"),
        ("SAMPLE_WAIT", "1500ms"),
        ("SAMPLE_POOLED", "true"),
        ("SAMPLE_SESSION_LONGEST", "7"),
    ]);
    let Sample { pool, session } = read.expect("valid");
    assert_eq!(pool, Pool { connections: 2, wait: Duration::from_millis(1500), pooled: true, longest: None });
    assert_eq!(session.pool, Pool { connections: 3, longest: Some(7), ..Pool::default() });
}

#[test]
fn integers_are_refused_by_the_bounds_of_their_type() {
    for (name, good, bad, expected) in [
        ("SAMPLE_CONNECTIONS", "9", "4294967296", "an int from 0 to 4294967295"),
        ("SAMPLE_LONGEST", "18446744073709551615", "18446744073709551616", "an int that is not negative"),
    ] {
        assert!(read(&[(name, good)]).is_ok(), "{name}");
        for bad in [bad, "-1", "1.5", " 1", "0x1"] {
            assert_eq!(read(&[(name, bad)]).expect_err(bad), format!("{name} must be {expected}, not {bad:?}"));
        }
    }
    let unset = read(&[("SAMPLE_CONNECTIONS", ""), ("SAMPLE_LONGEST", "")]).expect("an empty number is not set");
    assert_eq!(unset.pool, Pool::default());
}

/// `allow_readable_secrets` is read first, although it stands last here.
#[test]
fn readable_files_are_accepted_wherever_the_setting_stands() {
    #[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
    struct Late {
        /// A secret.
        #[schemars(extend("x-env" = ["<P>_KEY"]))]
        key: Secret,
        #[serde(flatten)]
        secret_files: SecretFiles,
    }
    impl Section for Late {}

    let folder = Folder::new();
    let file = folder.write("key", "from-the-file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("sets the mode");
    let env = folder.bare_env().with("SAMPLE_KEY_FILE", file.to_str().expect("UTF-8"));
    assert!(load::<Late>(&IDENTITY, &env).expect_err("is refused").to_string().contains("(mode 0644)"));
    let read = load::<Late>(&IDENTITY, &env.with("SAMPLE_ALLOW_READABLE_SECRETS", "true")).expect("valid").config;
    assert_eq!((read.key.expose(), read.secret_files.allow_readable_secrets), ("from-the-file", true));
}

#[test]
fn rules_of_flattened_settings_name_the_variables_of_their_section() {
    let names = |prefix: &str| format!("OCIS_CONNECTIONS (or {prefix}_CONNECTIONS) must be at most 9");
    assert_eq!(read(&[("SAMPLE_CONNECTIONS", "10")]).expect_err("too many"), names("SAMPLE"));
    assert_eq!(read(&[("SAMPLE_SESSION_CONNECTIONS", "10")]).expect_err("too many"), names("SAMPLE_SESSION"));
}

#[test]
fn flattened_settings_are_documented_as_settings_of_their_section() {
    assert!(
        docs::<Sample>(&IDENTITY)
            .contains("| OCIS_CONNECTIONS<br>SAMPLE_SESSION_CONNECTIONS | int | 0 | How many there are. |\n")
    );
    let keys = "connections: 0\nwait: 0s\npooled: false\nlongest: \"\"\n";
    let indented = format!("  {}\n", keys.trim_end().replace('\n', "\n  "));
    assert!(example::<Sample>(&IDENTITY).ends_with(&format!("\n\n{keys}session:\n{indented}")));
}
