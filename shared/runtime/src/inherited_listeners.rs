//! Sockets that the service manager has bound for this process: socket activation, `sd_listen_fds(3)`.
//!
//! The name of a socket (`FileDescriptorName=` of systemd) is the name of the listener that serves it: the service's name, a
//! hyphen, and `grpc`, `http`, `mtls`, `redirect` or `debug`.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex, PoisonError};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use config::Environment;

/// The process that the sockets are for, their number, and their names.
const PID: &str = "LISTEN_PID";
const COUNT: &str = "LISTEN_FDS";
const NAMES: &str = "LISTEN_FDNAMES";

/// Why sockets that were passed to the process cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InheritedError {
    /// The number of sockets is none.
    #[error("LISTEN_FDS: {0:?} is not a number of sockets")]
    Count(String),
    /// There is not one name for each socket.
    #[error(
        "LISTEN_FDS={count} sockets have {names} names in LISTEN_FDNAMES; set FileDescriptorName= in each socket unit"
    )]
    Names {
        /// How many sockets there are.
        count: usize,
        /// How many names there are.
        names: usize,
    },
    /// Two sockets have one name.
    #[error("LISTEN_FDNAMES: two sockets have the name {0:?}, and a listener serves one; give each a name of its own")]
    Twice(String),
    /// A socket is of a kind that no listener serves.
    #[error(
        "LISTEN_FDNAMES: {0:?} is not a listening stream socket; use ListenStream= and Accept=no in its socket unit"
    )]
    Unsuitable(String),
    /// No listener has the name of a socket.
    #[error("LISTEN_FDNAMES: no listener has the name {name:?}; set FileDescriptorName= to one of {}", known.join(", "))]
    Unknown {
        /// The name of the socket.
        name: String,
        /// The names of the listeners of this process.
        known: Vec<String>,
    },
}

/// A socket that is bound and listens.
#[derive(Debug)]
pub(crate) enum InheritedListener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The sockets that were passed to the process and that no listener has taken yet, by name. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct InheritedListeners(Arc<Mutex<BTreeMap<String, InheritedListener>>>);

impl InheritedListeners {
    /// Takes over the sockets that were passed to this process; none without a service manager that passes any. It changes the
    /// variables of the process, and must therefore run while there is one thread.
    ///
    /// # Errors
    /// When a socket has no name, or is not one that listens.
    pub(crate) fn of_process(environment: &Environment) -> Result<Self, InheritedError> {
        let names = names(environment, std::process::id())?;
        if names.is_empty() {
            return Ok(Self::default());
        }
        let (mut passed, mut listeners) = (ListenFd::from_env(), BTreeMap::new());
        for (index, name) in names.into_iter().enumerate() {
            let listener = take(&mut passed, index).filter(InheritedListener::listens);
            let listener = listener.ok_or_else(|| InheritedError::Unsuitable(name.clone()))?;
            if listeners.insert(name.clone(), listener).is_some() {
                return Err(InheritedError::Twice(name));
            }
        }
        Ok(Self(Arc::new(Mutex::new(listeners))))
    }

    /// Fails for a socket whose name is none of these.
    pub(crate) fn check(&self, known: Vec<String>) -> Result<(), InheritedError> {
        let listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match listeners.keys().find(|name| !known.contains(name)).cloned() {
            Some(name) => Err(InheritedError::Unknown { name, known }),
            None => Ok(()),
        }
    }

    /// The socket with this name, once.
    pub(crate) fn take(&self, name: &str) -> Option<InheritedListener> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// One socket, as if it had been passed to the process.
    #[cfg(test)]
    pub(crate) fn holding(name: &str, listener: InheritedListener) -> Self {
        Self(Arc::new(Mutex::new(BTreeMap::from([(name.to_owned(), listener)]))))
    }
}

impl InheritedListener {
    /// Whether it accepts connections: with `Accept=yes` systemd passes a connection instead.
    fn listens(&self) -> bool {
        let listens = match self {
            Self::Tcp(listener) => socket_acceptconn(listener),
            Self::Unix(listener) => socket_acceptconn(listener),
        };
        listens.unwrap_or_default()
    }
}

fn take(passed: &mut ListenFd, index: usize) -> Option<InheritedListener> {
    // a socket of another kind is an error, and stays where it is
    let tcp = passed.take_tcp_listener(index).ok().flatten().map(InheritedListener::Tcp);
    tcp.or_else(|| passed.take_unix_listener(index).ok().flatten().map(InheritedListener::Unix))
}

/// The names of the sockets that are passed to the process with this number.
fn names(environment: &Environment, pid: u32) -> Result<Vec<String>, InheritedError> {
    let is_for_it = environment.get(PID).and_then(|value| value.parse().ok()) == Some(pid);
    let Some(text) = environment.get_filled(COUNT).filter(|_| is_for_it) else { return Ok(Vec::new()) };
    let count: usize = text.parse().map_err(|_| InheritedError::Count(text.to_owned()))?;
    let names = environment.get_filled(NAMES).map(|names| names.split(':').map(str::to_owned).collect::<Vec<_>>());
    let names = names.unwrap_or_default();
    if names.len() == count { Ok(names) } else { Err(InheritedError::Names { count, names: names.len() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        names(&environment, 7).map_err(|error| error.to_string())
    }

    #[test]
    fn sockets_of_another_process_are_left_alone() {
        let sockets = [(COUNT, "1"), (NAMES, "proxy-http")];
        assert_eq!(found(&sockets), Ok(Vec::new()));
        assert_eq!(found(&[&sockets[..], &[(PID, "8")]].concat()), Ok(Vec::new()));
        assert_eq!(found(&[&sockets[..], &[(PID, "7")]].concat()), Ok(vec!["proxy-http".to_owned()]));
        assert_eq!(found(&[(PID, "7"), (COUNT, "0")]), Ok(Vec::new()));
    }

    #[test]
    fn each_socket_needs_a_name() {
        let sockets = |count, names| found(&[(PID, "7"), (COUNT, count), (NAMES, names)]);
        assert_eq!(sockets("2", "proxy-http:idp-http").map(|names| names.len()), Ok(2));
        for (count, names, problem) in [
            ("2", "proxy-http", "LISTEN_FDS=2 sockets have 1 names in LISTEN_FDNAMES; set FileDescriptorName="),
            ("1", "", "LISTEN_FDS=1 sockets have 0 names"),
            ("one", "proxy-http", "LISTEN_FDS: \"one\" is not a number"),
        ] {
            let error = sockets(count, names).expect_err("is refused");
            assert!(error.starts_with(problem), "{error}");
        }
    }

    #[test]
    fn socket_with_an_unknown_name_is_refused_with_the_known_ones() {
        let listener = || InheritedListener::Tcp(TcpListener::bind("127.0.0.1:0").expect("a port"));
        let known = || vec!["proxy-http".to_owned(), "proxy-debug".to_owned()];
        let error = InheritedListeners::holding("doorward.socket", listener()).check(known()).expect_err("is unknown");
        let expected = "LISTEN_FDNAMES: no listener has the name \"doorward.socket\"; set FileDescriptorName= to one of \
                        proxy-http, proxy-debug";
        assert_eq!(error.to_string(), expected);
        let inherited = InheritedListeners::holding("proxy-http", listener());
        inherited.check(known()).expect("is known");
        assert!(inherited.take("proxy-debug").is_none());
        assert!(inherited.clone().take("proxy-http").is_some() && inherited.take("proxy-http").is_none());
    }

    #[test]
    fn connection_is_not_taken_for_a_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        assert!(InheritedListener::Tcp(listener).listens());
        let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a connection");
        assert!(!InheritedListener::Unix(UnixListener::from(std::os::fd::OwnedFd::from(one))).listens());
    }
}
