//! A family to call.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use authn::Channel;
use config::Environment;
use doorward::{EnabledServices, Family, Secrets, ServiceId, Settings};
use runtime::{Context, client};

use crate::{
    Certificates, Finished, Layout, USERS,
    process::{Server, run},
};

/// How the family runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Inside the test's process: with a clock of the test.
    Inside,
    /// `doorward server`.
    OneProcess,
    /// A process a service.
    Processes,
    /// A process a service, with mutual TLS between them.
    ProcessesWithTls,
}

/// A running family with its users.
#[derive(Debug)]
pub struct TestFamily {
    /// Its folder, addresses and settings.
    pub layout: Layout,
    context: Context,
    inside: Option<Family>,
    servers: Vec<Server>,
}

impl TestFamily {
    /// Boots the family and adds [`USERS`].
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(name: &str, mode: Mode) -> Self {
        Self::start_with(Layout::new(name, mode == Mode::ProcessesWithTls), mode, |context| context).await
    }

    /// Boots a family with settings of the test, and with a clock or randomness of the test.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with(layout: Layout, mode: Mode, world: impl FnOnce(Context) -> Context) -> Self {
        let family = Self::boot(layout, mode, world).await;
        family.add_users().await;
        family
    }

    /// Boots a family without users of its own.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_empty(layout: Layout, mode: Mode) -> Self {
        Self::boot(layout, mode, |context| context).await
    }

    async fn boot(layout: Layout, mode: Mode, world: impl FnOnce(Context) -> Context) -> Self {
        let environment: Environment = layout.variables().clone().into_iter().collect();
        let context = world(Context::new(environment.clone()));
        let mut family = Self { layout, context, inside: None, servers: Vec::new() };
        match mode {
            Mode::Inside => {
                // boxed: a future that holds all settings is too large for the stack of a test
                let settings = Settings::load(&environment, &Secrets::default());
                let settings = Box::new(settings.expect("the configuration is good"));
                let enabled = EnabledServices::of(&environment).expect("the services are known");
                // Once a process: where tests share one, they share the first one's log.
                let telemetry = settings.listeners(ServiceId::Gateway).telemetry();
                runtime::telemetry::init("doorward", telemetry).expect("the log can be written");
                let started = Box::pin(Family::start(&settings, &enabled, &family.context)).await;
                family.inside = Some(started.expect("the family starts"));
            }
            Mode::OneProcess => {
                let layout = &family.layout;
                family.servers.push(Server::start_by(layout.prefix(), "doorward", layout.variables()));
            }
            Mode::Processes | Mode::ProcessesWithTls => {
                let enabled = EnabledServices::of(&environment).expect("the services are known");
                for service in enabled.iter() {
                    let layout = &family.layout;
                    family.servers.push(Server::start_by(layout.prefix(), service.name(), layout.variables()));
                }
            }
        }
        family.wait_until_it_answers(&EnabledServices::of(&environment).expect("the services are known")).await;
        family
    }

    async fn wait_until_it_answers(&self, enabled: &EnabledServices) {
        let start = Instant::now();
        for service in enabled.iter() {
            let address = self.layout.address(service);
            while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
                assert!(start.elapsed() < Duration::from_secs(30), "{} does not answer at {address}", service.name());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn add_users(&self) {
        for user in USERS {
            let mail = format!("{}@example.org", user.login);
            let arguments = ["user", "add", user.login, "--role", user.role, "--mail", &mail, "--password-stdin"]
                .map(str::to_owned);
            let added = self.command_in_background(&arguments, &self.layout.password).await;
            assert_eq!(added.code, 0, "{} cannot be added: {}", user.login, added.stderr);
        }
    }

    /// Runs `doorward` with the family's environment; `input` is its standard input.
    pub async fn command(&self, arguments: &[&str], input: &str) -> Finished {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.command_in_background(&arguments, input).await
    }

    async fn command_in_background(&self, arguments: &[String], input: &str) -> Finished {
        let (arguments, variables, input) = (arguments.to_vec(), self.layout.variables().clone(), input.to_owned());
        // A family inside this process has to go on answering while the command waits for it.
        let running = tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run("doorward", &arguments, &variables, &input)
        });
        running.await.expect("a command ends")
    }

    /// The family's settings, over the secrets of its data folder.
    fn settings(&self) -> Settings {
        let environment = &self.context.environment;
        let kept = Secrets::read(&config::base_data_path(environment)).expect("the secrets can be read");
        Settings::load(environment, &kept.unwrap_or_default()).expect("the configuration is good")
    }

    /// A connection to a service, as the family's own clients make it.
    ///
    /// # Panics
    /// When the family's own settings cannot be used.
    pub fn channel(&self, service: ServiceId) -> Channel {
        let settings = self.settings();
        let address = self.layout.address(service).to_string();
        client::channel(&address, &settings.gateway.grpc_client_tls, &self.context).expect("an address is an endpoint")
    }

    /// The same, as a client that shows another certificate.
    ///
    /// # Panics
    /// When the family's own settings cannot be used.
    pub fn channel_with(&self, service: ServiceId, certificates: &Certificates) -> Channel {
        let settings = self.settings();
        let mut tls = settings.gateway.grpc_client_tls;
        (tls.cert, tls.key) = (Some(certificates.certificate.clone()), Some(certificates.key.clone().into()));
        let address = self.layout.address(service).to_string();
        client::channel(&address, &tls, &self.context).expect("an address is an endpoint")
    }

    /// The number of a service's process.
    ///
    /// # Panics
    /// When it is no process of its own.
    pub fn pid(&self, service: ServiceId) -> u32 {
        let server = self.servers.iter().find(|server| server.name == service.name());
        server.unwrap_or_else(|| panic!("{} is no process of its own", service.name())).pid()
    }

    /// Kills a service's process, as a crash would.
    pub fn kill(&mut self, service: ServiceId) {
        let server = self.servers.iter_mut().find(|server| server.name == service.name());
        server.unwrap_or_else(|| panic!("{} is no process of its own", service.name())).kill();
    }

    /// Sends SIGHUP to every process.
    ///
    /// # Panics
    /// When one has ended.
    pub fn hang_up(&self) {
        self.servers.iter().for_each(Server::hang_up);
    }

    /// Lets every process write files up to this size only; see [`Server::limit_files`].
    pub fn limit_files(&self, bytes: Option<u64>) {
        for server in &self.servers {
            server.limit_files(bytes);
        }
    }

    /// Kills every process, as a crash would, and starts them again.
    ///
    /// # Panics
    /// When they do not start.
    pub async fn crash(&mut self) {
        for server in &mut self.servers {
            server.kill();
            *server = Server::start_by(self.layout.prefix(), server.name, self.layout.variables());
        }
        let enabled = EnabledServices::of(&self.context.environment).expect("the services are known");
        self.wait_until_it_answers(&enabled).await;
    }

    /// Stops the family, changes its environment, and starts it again over what it has kept.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(self, mode: Mode, change: impl FnOnce(&mut Layout)) -> Self {
        let Self { mut layout, inside, mut servers, .. } = self;
        if let Some(family) = inside {
            family.stop().await;
        }
        for server in servers.iter_mut().rev() {
            server.terminate();
        }
        change(&mut layout);
        Self::boot(layout, mode, |context| context).await
    }

    /// Asks every process to end, and returns their exit codes.
    pub async fn stop(mut self) -> Vec<i32> {
        if let Some(family) = self.inside.take() {
            family.stop().await;
        }
        self.servers.iter_mut().rev().map(Server::terminate).collect()
    }
}
