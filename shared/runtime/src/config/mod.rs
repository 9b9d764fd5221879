//! How a service is configured.
//!
//! A service describes its configuration once, in [`Section::visit`]: key, field, environment names and meaning of every
//! setting. That one description is used to read the configuration ([`load()`]), to document it ([`docs`]), to print an
//! example ([`example`]) and to show what is in force ([`Loaded::shown`]); so they cannot disagree.
//!
//! Layers, from the weakest: built-in defaults, `<config dir>/doorward.yaml` (the section named like the service),
//! `<config dir>/<service>.yaml`, the environment. Where one setting has several environment names the last one that is
//! set wins, the service's own name being the last. Every name `OCIS_X` has the equal name `OC_X`.
//!
//! A variable that is set but empty empties a text, a path, a list or an optional value; for a bool, a number or a
//! duration, which cannot be empty, it counts as not set.

mod common;
mod directories;
mod duration;
mod environment;
mod error;
mod listen;
mod load;
mod names;
mod outline;
mod print;
mod secret;
mod secret_file;
mod sources;
mod value;
mod visitor;
mod yaml;

#[cfg(test)]
mod tests;

pub(crate) use common::{ANY, MAX_HEADER_SIZE};
pub use common::{
    ClientTls, Cors, Debug, Grpc, GrpcClientTls, GrpcTls, Http, HttpTls, Log, Mtls, Reva, TlsVariables, TokenManager,
    Tracing,
};
pub use directories::{base_data_path, config_dir};
pub use environment::Environment;
pub use error::{ConfigError, Invalid};
pub use listen::ListenAddr;
pub use load::{Loaded, load, load_over};
pub use print::{docs, example};
pub use secret::Secret;
pub use secret_file::{PrivateKeyFile, SecretFileError, read_secret_file};
pub use value::{Shown, Value};
pub use visitor::{Setting, Visitor};
pub use yaml::read_yaml_file;

/// Which service is being configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The service's name, as in `auth-app`: names its YAML file and its section of `doorward.yaml`.
    pub name: &'static str,
    /// What stands for `<P>` in environment names, as in `AUTH_APP`.
    pub prefix: &'static str,
}

/// A group of settings; the whole configuration of a service is one too.
pub trait Section: Default {
    /// Shows every setting and every nested section to the visitor, in the order they are documented.
    fn visit(&mut self, v: &mut Visitor<'_>);

    /// Checks what only several settings together can tell. Called once everything in the section is read.
    fn validate(&self) -> Result<(), Invalid> {
        Ok(())
    }

    /// What an operator should know about valid settings, one line each: condition, setting by its environment name, remedy.
    /// `config check` prints the lines, and the service logs them when it starts.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
