/// Where the port of an `http` redirect URI to the loopback interface may differ from the registered one: a native
/// application listens on the port that the system gives it (RFC 8252 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnyPort {
    /// Nowhere: the client is not a native application.
    #[default]
    Never,
    /// At `127.0.0.1` and `[::1]`.
    Addresses,
    /// There and at `localhost`, if that is registered literally. For clients that were built so: a name can be resolved
    /// to another machine (RFC 8252 8.3).
    AddressesAndLocalhost,
}

impl AnyPort {
    pub(super) fn covers(self, host: &str) -> bool {
        match self {
            Self::Never => false,
            Self::Addresses => is_address(host),
            Self::AddressesAndLocalhost => is_loopback(host),
        }
    }
}

/// Whether a host is the loopback interface, in one of the three ways of writing it that are taken as such.
pub(super) fn is_loopback(host: &str) -> bool {
    is_address(host) || host.eq_ignore_ascii_case("localhost")
}

fn is_address(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "[::1]")
}
