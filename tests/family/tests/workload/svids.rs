//! Services that show each other X.509-SVIDs (`OCIS_GRPC_TLS_CLIENT_SPIFFE`), which they verify by the bundles of a Workload API.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use authn::kind;
use doorward::ServiceId;
use proto::cs3::auth::provider::v1beta1::AuthenticateRequest as ProviderRequest;
use proto::cs3::auth::provider::v1beta1::provider_api_client::ProviderApiClient;
use proto::cs3::gateway::v1beta1::AuthenticateRequest;
use proto::cs3::gateway::v1beta1::gateway_api_client::GatewayApiClient;
use proto::cs3::rpc::v1beta1::Status;
use status::Kind;
use testkit::{Certificates, Layout, Mode, TestFamily, write_secret};
use workload::testing::{Agent, SpiffeAuthority};

use crate::workload::{PATIENCE, replace};

/// The path of the id of all services of the family, and that of a workload that may act for users.
const SERVICES: &str = "/services";
const CALLER: &str = "/caller";
/// Those whose listeners verify the ids of a trust domain by its bundle.
const VERIFIERS: [ServiceId; 3] = [ServiceId::Gateway, ServiceId::AuthMachine, ServiceId::AuthService];
/// How long a connection of the family is used where services have to connect anew.
const CONNECTION_AGE: Duration = Duration::from_secs(2);

/// How a call ended: accepted, refused by the service, or without an answer, as where the certificate is refused.
type Answer = Result<(), Option<Kind>>;

const REFUSED_CERTIFICATE: Answer = Err(None);

/// The trust domain `example.org`, whose X.509-SVIDs the services of a family show, and where its agent listens.
struct Svids {
    authority: SpiffeAuthority,
    folder: PathBuf,
}

impl Svids {
    /// Lets the services show X.509-SVIDs, and accept them. The authorities of the trust domain sign those for the other listeners too, which have
    /// no bundle, and the layout's own authority signs other certificates.
    fn new(layout: &mut Layout) -> Self {
        let svids = Self { authority: SpiffeAuthority::new("example.org"), folder: layout.folder().to_owned() };
        let (policy, services) = (svids.folder.join("policy.yaml"), svids.issue("svid", SERVICES));
        let caller = svids.authority.id(CALLER);
        replace(&policy, &format!("callers:\n  - {{ identity: '{caller}', may_act_for: {{ users: ['*'] }} }}\n"));
        svids.write_authorities();
        let path = |file: &Path| file.display().to_string();
        let own = svids.authority.id(SERVICES);
        for (name, value) in [
            ("OCIS_GRPC_TLS_CLIENT_SPIFFE", "true".to_owned()),
            ("OCIS_GRPC_TLS_CLIENT_CA", path(&svids.client_authorities())),
            ("OCIS_GRPC_CLIENT_TLS_CERTIFICATE", path(&services.certificate)),
            ("OCIS_GRPC_CLIENT_TLS_KEY", path(&services.key)),
            ("OCIS_SPIFFE_TRUST_DOMAINS", "example.org=workload-api".to_owned()),
            ("OCIS_SPIFFE_ENDPOINT_SOCKET", svids.endpoint()),
            ("OCIS_WORKLOAD_POLICY_FILE", path(&policy)),
            ("AUTH_MACHINE_CALLERS", format!("{own},spiffe://doorward.test/operator")),
            ("AUTH_MACHINE_TRUSTED_GATEWAYS", own),
        ] {
            layout.set(name, &value);
        }
        svids
    }

    /// Where the agent listens.
    fn socket(&self) -> PathBuf {
        self.folder.join("agent.sock")
    }

    /// The same as the setting has it.
    fn endpoint(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The file of authorities for listeners without a bundle, and for certificates that are no X.509-SVIDs.
    fn client_authorities(&self) -> PathBuf {
        self.folder.join("client-authorities.pem")
    }

    fn write_authorities(&self) {
        let family = fs::read_to_string(self.folder.join("ca.pem")).expect("the layout has an authority");
        replace(&self.client_authorities(), &format!("{family}\n{}", self.authority.certificate_authorities_pem()));
    }

    /// Puts an X.509-SVID of the trust domain into files, as spiffe-helper does.
    fn issue(&self, name: &str, path: &str) -> Certificates {
        self.issue_by(&self.authority, name, path)
    }

    /// The same of another authority.
    fn issue_by(&self, authority: &SpiffeAuthority, name: &str, path: &str) -> Certificates {
        let (certificate, key) = authority.certificate(&[&authority.id(path)]);
        let file = |name: &str| self.folder.join(name);
        let files = Certificates {
            ca: file("ca.pem"),
            certificate: file(&format!("{name}.pem")),
            key: file(&format!("{name}-key.pem")),
        };
        let next = file("next-key.pem");
        write_secret(&next, &key);
        fs::rename(&next, &files.key).expect("renames");
        replace(&files.certificate, &certificate);
        files
    }
}

/// A call of the gateway by the certificate alone, for which it asks auth-machine.
async fn at_gateway(family: &TestFamily, shown: &Certificates) -> Answer {
    let request = AuthenticateRequest {
        r#type: kind::MACHINE.to_owned(),
        client_id: "einstein".to_owned(),
        ..AuthenticateRequest::default()
    };
    let mut gateway = GatewayApiClient::new(family.channel_with(ServiceId::Gateway, shown));
    let answer = gateway.authenticate(request).await.map_err(|status| unanswered(&status))?;
    verdict(answer.into_inner().status)
}

/// A call of an authenticator with the machine key, as the gateway makes it.
async fn at_authenticator(family: &TestFamily, service: ServiceId, shown: &Certificates) -> Answer {
    let request = ProviderRequest {
        client_id: "einstein".to_owned(),
        client_secret: family.layout.machine_key.clone(),
        ..ProviderRequest::default()
    };
    let answer = ProviderApiClient::new(family.channel_with(service, shown)).authenticate(request).await;
    verdict(answer.map_err(|status| unanswered(&status))?.into_inner().status)
}

/// A service that is no authenticator answers too.
fn unanswered(status: &tonic::Status) -> Option<Kind> {
    Some(Kind::from_grpc(status.code())).filter(|kind| *kind == Kind::Unimplemented)
}

fn verdict(status: Option<Status>) -> Answer {
    Kind::from_cs3(status.unwrap_or_default().code).map_or(Ok(()), |kind| Err(Some(kind)))
}

/// Whether a listener accepts a certificate, whatever the service behind it says.
async fn is_connected(family: &TestFamily, service: ServiceId, shown: &Certificates) -> bool {
    let answer = match service {
        ServiceId::Gateway => at_gateway(family, shown).await,
        _ => at_authenticator(family, service, shown).await,
    };
    answer != REFUSED_CERTIFICATE
}

/// Waits until this is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < PATIENCE, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the gateway and what it asks accept each other and this caller.
async fn until_accepted(family: &TestFamily, shown: &Certificates) {
    until("the gateway accepts", async || at_gateway(family, shown).await == Ok(())).await;
}

/// Rows M15 and M18 of `docs/security-requirements.md`.
#[tokio::test(flavor = "multi_thread")]
async fn services_accept_each_other_by_svids_of_the_workload_api() {
    let mut layout = Layout::new("workload-svids", true);
    let svids = Svids::new(&mut layout);
    let (agent, partner) = (Agent::start(&svids.socket()), SpiffeAuthority::new("partner.org"));
    agent.push(&[&svids.authority, &partner]);
    let forged = Certificates::issue(layout.folder(), "forged", &svids.authority.id(SERVICES));
    let family = TestFamily::start_with(layout, Mode::ProcessesWithTls, |context| context).await;
    let (caller, services) = (svids.issue("caller", CALLER), svids.issue("other-svid", SERVICES));
    until_accepted(&family, &caller).await;
    assert_eq!(at_authenticator(&family, ServiceId::AuthMachine, &services).await, Ok(()));

    // another id of the trust domain connects, and may do nothing
    let other = svids.issue("other", "/other");
    let not_permitted: Answer = Err(Some(Kind::PermissionDenied));
    assert_eq!(at_gateway(&family, &other).await, not_permitted);
    for shown in [&other, &caller] {
        assert_eq!(at_authenticator(&family, ServiceId::AuthMachine, shown).await, not_permitted);
    }

    let stranger = SpiffeAuthority::new("example.org");
    for (shown, what) in [
        (svids.issue_by(&partner, "partner", SERVICES), "a trust domain of no setting, whose bundle the agent pushes"),
        (svids.issue_by(&stranger, "stranger", SERVICES), "an authority that is not in the bundle"),
        (forged, "an id of the trust domain by OCIS_GRPC_TLS_CLIENT_CA"),
    ] {
        for service in VERIFIERS {
            assert!(!is_connected(&family, service, &shown).await, "{}: {what}", service.name());
        }
    }
    for service in VERIFIERS {
        assert!(is_connected(&family, service, &services).await, "{}", service.name());
    }
    assert!(family.stop().await.into_iter().all(|code| code == 0), "every process ends with 0");
}

/// Callers that authenticate all the time, each time by a new connection, and how often they were not accepted.
struct Load {
    shown: Mutex<Certificates>,
    calls: AtomicUsize,
    failures: Mutex<Vec<Answer>>,
    is_over: AtomicBool,
}

impl Load {
    fn of(shown: Certificates) -> Self {
        let (failures, is_over) = (Mutex::default(), AtomicBool::new(false));
        Self { shown: Mutex::new(shown), calls: AtomicUsize::new(0), failures, is_over }
    }

    fn show(&self, shown: Certificates) {
        *self.shown.lock().expect("is not poisoned") = shown;
    }

    async fn call(&self, family: &TestFamily) {
        while !self.is_over.load(Ordering::SeqCst) {
            let shown = self.shown.lock().expect("is not poisoned").clone();
            let answer = at_gateway(family, &shown).await;
            if answer != Ok(()) {
                self.failures.lock().expect("is not poisoned").push(answer);
            }
            self.calls.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until more calls were made, and the services have connected anew since.
    async fn go_on(&self) {
        let enough = self.calls.load(Ordering::SeqCst) + 50;
        // a tenth more, as the age of connections is spread
        tokio::time::sleep(CONNECTION_AGE + CONNECTION_AGE / 5).await;
        until("calls are made", async || self.calls.load(Ordering::SeqCst) >= enough).await;
    }

    /// Has callers authenticate while this is done. All have to be accepted.
    async fn during(&self, family: &TestFamily, doing: impl Future<Output = ()>) {
        let doing = async {
            doing.await;
            self.is_over.store(true, Ordering::SeqCst);
        };
        let callers = async { futures_util::future::join_all((0..4).map(|_| self.call(family))).await };
        tokio::join!(doing, callers);
        assert_eq!(*self.failures.lock().expect("is not poisoned"), Vec::<Answer>::new());
    }
}

/// Rows M15 and M16 of `docs/security-requirements.md`: no call fails while the authority and the X.509-SVIDs of all services are replaced.
#[tokio::test(flavor = "multi_thread")]
async fn svids_and_their_authority_are_replaced_under_calls() {
    let mut layout = Layout::new("workload-svids-rotation", true);
    layout.set("GRPC_MAX_CONNECTION_AGE", &format!("{}s", CONNECTION_AGE.as_secs()));
    let mut svids = Svids::new(&mut layout);
    let agent = Agent::start(&svids.socket());
    agent.push(&[&svids.authority]);
    let family = TestFamily::start_with(layout, Mode::ProcessesWithTls, |context| context).await;
    let first = svids.issue("caller-0", CALLER);
    until_accepted(&family, &first).await;
    let load = Load::of(first.clone());
    let replacements = async {
        for round in 1..=3 {
            // an authority is in all bundles before it signs what is shown, and until a round after the next one does
            svids.authority.add_certificate_authority();
            if round > 2 {
                svids.authority.remove_oldest_certificate_authority();
            }
            svids.write_authorities();
            agent.push(&[&svids.authority]);
            family.hang_up();
            let next = svids.issue(&format!("caller-{round}"), CALLER);
            for service in VERIFIERS.into_iter().chain([ServiceId::Users]) {
                until(service.name(), async || is_connected(&family, service, &next).await).await;
            }
            svids.issue("svid", SERVICES);
            load.show(next);
            family.hang_up();
            load.go_on().await;
        }
        // what the services have shown at the start is not accepted any more, so that they show what was put into its place
        for service in VERIFIERS {
            until(service.name(), async || !is_connected(&family, service, &first).await).await;
        }
        load.go_on().await;
    };
    load.during(&family, replacements).await;
    family.stop().await;
}

/// Row M16 of `docs/security-requirements.md`: services start without the agent and say so; they use what it has pushed until it withdraws that.
#[tokio::test(flavor = "multi_thread")]
async fn services_start_and_go_on_without_the_workload_api() {
    let mut layout = Layout::new("workload-svids-away", true);
    let mut svids = Svids::new(&mut layout);
    let operator = Certificates::issue(layout.folder(), "operator", "spiffe://doorward.test/operator");
    let log = PathBuf::from(&layout.variables()["OCIS_LOG_FILE"]);
    let family = TestFamily::start_with(layout, Mode::ProcessesWithTls, |context| context).await;
    let is_logged = |texts: &[&str]| {
        let log = fs::read_to_string(&log).expect("a log");
        log.lines().any(|line| texts.iter().all(|text| line.contains(text)))
    };
    let caller = svids.issue("caller", CALLER);
    for service in VERIFIERS {
        assert!(!is_connected(&family, service, &caller).await, "{} has no bundle yet", service.name());
    }
    assert_eq!(at_authenticator(&family, ServiceId::AuthMachine, &operator).await, Ok(()), "no X.509-SVID is shown");
    let place = format!("{} (OCIS_SPIFFE_ENDPOINT_SOCKET) cannot be connected to", svids.endpoint());
    until("the log names the socket", async || {
        is_logged(&[&place, "until then no X.509-SVID of example.org is accepted"])
    })
    .await;

    let agent = Agent::start(&svids.socket());
    agent.push(&[&svids.authority]);
    until_accepted(&family, &caller).await;
    for service in VERIFIERS {
        until(service.name(), async || is_connected(&family, service, &caller).await).await;
    }
    drop(agent);
    until("the log names what holds", async || is_logged(&[&svids.endpoint(), "the former trust bundles stay in use"]))
        .await;
    let later = svids.issue("later", CALLER);
    for service in VERIFIERS {
        assert!(is_connected(&family, service, &later).await, "{} goes on", service.name());
    }
    assert_eq!(at_gateway(&family, &later).await, Ok(()));

    let agent = Agent::start(&svids.socket());
    svids.authority.add_certificate_authority();
    agent.push(&[&svids.authority]);
    let newest = svids.issue("newest", CALLER);
    for service in VERIFIERS {
        until(service.name(), async || is_connected(&family, service, &newest).await).await;
    }
    agent.withdraw();
    for service in VERIFIERS {
        until(service.name(), async || !is_connected(&family, service, &newest).await).await;
    }
    family.stop().await;
}
