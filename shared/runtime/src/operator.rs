//! The operator at a command line: whoever can read the token secret.

use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use authn::{Authenticated, User, UserId, UserType, role};
use secrecy::SecretString;
use token::{Claims, KeyRing, Minter, is_refused_token};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Status};

use crate::{Context, endpoint_of};
use authn::BoxError;
use config::{ListenAddr, TokenManager};

/// The value of `amr` in a token that a command of the operator minted. No authenticator answers with it, so only a
/// holder of the token secret can make such a token.
pub const OPERATOR: &str = "operator";

/// Whether a token is that of a command of the operator.
pub fn is_operator(claims: &Claims) -> bool {
    claims.amr.iter().any(|method| method == OPERATOR)
}

/// A running service does not accept the token of a command: another secret signed it than the service has.
#[derive(Debug, thiserror::Error)]
#[error("{0}; this command signs its token with another secret (OCIS_JWT_SECRET) than the running service has")]
pub struct ForeignToken(pub String);

/// Why the service `name`, called at `address` (the setting `variable`) with the operator's token, did not do what a command
/// asked for.
pub fn refusal(name: &str, address: &str, variable: &str, status: &Status) -> BoxError {
    match status.code() {
        Code::Unavailable | Code::Cancelled => {
            format!("{name} does not answer at {address} ({variable}): {}", status.message()).into()
        }
        _ if is_refused_token(status) => Box::new(ForeignToken(status.message().to_owned())),
        _ if status.message().is_empty() => Box::new(status.clone()),
        _ => status.message().into(),
    }
}

const NAME: &str = "doorward-cli";
/// How long a command may use its token.
const LIFETIME: Duration = Duration::from_mins(1);

/// An internal token of the operator, for one command: an administrator's, valid for a minute.
///
/// # Errors
/// When the secret is too short.
pub fn operator_token(tokens: &TokenManager, context: &Context) -> Result<MetadataValue<Ascii>, BoxError> {
    let keys = KeyRing::new(&SecretString::from(tokens.jwt_secret.expose().to_owned()), None)?;
    let id = UserId { opaque_id: NAME.to_owned(), kind: UserType::Service, ..UserId::default() };
    let operator = User { id, username: NAME.to_owned(), roles: vec![role::ADMIN.to_owned()], ..User::default() };
    let answer = Authenticated::full(Arc::new(operator), OPERATOR);
    let token = Minter::new(Arc::new(keys), LIFETIME, false).mint(context.clock.now(), &answer)?;
    let mut value = MetadataValue::try_from(token)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The endpoint of a service that listens there, if it answers right now. Blocks, for half a second at most an address.
pub fn running(address: &ListenAddr) -> Option<String> {
    let endpoint = endpoint_of(address);
    let reached = match address {
        ListenAddr::Off => false,
        ListenAddr::Unix(path) => UnixStream::connect(path).is_ok(),
        ListenAddr::Tcp { .. } => {
            let reaches = |address| TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok();
            endpoint.to_socket_addrs().is_ok_and(|mut addresses| addresses.any(reaches))
        }
    };
    reached.then_some(endpoint)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::time::UNIX_EPOCH;

    use token::Verifier;

    use super::*;
    use crate::Clock;
    use crate::testing::context;

    const SECRET: &str = "an-adequate-secret-of-32-bytes-ok";

    #[test]
    fn the_operator_is_an_administrator_for_a_minute() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let context = Context { clock: Clock::manual(now), ..context() };
        let tokens = TokenManager { jwt_secret: SECRET.into(), ..TokenManager::default() };
        let minted = operator_token(&tokens, &context).expect("is minted");
        assert!(minted.is_sensitive());
        let keys = KeyRing::new(&SecretString::from(SECRET), None).expect("a good secret");
        let claims = Verifier::new(Arc::new(keys)).verify(now, minted.to_str().expect("ASCII")).expect("is ours");
        assert!(claims.is_admin());
        assert_eq!((claims.user.id.opaque_id.as_str(), claims.user.username.as_str()), (NAME, NAME));
        assert_eq!((claims.amr, claims.expires_at), (vec![OPERATOR.to_owned()], now + LIFETIME));
        operator_token(&TokenManager::default(), &context).expect_err("has no secret");
    }

    #[test]
    fn what_answers_has_an_endpoint() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let port = listener.local_addr().expect("an address").port();
        let address = ListenAddr::Tcp { host: "0.0.0.0".into(), port };
        assert_eq!(running(&address), Some(format!("127.0.0.1:{port}")));
        drop(listener);
        assert_eq!(running(&address), None);
        assert_eq!(running(&ListenAddr::Off), None);

        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = ListenAddr::Unix(folder.path().join("echo.sock"));
        assert_eq!(running(&address), None);
        let _listener = UnixListener::bind(folder.path().join("echo.sock")).expect("binds");
        assert_eq!(running(&address), Some(crate::endpoint_of(&address)));
    }
}
