//! The server of the database stops, hangs, refuses writes, and is replaced by its standby, under both replicas at once.

use std::time::{Duration, Instant};

use store::testing::{Balancer, Cluster};
use testkit::{Browser, access_token};
use tokio::sync::watch;

use crate::replicas::replica::{Answer, HEALTHY, Replica, two_behind_one_url};

/// How long the server does not do what it should.
const FAILURE: Duration = Duration::from_secs(8);
/// The most that a loaded machine may need until every answer is the right one again.
const RETURN: Duration = Duration::from_mins(1);

/// How a credential is used.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// At the gateway, as this type.
    Gateway(&'static str),
    /// As an access token at the edge.
    Bearer,
    /// As an app token at the edge.
    Edge,
}

/// A credential, and whether it is to be accepted.
#[derive(Debug)]
struct Credential {
    way: Way,
    id: String,
    secret: String,
    is_good: bool,
}

impl Credential {
    async fn use_at(&self, replica: &Replica) -> Answer {
        match self.way {
            Way::Gateway(kind) => replica.authenticate(kind, &self.id, &self.secret).await,
            Way::Bearer => replica.bearer(&self.secret).await,
            Way::Edge => replica.edge(&self.secret).await,
        }
    }

    fn expected(&self) -> Answer {
        if self.is_good { Answer::Accepted } else { Answer::Refused }
    }

    /// Uses it until the failure is over: it may be unavailable, but never get the answer of the opposite.
    async fn use_until(&self, replica: &Replica, mut is_over: watch::Receiver<bool>) {
        let wrong = if self.is_good { Answer::Refused } else { Answer::Accepted };
        while !*is_over.borrow_and_update() {
            let answer = self.use_at(replica).await;
            assert_ne!(answer, wrong, "{:?} of {}", self.way, self.id);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

struct World {
    replicas: [Replica; 2],
    credentials: Vec<Credential>,
}

impl World {
    async fn start(database: &str) -> Self {
        let (url, replicas) = two_behind_one_url(database).await;
        let family = &replicas[0].family;
        let (password, layout) = (family.layout.password.clone(), &family.layout);
        let client = ("web", &*format!("{url}/oidc-callback.html"));
        let access = access_token(Browser::new(), (&url, &url), client, ("einstein", &password)).await;
        let [kept, revoked] = [family.app_token("einstein").await, family.app_token("einstein").await];
        let of_disabled = family.app_token("richard").await;
        replicas[0].revoke(&revoked).await;
        let disabled = family.command(&["user", "disable", "richard"], "").await;
        assert_eq!(disabled.code, 0, "{}", disabled.stderr);
        let credentials = [
            (Way::Gateway("basic"), "einstein", &*password, true),
            // another user's, as failures are counted and slow down
            (Way::Gateway("basic"), "richard", &password, false),
            (Way::Gateway("appauth"), "einstein", &kept, true),
            (Way::Gateway("appauth"), "einstein", &revoked, false),
            (Way::Gateway("appauth"), "richard", &of_disabled, false),
            (Way::Gateway("machine"), "username:einstein", &layout.machine_key, true),
            (Way::Gateway("machine"), "username:einstein", &layout.jwt_secret, false),
            (Way::Gateway("serviceaccounts"), "jobs", &layout.service_secret, true),
            (Way::Gateway("serviceaccounts"), "jobs", &layout.machine_key, false),
            (Way::Bearer, "einstein", &access, true),
            (Way::Edge, "einstein", &kept, true),
            (Way::Edge, "einstein", &revoked, false),
        ];
        let credentials = credentials
            .map(|(way, id, secret, is_good)| Credential { way, id: id.into(), secret: secret.into(), is_good })
            .into();
        Self { replicas, credentials }
    }

    /// Each credential at each replica.
    fn uses(&self) -> impl Iterator<Item = (&Credential, &Replica)> {
        self.replicas.iter().flat_map(|replica| self.credentials.iter().map(move |credential| (credential, replica)))
    }

    /// Uses everything everywhere while the server fails.
    async fn fail(&self, failure: impl Future<Output = ()>) {
        let (sender, is_over) = watch::channel(false);
        let uses = self.uses().map(|(credential, replica)| credential.use_until(replica, is_over.clone()));
        let end = async {
            failure.await;
            sender.send_replace(true);
        };
        tokio::join!(futures_util::future::join_all(uses), end);
    }

    /// Waits until each replica is healthy, which it has to be soon, and every answer is the right one; prints how long each took.
    async fn assert_return(&self, what: &str) {
        let back = Instant::now();
        let healthy = self.replicas.iter().map(|replica| self.until_healthy(replica, back));
        let (healthy, well) = tokio::join!(futures_util::future::join_all(healthy), self.until_well(back));
        eprintln!("{what}: healthy {healthy:.1?} after its return, all is well {well:.1?} after it");
        assert!(healthy.iter().all(|duration| *duration < HEALTHY), "{what}: healthy after {healthy:?}");
    }

    /// How long it takes until a replica accepts an app token, which it has forgotten if the database was unreachable, and says that it
    /// is ready, which it is not either while the database refuses to write.
    async fn until_healthy(&self, replica: &Replica, back: Instant) -> Duration {
        let is_token = |used: &&Credential| used.is_good && matches!(used.way, Way::Gateway("appauth"));
        let token = self.credentials.iter().find(is_token).expect("an app token");
        while token.use_at(replica).await != Answer::Accepted || !replica.is_ready().await {
            assert!(back.elapsed() < RETURN, "it is not healthy");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        back.elapsed()
    }

    /// How long it takes until every answer is the right one again, and the replicas say that they are ready.
    async fn until_well(&self, begin: Instant) -> Duration {
        loop {
            let answers = self.uses().map(async |(credential, replica)| (credential, credential.use_at(replica).await));
            let answers = futures_util::future::join_all(answers).await;
            let wrong: Vec<_> =
                answers.iter().filter(|(credential, answer)| credential.expected() != *answer).collect();
            let ready = [self.replicas[0].is_ready().await, self.replicas[1].is_ready().await];
            if wrong.is_empty() && ready == [true; 2] {
                return begin.elapsed();
            }
            let is_known = |answer: &Answer| *answer == Answer::Unavailable;
            assert!(wrong.iter().all(|(_, answer)| is_known(answer)), "{wrong:?}");
            assert!(begin.elapsed() < RETURN, "ready: {ready:?}, wrong: {wrong:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Row [G14](../../../../docs/security-requirements.md#g14).
#[tokio::test(flavor = "multi_thread")]
async fn failing_postgres_has_nothing_wrong_accepted_and_is_used_again_at_once() {
    let Some(mut cluster) = Cluster::start().await else { return };
    let database = cluster.fresh_database().await;
    let balancer = Balancer::start(&database, b"").await;
    let world = World::start(balancer.url()).await;
    eprintln!("all is well after {:.1?}", world.until_well(Instant::now()).await);

    world
        .fail(async {
            cluster.crash();
            tokio::time::sleep(FAILURE).await;
        })
        .await;
    cluster.recover().await;
    world.assert_return("stopped").await;

    let paused = cluster.pause();
    world.fail(tokio::time::sleep(FAILURE)).await;
    drop(paused);
    world.assert_return("hung").await;

    cluster.refuse_writes(true);
    world.fail(tokio::time::sleep(FAILURE)).await;
    cluster.refuse_writes(false);
    world.assert_return("read-only").await;

    let standby = cluster.standby().await;
    let last = world.replicas[0].family.app_token("einstein").await;
    assert_eq!(world.replicas[1].gateway(&last).await, Answer::Accepted);
    world.replicas[0].revoke(&last).await;
    world
        .fail(async {
            cluster.crash();
            tokio::time::sleep(FAILURE).await;
            standby.promote();
        })
        .await;
    balancer.follow(&standby);
    world.assert_return("failed over").await;
    for replica in &world.replicas {
        assert_eq!(replica.both(&last).await, [Answer::Refused; 2], "the standby has what was acknowledged");
    }
}
