#![doc = include_str!("../README.md")]

mod access_log;
mod app;
mod authentications;
mod background;
mod certificate_expiry;
mod certificate_sources;
mod certificates;
mod check;
mod check_files;
mod cli;
pub mod client;
mod clock;
mod confirmation;
mod context;
mod debug;
mod ended_sessions;
mod file_reloads;
mod folder_lock;
mod forwarded;
mod health;
mod host;
mod http_service;
mod inherited_listeners;
mod insecure;
mod keys;
mod layers;
mod metrics;
mod misconfigured;
mod operator;
mod output;
mod own_connection;
mod peers;
mod process;
mod random;
mod readiness;
mod reload;
mod reload_metrics;
mod request_body;
mod running_services;
mod server;
mod service;
mod service_manager;
mod serving;
mod signals;
mod staged_file;
mod start;
pub mod telemetry;
mod tls;
mod transaction_requests;

#[cfg(test)]
mod testing;

#[cfg(feature = "testing")]
mod captured_log;

pub use access_log::AccessDetails;
pub use app::{App, Task};
pub use authentications::{Authentications, measured};
pub use background::Background;
#[cfg(feature = "testing")]
pub use captured_log::CapturedLog;
pub use certificate_expiry::CertificateExpiry;
pub use certificates::CertificatesInUse;
pub use check::Check;
pub use check_files::{check_files, check_loaded, inspect_certificates};
pub use cli::main;
pub use client::EndpointError;
pub use clock::Clock;
pub use confirmation::Confirmation;
pub use context::Context;
pub use ended_sessions::{ProviderSessions, ended_sessions};
pub use file_reloads::{FileReloads, FileSetting, FileValue, Reading, RereadError};
pub use folder_lock::lock_folder;
pub use forwarded::TrustedProxies;
pub use host::{block_on, health, host, report, usage};
pub use http_service::HttpService;
pub use inherited_listeners::{InheritedError, InheritedListeners};
pub use insecure::{is_plaintext_allowed, is_unverified_database_allowed};
pub use keys::{CHANGEOVER, key_ring, transaction_keys};
pub use layers::{FromTrustedProxy, MatchedRoute, Pages};
pub use metrics::{MetricLabels, Metrics};
pub use misconfigured::Misconfigured;
pub use operator::{ForeignToken, OPERATOR, is_operator, operator_token, refusal, running};
pub use output::{print, print_once};
pub use own_connection::OwnConnection;
pub use peers::{USERS_ENDPOINT, directory, directory_with_profiles, endpoint_of, is_registry_name};
pub use random::Random;
pub use reload::Reload;
pub use running_services::{CertificateValidity, ListenerKind, RunningServices, ServiceHealth};
pub use service::{Listeners, Service};
pub use staged_file::StagedFile;
pub use start::{Running, StartError, check_inherited, launch, start};
pub use tls::{
    CertificateReport, ChallengeRequest, ClientCertificate, IssuedCertificate, KeepError, KeptCertificate,
    SpiffeAuthorities, TlsError, keep_certificate,
};
pub use transaction_requests::TransactionRequests;

/// Every binary's allocator: gives memory back after a burst of password hashing, and is quick with small messages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
