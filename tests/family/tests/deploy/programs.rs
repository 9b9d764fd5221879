//! The programs that read the files, as `cargo xtask test` installs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use testkit::report_missing;

/// Where `cargo xtask test` installs them.
const ENVIRONMENT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../kubernetes");
/// Where it installs the proxies of the tests of `front_proxies`.
const PROXIES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../doors");

/// A program that is not ours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    Kubectl,
    Helm,
    Validate,
    Caddy,
}

impl Program {
    fn path(self) -> PathBuf {
        match self {
            Self::Kubectl => Path::new(ENVIRONMENT).join("programs/kubectl/kubectl"),
            Self::Helm => Path::new(ENVIRONMENT).join("programs/helm/helm"),
            Self::Validate => Path::new(ENVIRONMENT).join("bin/kubernetes-validate"),
            Self::Caddy => Path::new(PROXIES).join("programs/caddy"),
        }
    }

    /// Whether it is there. If it is not, that is a failure, unless `DOORWARD_TEST_REDUCED=1` says that it is known.
    pub(crate) fn is_there(self) -> bool {
        let path = self.path();
        if !path.exists() {
            report_missing(&path.display().to_string(), "cargo xtask test --only packages installs it");
        }
        path.exists()
    }

    /// Runs it to its end.
    pub(crate) fn output(self, arguments: &[&str]) -> Output {
        let output = Command::new(self.path()).args(arguments).output();
        output.unwrap_or_else(|error| panic!("{self:?} cannot be started: {error}"))
    }

    /// Runs it to its end, which has to be a success, and returns what it wrote.
    pub(crate) fn run(self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{self:?} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it writes text")
    }
}
