//! The folder of a test's family, and its settings.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener},
    ops::Range,
    path::Path,
    sync::{Mutex, PoisonError},
};

use config::Environment;
use doorward::ServiceId;
use runtime::Random;
use store::testing::TestDatabase;
use tempfile::TempDir;

use crate::{Certificates, SmallDisk, logs, note_secret};

/// A user of the test's family.
#[derive(Debug, Clone, Copy)]
pub struct TestUser {
    /// The login name.
    pub login: &'static str,
    /// The role's everyday name.
    pub role: &'static str,
}

/// The users of every test's family.
pub const USERS: [TestUser; 4] = [
    TestUser { login: "einstein", role: "user" },
    TestUser { login: "marie", role: "user" },
    TestUser { login: "richard", role: "user" },
    TestUser { login: "admin", role: "admin" },
];

/// The folder, addresses and secrets of one family.
#[derive(Debug)]
pub struct Layout {
    folder: TempDir,
    /// The database of all services; a file a service without it.
    database: Option<TestDatabase>,
    addresses: BTreeMap<ServiceId, SocketAddr>,
    variables: BTreeMap<String, String>,
    /// What the commands of its processes begin with.
    prefix: Vec<String>,
    /// The machine key.
    pub machine_key: String,
    /// The secret of the service account `jobs`.
    pub service_secret: String,
    /// The secret of the internal token.
    pub jwt_secret: String,
    /// The password of all users in [`USERS`].
    pub password: String,
}

impl Layout {
    /// Free addresses and fresh secrets; with certificates every connection is TLS, and clients have to show theirs.
    pub fn new(name: &str, tls: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut layout = Self {
            addresses: ServiceId::ALL.into_iter().map(|service| (service, free_address())).collect(),
            variables: BTreeMap::new(),
            prefix: Vec::new(),
            machine_key: secret(),
            service_secret: secret(),
            jwt_secret: secret(),
            password: secret(),
            folder,
            database: store::testing::on_server(),
        };
        layout.set_secrets();
        layout.set_addresses();
        layout.set_database();
        let log = logs::folder().join(format!("{name}-{}.log", std::process::id()));
        layout.set("OCIS_LOG_LEVEL", "trace");
        layout.set("OCIS_LOG_FILE", &log.display().to_string());
        if tls {
            layout.set_tls();
        }
        layout
    }

    fn set_secrets(&mut self) {
        let root = self.folder.path().to_owned();
        let (jwt, machine, service) = (self.jwt_secret.clone(), self.machine_key.clone(), self.service_secret.clone());
        self.set("OCIS_BASE_DATA_PATH", &root.join("data").display().to_string());
        self.set("OCIS_CONFIG_DIR", &root.join("config").display().to_string());
        self.set("OCIS_JWT_SECRET", &jwt);
        self.set("OCIS_MACHINE_AUTH_API_KEY", &machine);
        self.set("OCIS_SERVICE_ACCOUNT_ID", "jobs");
        self.set("OCIS_SERVICE_ACCOUNT_SECRET", &service);
        self.set("AUTH_APP_TOKEN_KEY", &secret());
        self.set("IDP_ENCRYPTION_SECRET", &secret());
        self.set("OCIS_ADD_RUN_SERVICES", "auth-app");
        // The cheapest parameters that argon2 takes: tests are about who gets in, not about the cost of it.
        self.set("AUTH_BASIC_ARGON2_MEMORY", "8");
        self.set("AUTH_BASIC_ARGON2_ITERATIONS", "1");
    }

    /// `cargo xtask test --postgres` has a server for all tests.
    fn set_database(&mut self) {
        if let Some(url) = self.database.as_ref().map(|database| database.url().to_owned()) {
            self.set("OCIS_DATABASE_URL", &url);
            // processes that share a database share it too; it is not in the data folder
            self.set("PROXY_SESSION_SECRET", &secret());
        }
    }

    fn set_addresses(&mut self) {
        for (service, address) in self.addresses.clone() {
            let prefix = service.identity().prefix;
            let address = address.to_string();
            // the account pages have no gRPC: they are waited for by HTTP
            let protocol = if service == ServiceId::Account { "HTTP" } else { "GRPC" };
            self.set(&format!("{prefix}_{protocol}_ADDR"), &address);
            self.set(&format!("{prefix}_DEBUG_ADDR"), &free_address().to_string());
            match service {
                ServiceId::Users => {
                    for asking in ["AUTH_BASIC", "AUTH_MACHINE", "AUTH_APP", "AUTH_BEARER", "IDP", "ACCOUNT"] {
                        self.set(&format!("{asking}_USERS_ENDPOINT"), &address);
                    }
                    self.set("GATEWAY_USERS_ENDPOINT", &address);
                }
                ServiceId::Gateway => {
                    self.set("OCIS_REVA_GATEWAY", &address);
                    self.set("PROXY_GATEWAY_ENDPOINT", &address);
                }
                ServiceId::Idp => {
                    for asking in ["ACCOUNT", "AUTH_BEARER", "PROXY"] {
                        self.set(&format!("{asking}_IDP_ENDPOINT"), &address);
                    }
                }
                // Envoy calls it by gRPC; no service does.
                ServiceId::Proxy => {}
                ServiceId::Account => self.set("PROXY_ACCOUNT_BACKEND", &format!("http://{address}")),
                ServiceId::AuthApp => {
                    self.set("GATEWAY_AUTH_APP_ENDPOINT", &address);
                    self.set("ACCOUNT_AUTH_APP_ENDPOINT", &address);
                }
                ServiceId::AuthBasic => {
                    self.set("GATEWAY_AUTH_BASIC_ENDPOINT", &address);
                    self.set("IDP_AUTH_BASIC_ENDPOINT", &address);
                    self.set("ACCOUNT_AUTH_BASIC_ENDPOINT", &address);
                }
                ServiceId::AuthService => {
                    self.set("GATEWAY_AUTH_SERVICE_ENDPOINT", &address);
                    self.set("ACCOUNT_AUTH_SERVICE_ENDPOINT", &address);
                    self.set("IDP_AUTH_SERVICE_ENDPOINT", &address);
                    self.set("AUTH_SERVICE_STORE_ACCOUNTS", "true");
                }
                // In processes of their own it accepts tokens of our idp only if a test says that they are its own.
                ServiceId::AuthBearer => self.set("GATEWAY_AUTH_BEARER_ENDPOINT", ""),
                ServiceId::AuthMachine => self.set("GATEWAY_AUTH_MACHINE_ENDPOINT", &address),
            }
        }
        for prefix in ["AUTH_APP", "AUTH_BEARER", "IDP"] {
            let address = free_address().to_string();
            self.set(&format!("PROXY_{prefix}_BACKEND"), &format!("http://{address}"));
            self.set(&format!("{prefix}_HTTP_ADDR"), &address);
        }
        self.set("PROXY_HTTP_ADDR", &free_address().to_string());
        // the gRPC server of the edge wants a proxy to be named; no request of a test comes from this one
        self.set("PROXY_TRUSTED_PROXIES", "203.0.113.254");
    }

    /// Makes every connection TLS, where clients have to show their certificates.
    pub fn set_tls(&mut self) {
        let made = Certificates::make(self.folder.path(), "spiffe://doorward.test/service");
        let path = |path: &Path| path.display().to_string();
        self.set("OCIS_GRPC_TLS_ENABLED", "true");
        self.set("OCIS_GRPC_TLS_CERTIFICATE", &path(&made.certificate));
        self.set("OCIS_GRPC_TLS_KEY", &path(&made.key));
        self.set("OCIS_GRPC_TLS_CLIENT_CA", &path(&made.ca));
        self.set("OCIS_GRPC_CLIENT_TLS_MODE", "on");
        self.set("OCIS_GRPC_CLIENT_TLS_CACERT", &path(&made.ca));
        self.set("OCIS_GRPC_CLIENT_TLS_CERTIFICATE", &path(&made.certificate));
        self.set("OCIS_GRPC_CLIENT_TLS_KEY", &path(&made.key));
    }

    /// Puts the data of the family's processes on a disk of so many MiB, which this process does not see.
    ///
    /// # Errors
    /// As of [`SmallDisk::mount`].
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub fn use_small_disk(&mut self, mebibytes: u32) -> Result<SmallDisk, String> {
        let folder = self.folder.path().join("data");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let disk = SmallDisk::mount(&folder, mebibytes)?;
        self.prefix = disk.prefix();
        Ok(disk)
    }

    pub(crate) fn prefix(&self) -> &[String] {
        &self.prefix
    }

    /// Sets a variable of the family's environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Takes a variable out of the family's environment.
    pub fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// The family's environment: nothing of the test's own is in it.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Where a service answers gRPC.
    pub fn address(&self, service: ServiceId) -> SocketAddr {
        self.addresses[&service]
    }

    /// The folder of this family alone.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The ports that tests listen on: above those that browsers refuse to open (the last of the Fetch standard's "bad ports" is
/// 10080), and below those that outgoing connections are given.
const PORTS: Range<u16> = 10_081..32_000;
/// The number of parts into which they are divided: at most as many tests run at the same time.
const PARTS: u16 = 16;

/// A loopback address without a listener that no other caller has received, in this process or in that of another test that
/// nextest runs at the same time.
///
/// # Panics
/// When a thousand tries find none.
pub fn free_address() -> SocketAddr {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let random = Random::system();
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let ports = ports(Environment::of_process().get("NEXTEST_TEST_GLOBAL_SLOT"));
    let port = || ports.start + u16::from_be_bytes(random.bytes()) % (ports.end - ports.start);
    let mut free = |port| {
        let address = TcpListener::bind(("127.0.0.1", port)).and_then(|listener| listener.local_addr()).ok()?;
        given.insert(port).then_some(address)
    };
    std::iter::repeat_with(port).take(1000).find_map(&mut free).expect("a port is free")
}

/// The ports of a test, by the number that no other test has which runs at the same time; all of them without nextest.
fn ports(slot: Option<&str>) -> Range<u16> {
    let Some(slot) = slot.and_then(|slot| slot.parse::<u16>().ok()) else { return PORTS };
    let each = (PORTS.end - PORTS.start) / PARTS;
    let start = PORTS.start + slot % PARTS * each;
    start..start + each
}

/// A secret that is looked for in every log.
pub fn secret() -> String {
    let mut text = String::from("test-secret-");
    for byte in Random::system().bytes::<20>() {
        write!(text, "{byte:02x}").expect("text can be written to");
    }
    note_secret(&text);
    text
}
