//! A process under a service manager, as systemd starts one: the socket that it passes, and what it receives.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::{Layout, Server, binary};

/// How long what is waited for may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// `doorward server` with one service, which is the quickest to start, and with this socket by this name.
fn server(layout: &Layout, socket: TcpListener, name: &str, notify: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", r#"exec 3<&0 </dev/null; export LISTEN_PID=$$; exec "$0" server"#])
        .arg(binary("doorward"))
        .env_clear()
        .envs(layout.variables())
        .env("OCIS_RUN_SERVICES", "auth-machine")
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", name)
        .env("NOTIFY_SOCKET", notify)
        .env("WATCHDOG_USEC", "4000000")
        .stdin(OwnedFd::from(socket))
        .stdout(Stdio::null());
    command
}

/// The next message of the process that begins with this.
fn next(socket: &UnixDatagram, beginning: &str) -> String {
    let mut message = [0; 512];
    loop {
        let length = socket.recv(&mut message).unwrap_or_else(|error| panic!("{beginning}: {error}"));
        let text = String::from_utf8_lossy(&message[..length]);
        if text.starts_with(beginning) {
            return text.into_owned();
        }
    }
}

fn status_line(addr: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("sets the limit");
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("asks");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("answers");
    response.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn process_serves_the_socket_and_reports_start_reload_and_end() {
    let layout = Layout::new("process-service-manager", false);
    let notify = layout.folder().join("notify");
    let messages = UnixDatagram::bind(&notify).expect("binds");
    messages.set_read_timeout(Some(PATIENCE)).expect("sets the limit");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = socket.local_addr().expect("bound");
    let mut server = Server::run("doorward", &mut server(&layout, socket, "auth-machine-debug", &notify));

    assert_eq!(next(&messages, ""), "READY=1\nSTATUS=serving", "it is the first message");
    assert!(status_line(addr, "/livez").contains(" 200 "));
    next(&messages, "WATCHDOG=1");
    let sent = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    assert!(next(&messages, "RELOADING=1\n").contains("\nMONOTONIC_USEC="));
    next(&messages, "READY=1");
    assert_eq!(server.terminate(), 0);
    next(&messages, "STOPPING=1\n");
}

#[test]
fn process_refuses_a_socket_for_which_it_has_no_listener() {
    let layout = Layout::new("process-unknown-socket", false);
    let notify = layout.folder().join("notify");
    let messages = UnixDatagram::bind(&notify).expect("binds");
    messages.set_nonblocking(true).expect("sets the mode");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    // the name that systemd gives unless the unit says another
    let refused = server(&layout, socket, "doorward.socket", &notify).output().expect("it runs");
    let problem = String::from_utf8_lossy(&refused.stderr);
    assert_eq!((refused.status.code(), problem.lines().count()), (Some(64), 1), "{problem}");
    assert!(problem.contains("FileDescriptorName= to one of auth-machine-grpc, auth-machine-debug"), "{problem}");
    assert!(messages.recv(&mut [0; 16]).is_err(), "it is never ready");
}
