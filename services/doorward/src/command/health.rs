//! `doorward health`: asks what runs whether it is ready.

use std::path::Path;

use authn::BoxError;
use runtime::health;
use serde_json::{Value, json};

use super::say;
use crate::cli::Output;
use crate::running::{RunningProcess, RunningService, processes};

/// A service, and why it is not ready.
struct Answer {
    name: String,
    problem: Option<String>,
}

/// Runs `doorward health`. Where no process has noted that it runs with this data folder, as on a medium that cannot be
/// written, the services that are configured here are asked.
pub(crate) fn run(
    data: &Path,
    output: Output,
    configured: impl FnOnce() -> Result<Vec<RunningService>, BoxError>,
) -> Result<(), BoxError> {
    let mut answers: Vec<Answer> = processes(data)?.iter().filter_map(ask_process).flatten().collect();
    if answers.is_empty() {
        answers = configured()?.iter().map(ask).collect();
    }
    if output.json {
        super::json(&answers.iter().map(value).collect())?;
    } else {
        answers.iter().try_for_each(|Answer { name, problem }| {
            say(format_args!("{name:13}{}", problem.as_deref().unwrap_or("ready")))
        })?;
    }
    let failing: Vec<&str> =
        answers.iter().filter(|answer| answer.problem.is_some()).map(|answer| answer.name.as_str()).collect();
    if failing.is_empty() { Ok(()) } else { Err(format!("not ready: {}", failing.join(", ")).into()) }
}

/// The answers of a process; `None` for one that has ended without removing its file.
fn ask_process(process: &RunningProcess) -> Option<Vec<Answer>> {
    let answers: Vec<Answer> = process.services.iter().map(ask).collect();
    let is_gone = answers.iter().all(|answer| answer.problem.is_some()) && !process.is_alive();
    (!is_gone).then_some(answers)
}

fn ask(service: &RunningService) -> Answer {
    let problem = health(&service.debug, service.debug_tls).err().map(|error| error.to_string());
    Answer { name: service.name.clone(), problem }
}

fn value(answer: &Answer) -> Value {
    json!({ "service": answer.name, "ready": answer.problem.is_none(), "problem": answer.problem })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::SystemTime;

    use config::ListenAddr;

    use super::*;
    use crate::running::RunningFile;

    /// A debug server that answers once with this status line and body.
    fn debug_server(status: &'static str, body: &'static str) -> ListenAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accepts");
            let mut request = [0; 256];
            let read = stream.read(&mut request).expect("reads");
            assert!(request[..read].starts_with(b"GET /readyz "));
            write!(stream, "HTTP/1.0 {status}\r\n\r\n{body}").expect("writes");
        });
        ListenAddr::Tcp { host: "127.0.0.1".to_owned(), port }
    }

    fn service(name: &str, debug: ListenAddr) -> RunningService {
        RunningService { name: name.to_owned(), debug, debug_tls: false }
    }

    fn nothing() -> Result<Vec<RunningService>, BoxError> {
        Err("is not asked for".into())
    }

    #[test]
    fn health_asks_what_runs_and_not_what_is_configured() {
        let data = tempfile::tempdir().expect("a folder");
        let users = service("users", debug_server("200 OK", "OK"));
        let _file = RunningFile::write(data.path(), vec![users], SystemTime::UNIX_EPOCH).expect("writes");
        run(data.path(), Output { json: false }, nothing).expect("is ready");
    }

    #[test]
    fn service_that_is_not_ready_is_named() {
        let data = tempfile::tempdir().expect("a folder");
        let users = service("users", debug_server("200 OK", "OK"));
        let idp = service("idp", debug_server("503 Service Unavailable", "not ready: database"));
        assert_eq!(ask(&idp).problem.map(|problem| problem.ends_with("is not ready: database")), Some(true));
        let idp = service("idp", ListenAddr::Off);
        let _file = RunningFile::write(data.path(), vec![users, idp], SystemTime::UNIX_EPOCH).expect("writes");
        let error = run(data.path(), Output { json: true }, nothing).expect_err("is not ready");
        assert_eq!(error.to_string(), "not ready: idp");
    }

    #[test]
    fn configured_services_are_asked_where_nothing_is_noted() {
        let data = tempfile::tempdir().expect("a folder");
        let ready = || Ok(vec![service("users", debug_server("200 OK", "OK"))]);
        run(data.path(), Output { json: false }, ready).expect("is ready");
        let error = run(data.path(), Output { json: false }, || Ok(vec![service("users", ListenAddr::Off)]));
        assert_eq!(error.expect_err("is not ready").to_string(), "not ready: users");
    }
}
