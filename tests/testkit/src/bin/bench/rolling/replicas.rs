//! Two replicas of every service, each in a process of its own, with mutual TLS between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use authn::{BoxError, Channel};
use config::Environment;
use doorward::{Secrets, ServiceId, Settings};
use runtime::{Context, client};
use testkit::{Layout, USERS, run};

use super::Programs;
use super::balancer::{self, Replica};
use super::files::Files;
use super::namespace::MACHINES;
use super::process::Process;
use super::progress::Progress;
use super::settings::{CONNECTION_AGE, configure};
use crate::report;

/// The services, in the order in which they are upgraded (docs/upgrading.md): each before those that it calls.
const ORDER: [ServiceId; 10] = [
    ServiceId::Proxy,
    ServiceId::Gateway,
    ServiceId::AuthBearer,
    ServiceId::Account,
    ServiceId::Idp,
    ServiceId::AuthApp,
    ServiceId::AuthService,
    ServiceId::AuthMachine,
    ServiceId::AuthBasic,
    ServiceId::Users,
];

/// The running replicas.
pub(super) struct Replicas {
    pub(super) layout: Layout,
    /// The certificates and secrets that all of them read.
    pub(super) files: Files,
    /// The URL of the balancer in front of the edges.
    pub(super) url: String,
    /// What is done to them at the moment.
    pub(super) progress: Progress,
    /// The folder of the programs of this version.
    own: PathBuf,
    running: BTreeMap<(ServiceId, &'static str), Process>,
    http: reqwest::Client,
}

/// In which order the services are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// That of an upgrade.
    Forward,
    /// That of a downgrade.
    Backward,
}

impl Replicas {
    /// Starts them with the programs of the other version, or else of this one, and adds the users.
    pub(super) async fn start(database: &str, programs: &Programs<'_>) -> Result<Self, BoxError> {
        let mut layout = Layout::new("rolling", true);
        let files = Files::make(&layout)?;
        let (url, edge) = configure(&mut layout, &files, database).await?;
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
        let (progress, own) = (Progress::default(), programs.own.to_owned());
        let mut replicas = Self { layout, files, url, progress, own, running: BTreeMap::new(), http };
        for machine in MACHINES {
            // a service becomes ready when those that it calls answer
            for service in ORDER.into_iter().rev() {
                replicas.start_one(service, machine, programs.previous.unwrap_or(programs.own)).await?;
            }
        }
        let edges = MACHINES.into_iter().map(|machine| {
            let variables = replicas.variables(machine);
            Ok::<_, BoxError>(Replica {
                http: address(&variables, "PROXY_HTTP_ADDR")?,
                debug: address(&variables, "PROXY_DEBUG_ADDR")?,
            })
        });
        balancer::serve(edge, edges.collect::<Result<_, _>>()?).await?;
        replicas.add_users().await?;
        Ok(replicas)
    }

    async fn add_users(&self) -> Result<(), BoxError> {
        for user in USERS {
            let mail = format!("{}@example.org", user.login);
            let (variables, password) = (self.variables(MACHINES[0]), self.layout.password.clone());
            let adding = tokio::task::spawn_blocking(move || {
                let arguments = ["user", "add", user.login, "--role", user.role, "--mail", &mail, "--password-stdin"];
                run("doorward", &arguments, &variables, &password)
            });
            let added = adding.await?;
            if added.code != 0 {
                return Err(format!("{} cannot be added: {}", user.login, added.stderr).into());
            }
        }
        Ok(())
    }

    /// Replaces every replica by one of the programs of this folder, one after the other: the next is stopped when this one is ready.
    pub(super) async fn replace_all(&mut self, programs: &Path, order: Order) -> Result<(), BoxError> {
        let mut services = ORDER;
        if order == Order::Backward {
            services.reverse();
        }
        for service in services {
            for machine in MACHINES {
                self.progress.begin(format!("the stop of {} at {machine}", service.name()));
                if let Some(process) = self.running.remove(&(service, machine)) {
                    let stopped = process.stop().await;
                    stopped.map_err(|error| format!("{} at {machine}: {error}", service.name()))?;
                }
                self.progress.begin(format!("the start of {} at {machine}", service.name()));
                self.start_one(service, machine, programs).await?;
            }
        }
        Ok(())
    }

    async fn start_one(&mut self, service: ServiceId, machine: &'static str, programs: &Path) -> Result<(), BoxError> {
        let mut variables = self.variables(machine);
        if programs != self.own {
            // Another version may fail requests when connections end, even if nothing is changed. With the default they do not end.
            variables.remove(CONNECTION_AGE);
        }
        let debug = address(&variables, &format!("{}_DEBUG_ADDR", service.identity().prefix))?;
        let mut process = Process::start(&programs.join(service.name()), &variables)?;
        let ready = process.wait_until_ready(&self.http, debug).await;
        ready.map_err(|error| format!("{} at {machine}: {error}", service.name()))?;
        self.running.insert((service, machine), process);
        Ok(())
    }

    /// Stops all of them.
    pub(super) async fn stop(mut self) -> Result<(), BoxError> {
        while let Some(((service, machine), process)) = self.running.pop_last() {
            let stopped = process.stop().await;
            stopped.map_err(|error| format!("{} at {machine}: {error}", service.name()))?;
        }
        report::note(&format!("the replicas logged to {}", self.log().display()));
        Ok(())
    }

    /// The file to which all of them log.
    pub(super) fn log(&self) -> PathBuf {
        PathBuf::from(&self.layout.variables()["OCIS_LOG_FILE"])
    }

    /// The environment of the replicas on this machine: listeners are at its address, and it has a data folder of its own.
    fn variables(&self, machine: &str) -> BTreeMap<String, String> {
        let mut variables = self.layout.variables().clone();
        for (name, value) in &mut variables {
            if name.ends_with("_ADDR") {
                *value = value.replace(MACHINES[0], machine);
            }
        }
        let data = self.layout.folder().join(format!("data-{machine}"));
        variables.insert("OCIS_BASE_DATA_PATH".to_owned(), data.display().to_string());
        variables
    }

    /// A channel to both gateways, as services make it.
    pub(super) fn gateway(&self) -> Result<Channel, BoxError> {
        let environment: Environment = self.variables(MACHINES[0]).into_iter().collect();
        let settings = Box::new(Settings::load(&environment, &Secrets::default())?);
        let endpoint = &self.layout.variables()["OCIS_REVA_GATEWAY"];
        Ok(client::channel(endpoint, &settings.gateway.grpc_client_tls, &Context::new(environment))?)
    }
}

fn address(variables: &BTreeMap<String, String>, name: &str) -> Result<SocketAddr, BoxError> {
    Ok(variables.get(name).ok_or_else(|| format!("{name} is not set"))?.parse()?)
}
