//! Whether the connection to a server is protected: what is stored, and the password of the database, must not travel over a network
//! where others read it or answer in the server's place.

use std::net::IpAddr;

use runtime::Misconfigured;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::{Options, StoreError, url};

/// A server on another machine whose certificate is not verified.
#[derive(Debug, thiserror::Error)]
#[error(
    "the certificate of the database server {0}, which is on another machine, is not verified; add \
     sslmode=verify-full&sslrootcert=/path/to/ca.crt to the database URL, or set OCIS_INSECURE_DATABASE=true if the network itself is \
     encrypted"
)]
struct UnverifiedServer(String);

/// Refuses servers on other machines whose certificates are not verified, unless the options permit them
/// (`docs/security-requirements.md#d40`): the server itself, and the one that announcements are listened to at.
///
/// # Errors
/// [`StoreError::Misconfigured`], which names the host.
pub(crate) fn require(address: &PgConnectOptions, options: &Options) -> Result<(), StoreError> {
    let listening = url::postgres(options.listen_url.expose()).ok();
    let refused =
        |server: &&PgConnectOptions| !options.allows_unverified_server && !is_local(server) && !is_verified(server);
    match [Some(address), listening.as_ref()].into_iter().flatten().find(refused) {
        Some(server) => {
            Err(StoreError::Misconfigured(Misconfigured::new(UnverifiedServer(server.get_host().to_owned()))))
        }
        None => Ok(()),
    }
}

/// Whether the server has to be the one that is meant. `verify-ca` alone is not enough: public authorities are trusted too, so that whoever
/// has a certificate of one for any name could answer.
fn is_verified(server: &PgConnectOptions) -> bool {
    matches!(server.get_ssl_mode(), PgSslMode::VerifyFull)
}

/// Whether no other machine is called. A name counts as another machine, except `localhost`.
fn is_local(server: &PgConnectOptions) -> bool {
    let host = server.get_host();
    let is_here = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    // a path is that of a folder with the server's socket
    let is_socket = server.get_socket().is_some() || host.starts_with('/');
    is_socket || host == "localhost" || literal.is_ok_and(|address| is_here(address.to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(url: &str, options: &Options) -> Result<(), StoreError> {
        require(&url::postgres(url).expect("names a server"), options)
    }

    /// `docs/security-requirements.md#d40`
    #[test]
    fn server_on_another_machine_needs_a_verified_certificate() {
        let (strict, lenient) = (Options::default(), Options { allows_unverified_server: true, ..Options::default() });
        for server in ["database.example", "192.0.2.1:5432", "[2001:db8::1]", "localhost.evil"] {
            for mode in ["", "?sslmode=disable", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-ca"] {
                let url = format!("postgres://doorward:a-password@{server}/doorward{mode}");
                let refused = outcome(&url, &strict).expect_err(&url);
                let text = refused.to_string();
                assert!(text.contains("sslmode=verify-full") && !text.contains("a-password"), "{text}");
                assert_eq!(refused.kind(), status::Kind::FailedPrecondition, "{url}");
                outcome(&url, &lenient).expect("the operator permits it");
                let listening = Options { listen_url: url.as_str().into(), ..Options::default() };
                outcome("postgres://localhost/doorward", &listening).expect_err("announcements come from there");
            }
            let url = format!("postgres://doorward@{server}/doorward?sslmode=verify-full&sslrootcert=/ca.crt");
            outcome(&url, &strict).expect(&url);
        }
    }

    #[test]
    fn server_of_this_machine_needs_no_certificate() {
        for url in [
            "postgres://doorward@localhost/doorward",
            "postgres://doorward@127.0.0.1:5433/doorward",
            "postgres://doorward@[::1]/doorward",
            "postgres://doorward@database.example/doorward?host=/run/postgresql",
            "postgres://doorward@%2Frun%2Fpostgresql/doorward",
        ] {
            outcome(url, &Options::default()).expect(url);
        }
    }
}
