//! Pebble: the edge obtains its certificate by ACME, and shows it.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Session;
use super::family::Family;
use super::go_program::GoProgram;
use super::processes::{Running, get};
use super::report::{Scenarios, Trouble};
use crate::tools::{self, Outcome};

const MODULE: (&str, &str) = ("github.com/letsencrypt/pebble/v2", "v2.10.3");

pub(super) const PROGRAM: GoProgram = GoProgram::new("pebble", MODULE, "github.com/letsencrypt/pebble/v2/cmd/pebble");

/// Answers Pebble's DNS queries: every name has the address of this machine.
const RESOLVER: GoProgram =
    GoProgram::new("pebble-challtestsrv", MODULE, "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv");

/// The name of the edge, which the certificate is for.
const HOST: &str = "cloud.example.org";
/// A path that the edge answers without a sign-in.
const OPEN_PATH: &str = "/.well-known/openid-configuration";
/// Where the state of ACME is, in the data folder.
const STATE: &str = "acme.json";

/// Requests on one connection, one a second, until the edge closes it. The arguments are path, authority, host, address and the file
/// with the root.
const REQUESTS: &str = r#"
while printf 'GET %s HTTP/1.1\r\nHost: %s\r\n\r\n' "$1" "$2"; do sleep 1; done |
    openssl s_client -quiet -connect "$4" -servername "$3" -alpn http/1.1 -verify_return_error -CAfile "$5"
"#;

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    let (pebble, resolver) = (session.build(&PROGRAM)?, session.build(&RESOLVER)?);
    let mut edge = Edge::start(session, scenarios, (&pebble, &resolver), "http-01")?;
    scenarios.add("http-01: certificate issued, shown, renewal information read", edge.obtain());
    drop(edge);
    let mut edge = Edge::start(session, scenarios, (&pebble, &resolver), "tls-alpn-01")?;
    let outcome = edge.obtain().and_then(|said| edge.replace(session, scenarios).map(|()| said));
    scenarios.add("tls-alpn-01: the same, open connections continue", outcome);
    scenarios.add("plain HTTP is redirected, no foreign challenge is answered", edge.refuse());
    Ok(())
}

/// A family whose edge obtains its certificate from a Pebble of its own.
struct Edge<'a> {
    // they end in this order
    family: Family<'a>,
    pebble: Running<'a>,
    _resolver: Running<'a>,
    /// Where the edge redirects plain HTTP.
    plain: SocketAddr,
    /// The file with the root of the certificates that Pebble issues.
    root: PathBuf,
}

impl<'a> Edge<'a> {
    /// Starts the servers of Pebble, then the family.
    fn start(
        session: &'a Session<'a>,
        scenarios: &Scenarios<'_>,
        (pebble, resolver): (&Path, &Path),
        challenge: &str,
    ) -> Outcome<Self> {
        let name = format!("pebble-{challenge}");
        let mut family = Family::prepare(session, &name, scenarios)?;
        let (directory, management) = (session.processes.address()?, session.processes.address()?);
        let (names, plain) = (session.processes.address()?, session.processes.address()?);
        let resolver = start_resolver(session, resolver, names, &scenarios.log(&format!("{name}-resolver")))?;
        let file = family.file("pebble.json", &configuration(&family, [directory, management], plain))?;
        let mut command = Command::new(pebble);
        command.arg("-config").arg(file).args(["-strict", "-dnsserver", &names.to_string()]);
        // otherwise it waits for some seconds before it validates
        command.env("PEBBLE_VA_NOSLEEP", "1");
        let mut pebble = session.processes.start(&mut command, &scenarios.log(&name))?;
        let listens = || [directory, management].iter().all(|address| TcpStream::connect(address).is_ok());
        pebble.wait_for("Pebble is ready", 60, listens)?;
        let root = family.file("pebble-root.pem", &root(&family, management)?)?;
        family.without_certificate(HOST);
        for (name, value) in [
            ("PROXY_ACME_ENABLED", "true".to_owned()),
            ("PROXY_ACME_ACCEPT_TERMS", "true".to_owned()),
            ("PROXY_ACME_EMAIL", "admin@example.org".to_owned()),
            ("PROXY_ACME_CHALLENGE", challenge.to_owned()),
            ("PROXY_ACME_DIRECTORY", format!("https://{directory}/dir")),
            ("PROXY_ACME_CACERT", family.certificates.path("ca.pem")),
            ("PROXY_HTTP_REDIRECT_ADDR", plain.to_string()),
        ] {
            family.set(name, value);
        }
        family.run()?;
        Ok(Self { family, pebble, _resolver: resolver, plain, root })
    }

    /// Waits until requests are answered with a certificate of Pebble for the name, and until the edge has the window that Pebble
    /// suggests for the renewal.
    fn obtain(&mut self) -> Outcome<String> {
        let Self { family, pebble, root, .. } = self;
        pebble.wait_for("a certificate of Pebble", 120, || is_trusted(family, root))?;
        let state = family.data(STATE);
        pebble.wait_for("the renewal information", 60, || {
            fs::read_to_string(&state).is_ok_and(|text| text.contains(r#""window":{"start":"#))
        })?;
        let debug = family.debug_servers().iter().find(|(service, _)| *service == "proxy");
        let (_, debug) = debug.ok_or("the edge has no debug server")?;
        let renewal = days(&get(*debug, "/metrics")?.1).ok_or("there is no time of the renewal in the metrics")?;
        Ok(format!("for {HOST}, renewal in {renewal:.0} days"))
    }

    /// Lets the edge obtain another certificate while requests are sent on a connection that was opened with the first one.
    fn replace(&mut self, session: &Session<'_>, scenarios: &Scenarios<'_>) -> Outcome {
        let Self { family, pebble, root, .. } = self;
        let first = shown(family, root)?;
        let authority = family.url.trim_start_matches("https://");
        let mut command = Command::new("sh");
        command.args(["-c", REQUESTS, "requests", OPEN_PATH, authority, HOST, &family.edge.to_string()]).arg(&*root);
        let mut requests = session.processes.start(&mut command, &scenarios.log("open-connection"))?;
        let log = requests.log().to_owned();
        let count = || fs::read_to_string(&log).map_or(0, |text| answers(&text));
        requests.wait_for("an answer on the open connection", 60, || count() > 0)?;
        // the edge reads it every half a minute, and orders where there is none
        let state = family.data(STATE);
        fs::remove_file(&state).map_err(|error| format!("{}: {error}", state.display()))?;
        let is_other = || shown(family, root).is_ok_and(|shown| shown != first);
        pebble.wait_for("another certificate", 120, is_other)?;
        let before = count();
        // one of them may have been on its way
        requests.wait_for("answers on the open connection", 30, || count() > before + 1)
    }

    /// What the listeners answer while no order runs.
    fn refuse(&self) -> Outcome<String> {
        let redirect = format!("308 {}/x?y=z", self.family.url);
        for (path, wanted) in [("/x?y=z", redirect.as_str()), ("/.well-known/acme-challenge/foreign", "404")] {
            let said = self.answer(path)?;
            if said != wanted {
                return Err(format!("{path} by plain HTTP is answered {said}"));
            }
        }
        // without a check of the certificate: that of a challenge is self-signed
        if tools::output(handshake(&self.family).args(["-alpn", "acme-tls/1"])).is_ok() {
            return Err("a handshake for a challenge is answered".to_owned());
        }
        tools::output(handshake(&self.family).args(["-alpn", "http/1.1"])).map(|_| String::new())
    }

    /// The status of an answer by plain HTTP, and where it redirects to.
    fn answer(&self, path: &str) -> Outcome<String> {
        let mut curl = curl();
        curl.args(["--output", "/dev/null", "--write-out", "%{http_code} %{redirect_url}"]);
        curl.args(["--header", &format!("Host: {HOST}")]).arg(format!("http://{}{path}", self.plain));
        Ok(tools::output(&mut curl)?.trim().to_owned())
    }
}

fn start_resolver<'a>(
    session: &'a Session<'a>,
    resolver: &Path,
    address: SocketAddr,
    log: &Path,
) -> Outcome<Running<'a>> {
    let mut command = Command::new(resolver);
    command.args(["-dnsserver", &address.to_string(), "-management", &session.processes.address()?.to_string()]);
    command.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]);
    // the edge answers the challenges
    command.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""]);
    let mut running = session.processes.start(&mut command, log)?;
    running.wait_for("the resolver is ready", 60, || TcpStream::connect(address).is_ok())?;
    Ok(running)
}

/// Pebble's own listeners have a certificate of the run's authority. It validates at the ports of the edge.
fn configuration(family: &Family<'_>, [directory, management]: [SocketAddr; 2], plain: SocketAddr) -> String {
    let (certificate, key) = (family.certificates.path("server.pem"), family.certificates.path("server.key"));
    let (http, tls) = (plain.port(), family.edge.port());
    format!(
        r#"{{"pebble": {{
  "listenAddress": "{directory}", "managementListenAddress": "{management}",
  "certificate": "{certificate}", "privateKey": "{key}",
  "httpPort": {http}, "tlsPort": {tls}, "keyAlgorithm": "ecdsa", "retryAfter": {{"authz": 1, "order": 1}},
  "profiles": {{"default": {{"description": "90 days", "validityPeriod": 7776000}}}}
}}}}
"#
    )
}

fn curl() -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "20"]);
    curl
}

/// The root of the certificates that Pebble issues: another one each time it starts.
fn root(family: &Family<'_>, management: SocketAddr) -> Outcome<String> {
    let authority = family.certificates.path("ca.pem");
    tools::output(curl().args(["--fail", "--cacert", &authority]).arg(format!("https://{management}/roots/0")))
}

/// Whether a request is answered, with a certificate that is for the name.
fn is_trusted(family: &Family<'_>, root: &Path) -> bool {
    let resolve = format!("{HOST}:{}:127.0.0.1", family.edge.port());
    let root = root.display().to_string();
    let answer = family.request(OPEN_PATH, &["--cacert", &root, "--resolve", &resolve]);
    answer.is_ok_and(|(status, _)| status == 200)
}

/// A TLS handshake with the edge.
fn handshake(family: &Family<'_>) -> Command {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-connect", &family.edge.to_string(), "-servername", HOST]);
    openssl
}

/// The certificate that a new connection shows, in PEM format.
fn shown(family: &Family<'_>, root: &Path) -> Outcome<String> {
    let mut openssl = handshake(family);
    openssl.args(["-verify_return_error", "-verify_hostname", HOST, "-CAfile"]).arg(root);
    let said = tools::output(&mut openssl)?;
    certificate(&said).map(str::to_owned).ok_or_else(|| format!("no certificate is shown: {said}"))
}

/// The first certificate of a text.
fn certificate(text: &str) -> Option<&str> {
    let (_, text) = text.split_once("-----BEGIN CERTIFICATE-----\n")?;
    let (certificate, _) = text.split_once("-----END CERTIFICATE-----")?;
    Some(certificate)
}

/// How many requests are answered in what a connection has received.
fn answers(received: &str) -> usize {
    received.matches("HTTP/1.1 200").count()
}

/// The time until the renewal, in days.
fn days(metrics: &str) -> Option<f64> {
    let sample = metrics.lines().find(|line| line.starts_with("doorward_acme_renewal_seconds"))?;
    let (_, seconds) = sample.rsplit_once(' ')?;
    Some(seconds.parse::<f64>().ok()? / 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_of_a_handshake_is_the_first() {
        let [begin, end] = ["BEGIN", "END"].map(|word| format!("-----{word} CERTIFICATE-----\n"));
        let text = format!("CONNECTED\nServer certificate\n{begin}MIIB\nAg==\n{end}subject=\n{begin}MIIC\n{end}");
        assert_eq!(certificate(&text), Some("MIIB\nAg==\n"));
        assert_eq!(certificate(&text.replace("END", "END OF")), None);
    }

    #[test]
    fn answers_are_counted_on_one_line_too() {
        let received =
            "verify return:1\nHTTP/1.1 200 OK\r\n\r\n{\"a\":1}HTTP/1.1 200 OK\r\n\r\n{}HTTP/1.1 503 \r\n\r\n";
        assert_eq!(answers(received), 2);
    }

    #[test]
    fn time_of_the_renewal_is_in_days() {
        let name = "doorward_acme_renewal_seconds";
        let text = format!("# TYPE {name} gauge\n{name}{{service=\"proxy\"}} 5184000\n# EOF\n");
        assert_eq!(days(&text).map(|days| format!("{days:.0}")).as_deref(), Some("60"));
        assert_eq!(days("# EOF\n"), None);
    }
}
