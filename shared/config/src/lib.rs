#![doc = include_str!("../README.md")]

mod directories;
pub mod duration;
mod environment;
mod error;
mod in_force;
mod kind;
mod layers;
mod listen;
mod load;
mod named_file;
mod names;
mod networks;
mod outline;
mod print;
mod schema;
mod secret;
mod secret_file;
mod sections;
mod yaml;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use directories::{base_data_path, config_dir};
pub use environment::Environment;
pub use error::{ConfigError, Invalid};
pub use in_force::InForce;
pub use listen::{InvalidAddress, ListenAddr};
pub use load::{Loaded, load, load_over};
pub use named_file::NamedFile;
pub use names::UnknownVariable;
pub use networks::{InvalidNetwork, Networks};
pub use print::{docs, example, schema, shown};
pub use schema::defaults;
pub use secret::Secret;
pub use secret_file::{PrivateKeyFile, SecretFileError, read_secret_file};
pub use sections::{
    ANY, Audit, BundleSource, ClientTls, Collector, Cors, Debug, DebugTls, Grpc, GrpcClientTls, GrpcTls, Http,
    HttpClientTls, HttpTls, Log, MAX_HEADER_SIZE, Mtls, OtlpProtocol, Reva, Sampling, SecretFiles, Signal, Spiffe,
    SyslogAddress, TlsVariables, TokenManager, Tracing, Transactions, TrustDomainSource, WorkloadPolicy,
};
pub use yaml::{missing_list, read_yaml_file};

/// Which service is being configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The service's name, as in `auth-app`: names its YAML file and its section of `doorward.yaml`.
    pub name: &'static str,
    /// What stands for `<P>` in environment names, as in `AUTH_APP`.
    pub prefix: &'static str,
}

/// A group of settings; the whole configuration of a service is one too.
pub trait Section {
    /// The sections in this one that have rules or warnings, by their keys or dotted paths; an empty key means that its
    /// settings are those of this section (`serde(flatten)`).
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        Vec::new()
    }

    /// Checks the rules that a type or an attribute cannot express. The sections in this one have been checked.
    ///
    /// # Errors
    /// Names the setting and what is wrong with it.
    fn validate(&self) -> Result<(), Invalid> {
        Ok(())
    }

    /// What an operator should know about valid settings, one line each: condition, setting by its environment name, remedy.
    /// `config check` prints the lines, and the service logs them when it starts.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The whole configuration of a service: serde carries its values, schemars describes them.
pub trait Configuration: Section + Default + Serialize + DeserializeOwned + JsonSchema {}

impl<T: Section + Default + Serialize + DeserializeOwned + JsonSchema> Configuration for T {}
