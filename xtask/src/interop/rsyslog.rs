//! rsyslog: the audit log arrives by syslog (RFC 5424), over UDP, TCP and TLS.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Session;
use super::audit_log::{AuditLog, Received, use_token};
use super::family::Family;
use super::processes::Running;
use super::report::{Scenarios, Trouble};
use crate::tools::{self, Outcome};

/// Where it is installed: a folder that only the search path of root has.
const PROGRAMS: [&str; 2] = ["/usr/sbin/rsyslogd", "/sbin/rsyslogd"];
/// What it says without the package for TLS.
const NO_TLS: &str = "could not load module 'lmnsd_gtls'";
/// The facility of the messages, `authpriv`.
const FACILITY: u8 = 10;
/// The parts of a message as rsyslog has parsed them, one JSON object a message.
const TEMPLATE: &str = r#"template(name="parsed" type="list" option.jsonf="on") {
  property(outname="priority" name="pri" format="jsonf")
  property(outname="version" name="protocol-version" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="service" name="app-name" format="jsonf")
  property(outname="process" name="procid" format="jsonf")
  property(outname="event" name="msgid" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}
"#;

/// How messages are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    fn scheme(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP, by octet counting",
            Self::Tls => "TLS",
        }
    }

    /// The module that receives them, and what it needs to.
    fn module(self) -> (&'static str, &'static str) {
        match self {
            Self::Udp => ("imudp", ""),
            Self::Tcp => ("imtcp", ""),
            Self::Tls => ("imtcp", r#" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon""#),
        }
    }
}

/// The version of the machine's.
pub(super) fn version() -> String {
    let said = program().and_then(|program| tools::output(Command::new(program).arg("-v")).ok());
    let version = said.as_deref().and_then(|said| said.split_whitespace().nth(1));
    version.map_or_else(|| "of Debian".to_owned(), str::to_owned)
}

fn program() -> Option<PathBuf> {
    PROGRAMS.iter().map(PathBuf::from).find(|path| path.is_file())
}

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    let program = program().ok_or_else(|| Trouble::Missing("rsyslogd is not installed".to_owned()))?;
    for transport in Transport::ALL {
        let scenario = format!("the audit log by syslog over {}", transport.title());
        match arrives(session, scenarios, &program, transport) {
            Err(Trouble::Missing(reason)) => scenarios.skip(&scenario, &reason),
            Err(Trouble::Failed(reason)) => {
                scenarios.add(&scenario, Err(reason));
            }
            Ok(said) => {
                scenarios.add(&scenario, Ok(said));
            }
        }
    }
    Ok(())
}

fn arrives(
    session: &Session<'_>,
    scenarios: &Scenarios<'_>,
    program: &Path,
    transport: Transport,
) -> Result<String, Trouble> {
    let mut family = Family::prepare(session, &format!("rsyslog-{}", transport.scheme()), scenarios)?;
    let audit_log = AuditLog::of(session, &mut family)?;
    let server = Server::start(session, scenarios, program, &family, transport)?;
    family.set("OCIS_AUDIT_LOG_SYSLOG", &server.url);
    family.set("OCIS_AUDIT_LOG_SYSLOG_CACERT", family.certificates.path("ca.pem"));
    family.run()?;
    let token = use_token(&family)?;
    let lines = audit_log.wait_for(|| server.received(&token))?;
    Ok(format!("{lines} messages, each with a line of the file"))
}

/// rsyslog with a configuration of its own.
struct Server<'a> {
    _running: Running<'a>,
    /// Where it receives messages.
    url: String,
    /// Where it writes what it has received; made with the first message.
    file: PathBuf,
}

impl<'a> Server<'a> {
    fn start(
        session: &'a Session<'a>,
        scenarios: &Scenarios<'_>,
        program: &Path,
        family: &Family<'_>,
        transport: Transport,
    ) -> Result<Self, Trouble> {
        let scheme = transport.scheme();
        let folder = session.processes.folder(&format!("rsyslog-{scheme}-server"))?;
        let (address, file, pid) = (session.processes.address()?, folder.join("received"), folder.join("pid"));
        let configuration = configuration(family, &folder, address, transport);
        let configuration = family.file("rsyslog.conf", &configuration)?;
        let log = scenarios.log(&format!("rsyslog-{scheme}"));
        let mut command = Command::new(program);
        command.arg("-n").arg("-f").arg(configuration).arg("-i").arg(&pid);
        let mut running = session.processes.start(&mut command, &log)?;
        let mut lacks_tls = false;
        running.wait_for("rsyslogd is ready", 60, || {
            lacks_tls = fs::read_to_string(&log).is_ok_and(|text| text.contains(NO_TLS));
            let listens = || transport == Transport::Udp || TcpStream::connect(address).is_ok();
            lacks_tls || (pid.exists() && listens())
        })?;
        if lacks_tls {
            return Err(Trouble::Missing("rsyslog-gnutls is not installed".to_owned()));
        }
        // the name is that of the certificate
        let host = if transport == Transport::Tls { "localhost" } else { "127.0.0.1" };
        Ok(Self { _running: running, url: format!("{scheme}://{host}:{}", address.port()), file })
    }

    /// The messages so far. The token must not be there.
    fn received(&self, token: &str) -> Outcome<Vec<Received>> {
        let read = match fs::read(&self.file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|error| format!("{}: {error}", self.file.display()))?,
        };
        let text = String::from_utf8_lossy(&read);
        if text.contains(token) {
            return Err("a message contains the app token".to_owned());
        }
        // the last line may still be written
        let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
        complete.lines().map(message).collect()
    }
}

fn configuration(family: &Family<'_>, folder: &Path, address: SocketAddr, transport: Transport) -> String {
    let ((module, driver), folder) = (transport.module(), folder.display());
    let [authority, certificate, key] =
        ["ca.pem", "server.pem", "server.key"].map(|name| family.certificates.path(name));
    format!(
        "global(workDirectory=\"{folder}\" maxMessageSize=\"64k\" defaultNetstreamDriverCAFile=\"{authority}\"\n  \
         defaultNetstreamDriverCertFile=\"{certificate}\" defaultNetstreamDriverKeyFile=\"{key}\")\n\
         {TEMPLATE}ruleset(name=\"received\") {{\n  action(type=\"omfile\" file=\"{folder}/received\" template=\"parsed\")\n}}\n\
         module(load=\"{module}\"{driver})\n\
         input(type=\"{module}\" address=\"{}\" port=\"{}\" ruleset=\"received\")\n",
        address.ip(),
        address.port(),
    )
}

/// A message as it was parsed, if its header says what the line says.
fn message(line: &str) -> Outcome<Received> {
    let wrong = |error: serde_json::Error| format!("{error}: {line}");
    let mut parts: BTreeMap<String, String> = serde_json::from_str(line).map_err(wrong)?;
    let mut take = |name: &str| parts.remove(name).unwrap_or_default();
    let received = Received { service: take("service"), event: take("event"), line: take("message") };
    let event: Value = serde_json::from_str(&received.line).map_err(wrong)?;
    let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default();
    let severity = match text("level") {
        "ERROR" => 3,
        "WARN" => 4,
        _ => 6,
    };
    let priority = (FACILITY * 8 + severity).to_string();
    for (name, wanted) in
        [("priority", priority.as_str()), ("version", "1"), ("time", text("timestamp")), ("data", "-")]
    {
        let found = take(name);
        if found != wanted {
            return Err(format!("the {name} of a message is {found}, not {wanted}: {line}"));
        }
    }
    let process = take("process");
    if process.parse::<u32>().is_err() {
        return Err(format!("a message is of the process {process}: {line}"));
    }
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As rsyslog 8.2302 writes it.
    const PARSED: &str = r#"{"priority":"84", "version":"1", "time":"2026-11-30T00:34:27.627451Z", "service":"users", "process":"32422", "event":"user.create", "data":"-", "message":"{\"timestamp\":\"2026-11-30T00:34:27.627451Z\",\"level\":\"WARN\",\"event\":\"user.create\"}"}"#;

    #[test]
    fn message_has_the_line_and_what_its_header_says() {
        let Ok(Received { service, event, line }) = message(PARSED) else { panic!("the message is sound") };
        assert_eq!((&*service, &*event), ("users", "user.create"));
        assert_eq!(line, r#"{"timestamp":"2026-11-30T00:34:27.627451Z","level":"WARN","event":"user.create"}"#);
    }

    #[test]
    fn header_that_says_something_else_is_refused() {
        for (from, to, complaint) in [
            (r#""84""#, r#""86""#, "priority"),
            (r#""version":"1""#, r#""version":"0""#, "version"),
            (r#""time":"2026"#, r#""time":"2025"#, "time"),
            (r#""data":"-""#, r#""data":"[a]""#, "data"),
            ("32422", "-", "process"),
            (r#"{\""#, r#"text {\""#, "expected"),
        ] {
            let refused = message(&PARSED.replace(from, to)).err().unwrap_or_default();
            assert!(refused.contains(complaint), "{to}: {refused}");
        }
    }
}
