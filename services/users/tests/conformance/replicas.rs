//! How soon a change at one replica is seen at another, which has the user in memory.

use std::time::{Duration, Instant};

use authn::{Directory, UserStatus};
use config::{Environment, Secret, TokenManager};
use runtime::Context;
use store::testing::{Cluster, TestDatabase};
use users::{Author, Change, Components, Config};

use crate::tables::{named, who};

const SECOND: Duration = Duration::from_secs(1);

/// A replica with all that it does by itself; it stops when it is dropped.
struct Replica {
    opened: Components,
    context: Context,
}

impl Replica {
    async fn start(database: &TestDatabase, does_announce: bool) -> Self {
        let jwt_secret = Secret::from("the-secret-of-the-internal-tokens-32-bytes");
        let config = Config {
            database_url: Secret::from(database.url()),
            token_manager: TokenManager { jwt_secret, ..TokenManager::default() },
            ..Config::default()
        };
        let context = Context::new(Environment::default());
        let opened = users::open(&config, &context).await.expect("the database opens");
        let tasks = users::app(&opened, &config, &context).expect("the service is built").tasks;
        assert_eq!(tasks.len(), 2, "it follows changes, and removes their records");
        // without its tasks it announces nothing, as a replica behind a pooler
        for task in tasks.into_iter().filter(|_| does_announce) {
            tokio::spawn(task.future);
        }
        Self { opened, context }
    }

    fn directory(&self) -> &dyn Directory {
        &*self.opened.directory
    }

    async fn set(&self, status: UserStatus) {
        let change = Change { status: Some(status), author: Author::Operator, ..Change::default() };
        let administration = self.opened.administration.as_ref().expect("users in SQL can be administered");
        administration.update_person(&who("marie"), change).await.expect("is changed");
    }

    async fn status(&self) -> UserStatus {
        let claim = authn::Claim::Username("marie".to_owned());
        self.directory().user_by_claim(&claim, authn::Groups::Include).await.expect("the user is there").status
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.context.shutdown.cancel();
    }
}

/// The longest and the median time, of an even number of rounds, until what one replica writes is the answer of the other.
async fn delays(here: &Replica, there: &Replica, rounds: usize) -> (Duration, Duration) {
    let mut delays = Vec::new();
    for round in 0..rounds {
        let status = if round % 2 == 0 { UserStatus::Blocked } else { UserStatus::Active };
        assert_ne!(there.status().await, status, "it is in memory");
        here.set(status).await;
        let begin = Instant::now();
        assert_eq!(here.status().await, status, "where it was changed, at once");
        while there.status().await != status {
            assert!(begin.elapsed() < 20 * SECOND, "it is never seen");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        delays.push(begin.elapsed());
    }
    delays.sort();
    eprintln!("changes of a user are seen after {delays:.1?}");
    (delays[rounds - 1], delays[rounds / 2])
}

/// Row [U1](../../../../docs/security-requirements.md#u1).
#[tokio::test(flavor = "multi_thread")]
async fn change_of_a_user_reaches_the_other_postgres_replica_by_push_and_by_poll() {
    let Some(cluster) = Cluster::start().await else { return };
    let database = cluster.fresh_database().await;
    let here = Replica::start(&database, true).await;
    let there = Replica::start(&database, true).await;
    let administration = here.opened.administration.as_ref().expect("users in SQL can be administered");
    administration.create_person(named("marie")).await.expect("nothing is in the way");
    let (longest, median) = delays(&here, &there, 16).await;
    assert!(longest < SECOND, "{longest:?}");
    assert!(median < SECOND / 4, "it is pushed: {median:?}");

    let silent = Replica::start(&database, false).await;
    let (longest, _) = delays(&silent, &there, 4).await;
    assert!(longest < store::MAX_STALENESS, "{longest:?}");
}
