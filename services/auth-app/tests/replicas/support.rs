//! Replicas of the service, without listeners.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use auth_app::applications::TokenRequest;
use auth_app::model::{AppToken, Kind};
use auth_app::policy::LifetimeRequest;
use auth_app::{Components, Config, Tokens};
use authn::testing::{MemoryDirectory, user};
use authn::{AuthError, Authenticated, Caller, Credentials, Grants, Permission, Scopes};
use config::{Environment, TokenManager};
use runtime::{Clock, Context};
use secrecy::SecretString;
use store::testing::Cluster;
use token::Claims;
use uuid::Uuid;

pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// The moment at which clocks of tests stand.
const NOW: Duration = Duration::from_hours(50 * 8760);

/// What became of a token that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Refused,
    Unavailable,
}

/// One replica, with all that it does by itself; it stops when it is dropped.
pub(crate) struct Replica {
    pub(crate) opened: Components,
    context: Context,
    claims: Claims,
    caller: Caller,
}

impl Replica {
    pub(crate) async fn start(url: &str, clock: &Clock, pushes: bool) -> Self {
        let jwt_secret = "the-secret-of-the-internal-tokens-32-bytes".into();
        let config = Config {
            database_url: url.into(),
            token_key: "the-key-of-the-token-digests-32-bytes".into(),
            token_manager: TokenManager { jwt_secret, ..TokenManager::default() },
            tokens: Tokens { max_tokens_per_user: 0, revocation_push: pushes, ..Tokens::default() },
            ..Config::default()
        };
        let context = Context { clock: clock.clone(), ..Context::new(Environment::default()) };
        let directory = MemoryDirectory::new([user("einstein")]);
        let opened = auth_app::open(&config, directory, &context).await.expect("the replica starts");
        for task in auth_app::app(&opened).tasks {
            tokio::spawn(task.future);
        }
        let claims = Claims {
            user: user("einstein"),
            scopes: Scopes::full_user(),
            issuer: String::new(),
            issued_at: UNIX_EPOCH,
            expires_at: UNIX_EPOCH + 2 * NOW,
            jti: None,
            amr: vec!["pwd".to_owned()],
            actor: None,
            sid: None,
            groups_omitted: false,
        };
        Self { opened, context, claims, caller: Caller::default() }
    }

    /// A new token of einstein's.
    pub(crate) async fn token(&self, life: LifetimeRequest) -> (AppToken, SecretString) {
        let acting = self.opened.applications.own(&self.claims, &self.caller, Permission::Write).expect("may manage");
        let request = TokenRequest { label: "phone".to_owned(), grants: Grants::user(), life, kind: Kind::App };
        self.opened.applications.create(&acting, request).await.expect("is made")
    }

    /// Ends a token of einstein's.
    pub(crate) async fn revoke(&self, id: Uuid) {
        let acting = self.opened.applications.own(&self.claims, &self.caller, Permission::Write).expect("may manage");
        self.opened.applications.revoke(&acting, &id.to_string()).await.expect("is revoked");
    }

    /// Ends all tokens of einstein's.
    pub(crate) async fn revoke_all(&self) {
        let acting = self.opened.applications.own(&self.claims, &self.caller, Permission::Write).expect("may manage");
        self.opened.applications.revoke_all(&acting).await.expect("are revoked");
    }

    /// What is written down of a token.
    pub(crate) async fn written(&self, id: Uuid) -> AppToken {
        self.opened.applications.any(id).await.expect("the token is there")
    }

    pub(crate) async fn authenticate(&self, secret: &SecretString) -> Result<Authenticated, AuthError> {
        self.opened.authenticator.authenticate(&Credentials::new("einstein", secret.clone())).await
    }

    /// Uses a token.
    pub(crate) async fn answer(&self, secret: &SecretString) -> Verdict {
        match self.authenticate(secret).await {
            Ok(_) => Verdict::Good,
            Err(AuthError::Refused(_)) => Verdict::Refused,
            Err(AuthError::Unavailable { .. }) => Verdict::Unavailable,
            Err(other) => panic!("neither good nor refused: {other:?}"),
        }
    }

    /// Uses a token until it is refused; how long after `begin` that is.
    pub(crate) async fn refuses_after(&self, secret: &SecretString, begin: Instant) -> Duration {
        while self.answer(secret).await != Verdict::Refused {
            assert!(begin.elapsed() < 20 * SECOND, "it is never refused");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        begin.elapsed()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.context.shutdown.cancel();
    }
}

/// Three replicas over a fresh database, whose clock stands still.
pub(crate) async fn three(cluster: &Cluster, pushes: bool) -> (Clock, [Arc<Replica>; 3]) {
    let (place, clock) = (cluster.fresh_database().await, Clock::manual(UNIX_EPOCH + NOW));
    let start = || Box::pin(Replica::start(place.url(), &clock, pushes));
    let (one, two, three) = tokio::join!(start(), start(), start());
    let [one, two, three] = [one, two, three].map(Arc::new);
    (clock, [one, two, three])
}
