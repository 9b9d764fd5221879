//! The URL at which browsers and clients reach the edge of this process.

use std::net::IpAddr;

use config::{ListenAddr, Section};

/// The URL where no other is configured: the address of the edge, as this machine reaches it (`docs/security-requirements.md#r8`).
/// Plain HTTP is for this machine alone, so that its URL names no other host.
pub(super) fn of_listener(http: &config::Http) -> String {
    let scheme = if http.tls.enabled { "https" } else { "http" };
    let ListenAddr::Tcp { host, port } = &http.addr else { return format!("{scheme}://localhost") };
    let is_named = http.tls.enabled && !http.addr.is_local() && !is_every_interface(host);
    let host = match host {
        _ if !is_named => "localhost".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.clone(),
    };
    match (scheme, port) {
        ("https", 443) | ("http", 80) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{port}"),
    }
}

/// Whether a URL can be that of idp: it has no path, and is https or on this machine.
pub(super) fn fits_idp(url: &str) -> bool {
    idp::Config { url: url.to_owned(), ..idp::Config::default() }.validate().is_ok()
}

fn is_every_interface(host: &str) -> bool {
    host.is_empty() || host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_of_listener_is_its_address_as_this_machine_reaches_it() {
        let url = |addr: &str, tls: bool| {
            let mut http = config::defaults::<config::Http>();
            http.addr = addr.to_owned().try_into().expect("is an address");
            http.tls.enabled = tls;
            of_listener(&http)
        };
        for (addr, expected) in [
            ("0.0.0.0:9200", "https://localhost:9200"),
            (":9200", "https://localhost:9200"),
            ("[::]:9200", "https://localhost:9200"),
            ("127.0.0.1:8443", "https://localhost:8443"),
            ("0.0.0.0:443", "https://localhost"),
            ("192.0.2.7:9200", "https://192.0.2.7:9200"),
            ("[2001:db8::1]:9200", "https://[2001:db8::1]:9200"),
            ("cloud.example:443", "https://cloud.example"),
        ] {
            assert_eq!(url(addr, true), expected);
            assert!(fits_idp(expected), "{expected}");
        }
        assert_eq!(url("192.0.2.7:9200", false), "http://localhost:9200");
        assert!(!fits_idp("http://cloud.example") && !fits_idp("https://cloud.example/path"));
    }
}
