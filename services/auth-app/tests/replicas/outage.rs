//! A database that hangs, and one that dies: what is known of a token is believed for a few seconds, never after a revocation
//! that others could have made meanwhile.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use auth_app::policy::LifetimeRequest;
use sea_orm::{ConnectionTrait, Statement};
use secrecy::SecretString;
use store::testing::Cluster;
use store::{Database, Options};

use crate::support::{HOUR, Replica, SECOND, Verdict, three};

/// The time for which cached tokens stay valid without the database, and a margin for the database to stop.
const BELIEVED: Duration = store::MAX_STALENESS.saturating_add(Duration::from_millis(500));

/// The process that starts the server's others, and the others but for the one that answers this question.
async fn processes(database: &Database) -> (String, Vec<String>) {
    let rows = async |sql: &str| {
        let question = Statement::from_string(database.connection().get_database_backend(), sql);
        let rows = database.connection().query_all_raw(question).await.expect("reads");
        rows.iter().map(|row| row.try_get("", "pid").expect("a number")).collect::<Vec<String>>()
    };
    let first = rows("SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1) AS pid").await;
    let others = rows("SELECT pid::text AS pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()").await;
    (first.concat(), others)
}

/// Stopped processes: they go on when this is dropped, or its process ends.
struct Frozen(Child);

impl Frozen {
    fn freeze(processes: &[String]) -> Self {
        // a process that was sent the signal may go on for a moment; one that has ended (Z) needs no waiting for
        let script = r#"kill -STOP "$@"
            tries=0
            for process; do
                while [ -e "/proc/$process" ] && ! grep -q '^State:.[TZ]' "/proc/$process/status"; do
                    tries=$((tries + 1))
                    [ $tries -lt 2000 ] || { kill -CONT "$@"; exit 1; }
                    sleep 0.01
                done
            done
            echo; read -r _; kill -CONT "$@""#;
        let mut holder = Command::new("sh");
        holder.args(["-c", script, "sh"]).args(processes).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = holder.spawn().expect("sh starts");
        let mut line = String::new();
        let stdout = holder.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("sh says when they are stopped");
        assert!(!line.is_empty(), "the processes stop");
        Self(holder)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// What was seen of a token while it was used again and again.
struct Seen {
    /// How long it was found good.
    good: Duration,
    was_refused: bool,
    last: Verdict,
}

async fn used(replica: &Replica, secret: &SecretString, begin: Instant, until: Duration) -> Seen {
    let mut seen = Seen { good: Duration::ZERO, was_refused: false, last: Verdict::Unavailable };
    while begin.elapsed() < until {
        seen.last = replica.answer(secret).await;
        match seen.last {
            Verdict::Good => seen.good = begin.elapsed(),
            Verdict::Refused => seen.was_refused = true,
            Verdict::Unavailable => {}
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    seen
}

/// Until a token gets this answer again.
async fn comes_to(replica: &Replica, secret: &SecretString, wanted: Verdict) {
    let asking = async {
        while replica.answer(secret).await != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(10 * SECOND, asking).await.expect("the database is used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_stay_valid_for_seconds_while_postgres_hangs_or_is_down() {
    let Some(cluster) = Cluster::start().await else { return };
    let (_, replicas) = three(&cluster, false).await;
    let replicas = replicas.each_ref().map(|replica| &**replica);
    // one connection, so that none has to be made when the server no longer makes any
    let alone = Options { max_connections: 1, acquire_timeout: 10 * SECOND, ..Options::default() };
    let watcher = Database::connect(cluster.fresh_database().await.url(), &alone).await.expect("the database opens");
    let (kept, kept_secret) = replicas[0].token(LifetimeRequest::For(HOUR)).await;
    let (revoked, revoked_secret) = replicas[0].token(LifetimeRequest::For(HOUR)).await;
    for replica in replicas {
        assert_eq!(replica.answer(&kept_secret).await, Verdict::Good);
        assert_eq!(replica.answer(&revoked_secret).await, Verdict::Good);
    }

    let (first, _) = processes(&watcher).await;
    replicas[0].revoke(revoked.id).await;
    let begin = Instant::now();
    // the first one before it is asked for the others, so that no more can follow
    let starts_none = Frozen::freeze(std::slice::from_ref(&first));
    let frozen = (Frozen::freeze(&processes(&watcher).await.1), starts_none);
    hangs(replicas, &kept_secret, &revoked_secret, begin).await;
    drop(frozen);
    for replica in replicas {
        comes_to(replica, &kept_secret, Verdict::Good).await;
        comes_to(replica, &revoked_secret, Verdict::Refused).await;
    }
    for replica in replicas {
        assert_eq!(replica.answer(&revoked_secret).await, Verdict::Refused);
    }

    replicas[0].revoke(kept.id).await;
    let begin = Instant::now();
    let killed = Command::new("kill").args(["-QUIT", &first]).status().expect("kill starts");
    assert!(killed.success());
    is_dead(replicas, &kept_secret, begin).await;
}

/// One token was revoked at the first replica, just before the database stopped to answer; the other one is good.
async fn hangs(replicas: [&Replica; 3], kept: &SecretString, revoked: &SecretString, begin: Instant) {
    let [here, there, third] = replicas;
    // longer than the store trusts what it has read
    let until = 12 * SECOND;
    let (known, one, other, kept_one, kept_other) = tokio::join!(
        used(here, revoked, begin, until),
        used(there, revoked, begin, until),
        used(third, revoked, begin, until),
        used(here, kept, begin, until),
        used(third, kept, begin, until),
    );
    eprintln!("the database hangs: a revoked token is good for {:.1?} and {:.1?} elsewhere", one.good, other.good);
    eprintln!("the database hangs: another token is good for {:.1?} and {:.1?}", kept_one.good, kept_other.good);
    assert_eq!(known.good, Duration::ZERO, "who has revoked it knows");
    for kept in [&kept_one, &kept_other] {
        assert!(kept.good > SECOND, "a short pause is not noticed");
        assert!(!kept.was_refused, "a valid token is never refused");
    }
    for seen in [known, one, other, kept_one, kept_other] {
        assert!(seen.good < BELIEVED, "{:?}", seen.good);
        assert_eq!(seen.last, Verdict::Unavailable);
    }
}

/// A token was revoked at the first replica, just before the database died.
async fn is_dead([here, there, third]: [&Replica; 3], revoked: &SecretString, begin: Instant) {
    let until = 7 * SECOND;
    let (known, one, other) = tokio::join!(
        used(here, revoked, begin, until),
        used(there, revoked, begin, until),
        used(third, revoked, begin, until),
    );
    eprintln!("the database crashes: a revoked token is valid for {:.1?} and {:.1?} elsewhere", one.good, other.good);
    assert_eq!(known.good, Duration::ZERO, "who has revoked it knows");
    for seen in [known, one, other] {
        assert!(seen.good < BELIEVED, "{:?}", seen.good);
        assert_eq!(seen.last, Verdict::Unavailable);
    }
}
