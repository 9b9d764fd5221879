//! Replicas that poll when a test has them do it, and writers of every kind.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use authn::{Claim, DirectoryError, Groups, User, UserStatus};
use config::Environment;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use runtime::Context;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use store::testing::{self, Cluster, TestDatabase};
use store::{Database, MAX_STALENESS, Options, columns};

use super::*;
use crate::migration::Migrator;
use crate::{Administration, Author, Change, Components, Config, GroupRef, NewPerson, Person, PersonRef};

const SECOND: Duration = Duration::from_secs(1);

/// A replica that counts its statements.
struct Replica {
    components: Components,
    change_sync: Arc<ChangeSync>,
    database: Database,
    statements: Arc<AtomicUsize>,
}

impl Replica {
    async fn open(place: &TestDatabase) -> Self {
        Self::silent_for(place, Duration::ZERO).await
    }

    /// As it is after so long without an answer to a poll.
    async fn silent_for(place: &TestDatabase, time: Duration) -> Self {
        let database = place.open().await;
        database.migrate::<Migrator>().await.expect("the schema");
        let statements = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&statements);
        let observed = database.clone().observed(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let (people, cache) = (Arc::new(UserStore::new(observed)), Arc::new(Cache::new(6)));
        let opened = ChangeSync::open(people, cache).await.expect("it is read");
        let is_recording = opened.is_recording();
        let ChangeSync { sync, people, cache, .. } = opened;
        let sync = sync.silent_for(time);
        let change_sync = ChangeSync::new(sync, is_recording, Arc::clone(&people), Arc::clone(&cache));
        let context = Context::new(Environment::default());
        let components = crate::components(people, cache, change_sync, &Config::default(), &context);
        let change_sync = Arc::clone(&components.administration.as_ref().expect("users in SQL").change_sync);
        Self { components, change_sync, database, statements }
    }

    fn administration(&self) -> &Administration {
        self.components.administration.as_ref().expect("users in SQL can be administered")
    }

    async fn create(&self, name: &str) -> Person {
        let new = NewPerson {
            username: name.to_owned(),
            mail: format!("{name}@example.org"),
            roles: vec!["user".to_owned()],
            ..NewPerson::default()
        };
        self.administration().create_person(new).await.expect("nothing is in the way")
    }

    /// The answer to a question about one user, and by how many statements it was found.
    async fn ask(&self, claim: Claim) -> (Result<Arc<User>, DirectoryError>, usize) {
        let before = self.statements.load(Ordering::SeqCst);
        let answer = self.components.directory.user_by_claim(&claim, Groups::Include).await;
        (answer, self.statements.load(Ordering::SeqCst) - before)
    }

    async fn user(&self, name: &str) -> Arc<User> {
        self.ask(username(name)).await.0.expect("the user is there")
    }

    async fn asks_the_database_for(&self, name: &str) -> bool {
        self.ask(username(name)).await.1 > 0
    }

    fn remembers(&self, id: &str) -> bool {
        self.change_sync.cache.get(&crate::cache::Name::Id(id)).is_some()
    }

    async fn poll(&self) {
        self.change_sync.read_changes().await.expect("the database answers");
    }

    /// A poll that is answered in time, however slow the machine is.
    async fn poll_in_time(&self) {
        self.poll().await;
        self.change_sync.sync.answered_now();
    }

    /// What this replica, which has the user in memory, answers after others have made a change.
    async fn after(&self, name: &str, change: impl Future) -> Result<Arc<User>, DirectoryError> {
        self.change_sync.sync.answered_now();
        let former = self.user(name).await;
        assert!(!self.asks_the_database_for(name).await, "{name} is known");
        change.await;
        assert_eq!(self.user(name).await, former, "nothing is known of the change");
        self.poll_in_time().await;
        let (answer, statements) = self.ask(username(name)).await;
        assert!(statements > 0, "{name} is read again");
        self.poll_in_time().await;
        if answer.is_ok() {
            assert!(!self.asks_the_database_for(name).await, "a change is noted once");
        }
        answer
    }
}

fn username(name: &str) -> Claim {
    Claim::Username(name.to_owned())
}

fn who(name: &str) -> PersonRef {
    PersonRef::Username(name.to_owned())
}

fn which(name: &str) -> GroupRef {
    GroupRef::Name(name.to_owned())
}

fn by_operator() -> Change {
    Change { author: Author::Operator, ..Change::default() }
}

async fn sql(database: &Database, statement: &str) {
    database.connection().execute_unprepared(statement).await.expect(statement);
}

async fn number(database: &Database, question: &str) -> i64 {
    let question = Statement::from_string(DbBackend::Postgres, question);
    let row = database.connection().query_one_raw(question).await.expect("reads").expect("a row");
    row.try_get("", "n").expect("a number")
}

#[tokio::test]
async fn known_user_costs_no_statement_on_sqlite() {
    known_user_costs_no_statement(&Replica::open(&testing::sqlite()).await).await;
}

/// Row [U1](../../../../docs/security-requirements.md#u1).
#[tokio::test(flavor = "multi_thread")]
async fn replicas_on_postgres_follow_every_writer() {
    let Some(cluster) = Cluster::start().await else { return };
    known_user_costs_no_statement(&Replica::open(&cluster.fresh_database().await).await).await;
    changes_of_a_replica_are_seen(&cluster.fresh_database().await).await;
    changes_of_groups_are_seen(&cluster.fresh_database().await).await;
    changes_by_sql_are_seen(&cluster.fresh_database().await).await;
    long_transaction_is_dated_at_its_end(&cluster.fresh_database().await).await;
    slow_commit_is_seen(&cluster.fresh_database().await).await;
    writer_needs_no_right_to_record(&cluster.fresh_database().await).await;
    many_changes_affect_all_users(&cluster.fresh_database().await).await;
    old_records_are_pruned(&cluster.fresh_database().await).await;
}

/// Row [U2](../../../../docs/security-requirements.md#u2).
#[tokio::test(flavor = "multi_thread")]
async fn replica_on_postgres_that_may_have_missed_changes_reads() {
    let Some(cluster) = Cluster::start().await else { return };
    outdated_replica_reads_each_time(&cluster.fresh_database().await).await;
    missed_changes_end_what_is_remembered(&cluster.fresh_database().await).await;
    unrecorded_changes_mean_no_memory(&cluster.fresh_database().await).await;
    read_that_races_a_change_is_not_kept(&cluster.fresh_database().await).await;
}

async fn known_user_costs_no_statement(replica: &Replica) {
    let created = replica.create("marie").await;
    assert!(replica.asks_the_database_for("marie").await);
    let changes = replica.components.directory.changes();
    assert!(changes.is_some());
    let mail = Claim::Mail("MARIE@example.org".to_owned());
    for claim in [username("Marie"), mail, Claim::UserId(created.id.clone())] {
        let (found, statements) = replica.ask(claim.clone()).await;
        assert_eq!((&found.expect("is found").id.opaque_id, statements), (&created.id, 0), "{claim:?}");
    }
    assert_eq!(replica.components.directory.changes(), changes, "nothing was written");
    let renamed = Change { username: Some("curie".to_owned()), ..by_operator() };
    replica.administration().update_person(&who("marie"), renamed).await.expect("is renamed");
    assert_ne!(replica.components.directory.changes(), changes);
    assert!(matches!(replica.ask(username("marie")).await.0, Err(DirectoryError::NotFound)));
    assert_eq!(replica.user("curie").await.id.opaque_id, created.id);
}

async fn changes_of_a_replica_are_seen(place: &TestDatabase) {
    let (here, there) = (Replica::open(place).await, Replica::open(place).await);
    let marie = here.create("marie").await.id;
    here.create("pierre").await;
    let update = |name: &'static str, change: Change| {
        let administration = here.administration();
        Box::pin(async move { administration.update_person(&who(name), change).await.expect("is changed") })
    };
    let disabled = Change { status: Some(UserStatus::Blocked), ..by_operator() };
    assert!(!there.after("marie", update("marie", disabled)).await.expect("is found").is_active());
    let roles = Change { roles: Some(vec!["admin".to_owned()]), ..by_operator() };
    assert!(there.after("marie", update("marie", roles)).await.expect("is found").is_admin());
    let mail = Change { mail: Some("curie@example.org".to_owned()), ..by_operator() };
    assert_eq!(there.after("marie", update("marie", mail)).await.expect("is found").mail, "curie@example.org");
    let former = Claim::Mail("marie@example.org".to_owned());
    assert!(matches!(there.ask(former).await.0, Err(DirectoryError::NotFound)));
    let at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let noted = Box::pin(async { here.administration().note_password_change(&marie, at).await.expect("is noted") });
    assert_eq!(there.after("marie", noted).await.expect("is found").password_changed, Some(at));
    let renamed = Change { username: Some("curie".to_owned()), ..by_operator() };
    assert!(matches!(there.after("marie", update("marie", renamed)).await, Err(DirectoryError::NotFound)));
    assert_eq!(there.user("curie").await.id.opaque_id, marie);

    there.user("pierre").await;
    let deleted = Box::pin(async {
        here.administration().delete_person(&who("curie"), Author::Operator).await.expect("is gone")
    });
    assert!(matches!(there.after("curie", deleted).await, Err(DirectoryError::NotFound)));
    assert!(!there.asks_the_database_for("pierre").await, "others stay in memory");

    let changes = there.components.directory.changes();
    here.create("irene").await;
    there.poll().await;
    assert_ne!(there.components.directory.changes(), changes, "who was not found is found from now on");
}

async fn changes_of_groups_are_seen(place: &TestDatabase) {
    let (here, there) = (Replica::open(place).await, Replica::open(place).await);
    here.create("marie").await;
    let administration = here.administration();
    let physics = administration.create_group("physics", None, None).await.expect("is created").id;
    let chemistry = administration.create_group("chemistry", None, None).await.expect("is created").id;
    for (name, groups) in [("physics", vec![&physics]), ("chemistry", vec![&chemistry, &physics])] {
        let added = Box::pin(async { administration.add_member(&which(name), &who("marie")).await.expect("is added") });
        let found = there.after("marie", added).await.expect("is found");
        assert_eq!(found.groups.iter().collect::<Vec<_>>(), groups);
    }
    let renamed =
        Box::pin(async { administration.rename_group(&which("chemistry"), "rays").await.expect("is renamed") });
    let found = there.after("marie", renamed).await.expect("is found");
    assert_eq!(found.groups, [physics.clone(), chemistry.clone()], "in the order of their names");
    let removed =
        Box::pin(async { administration.remove_member(&which("rays"), &who("marie")).await.expect("is removed") });
    assert_eq!(there.after("marie", removed).await.expect("is found").groups, [physics]);
    let deleted = Box::pin(async { administration.delete_group(&which("physics")).await.expect("is deleted") });
    assert!(there.after("marie", deleted).await.expect("is found").groups.is_empty());
}

/// As a replica of a version that records nothing writes, or an operator.
async fn changes_by_sql_are_seen(place: &TestDatabase) {
    let (here, there) = (Replica::open(place).await, Replica::open(place).await);
    let [marie, pierre] = [here.create("marie").await.id, here.create("pierre").await.id];
    let blocked = UserStatus::Blocked as i32;
    let disable = format!("UPDATE people SET status = {blocked} WHERE id = '{marie}'");
    assert!(!there.after("marie", sql(&here.database, &disable)).await.expect("is found").is_active());
    let admin = authn::role::ADMIN;
    let promote = format!("INSERT INTO roles (user_id, role_id) VALUES ('{marie}', '{admin}')");
    assert!(there.after("marie", sql(&here.database, &promote)).await.expect("is found").is_admin());
    let give = format!("UPDATE roles SET user_id = '{pierre}' WHERE role_id = '{admin}'");
    there.user("pierre").await;
    assert!(!there.after("marie", sql(&here.database, &give)).await.expect("is found").is_admin());
    assert!(there.user("pierre").await.is_admin(), "an update affects two users");
    let clear = sql(&here.database, "TRUNCATE roles");
    assert!(there.after("pierre", clear).await.expect("is found").roles.is_empty());
    let delete = format!("DELETE FROM people WHERE id = '{marie}'");
    assert!(matches!(there.after("marie", sql(&here.database, &delete)).await, Err(DirectoryError::NotFound)));
    let records = "SELECT count(*) AS n FROM user_changes";
    let before = number(&here.database, records).await;
    sql(&here.database, "UPDATE people SET status = 2 WHERE id = 'x'; DELETE FROM roles WHERE user_id = 'x'").await;
    assert_eq!(number(&here.database, records).await, before, "no user is affected");
}

async fn long_transaction_is_dated_at_its_end(place: &TestDatabase) {
    let (here, there) = (Replica::open(place).await, Replica::open(place).await);
    let marie = here.create("marie").await.id;
    there.user("marie").await;
    there.poll().await;
    let transaction = here.database.begin_write().await.expect("begins");
    let update = format!("UPDATE people SET display_name = 'Mme Curie' WHERE id = '{marie}'");
    transaction.execute_unprepared(&update).await.expect("is written");
    let written = columns::micros(here.database.time().await.expect("the server answers").expect("has a clock"));
    there.user("marie").await;
    there.poll().await;
    assert!(there.remembers(&marie), "nothing is committed");
    transaction.commit().await.expect("is committed");
    let dated = format!("SELECT max(at) AS n FROM user_changes WHERE user_id = '{marie}'");
    assert!(number(&here.database, &dated).await > written, "so that a window that begins now has it");
    there.poll().await;
    assert_eq!(there.user("marie").await.display_name, "Mme Curie");
}

/// As if a minute had passed between the end of the transaction and its becoming visible.
async fn slow_commit_is_seen(place: &TestDatabase) {
    let (here, there) = (Replica::open(place).await, Replica::open(place).await);
    let marie = here.create("marie").await.id;
    let transaction = here.database.begin_write().await.expect("begins");
    let update = format!("UPDATE people SET status = 2 WHERE id = '{marie}'");
    let dated = "SET CONSTRAINTS user_changes_dated IMMEDIATE";
    let earlier = "UPDATE user_changes SET at = at - 60000000 WHERE at > 0";
    for statement in [update.as_str(), dated, earlier] {
        transaction.execute_unprepared(statement).await.expect(statement);
    }
    there.poll().await;
    let commit = Box::pin(async { transaction.commit().await.expect("is committed") });
    assert!(!there.after("marie", commit).await.expect("is found").is_active());
}

/// A role with rights to the tables of the version before, which cannot use what records changes for anything else.
async fn writer_needs_no_right_to_record(place: &TestDatabase) {
    let (here, there) = (Replica::open(place).await, Replica::open(place).await);
    let marie = here.create("marie").await.id;
    sql(&here.database, "CREATE ROLE former LOGIN; GRANT SELECT, UPDATE ON people TO former").await;
    let url = place.url().replace("doorward@", "former@");
    let former = Database::connect(&url, &Options::default()).await.expect("the role may connect");
    let insert = "INSERT INTO user_changes VALUES (gen_random_uuid(), NULL, 0)";
    former.connection().execute_unprepared(insert).await.expect_err("it has no right to the records");
    let disable = format!("UPDATE people SET status = 2 WHERE id = '{marie}'");
    assert!(!there.after("marie", sql(&former, &disable)).await.expect("is found").is_active());
    for function in ["users_note_changes()", "users_date_change()"] {
        let may = format!("SELECT has_function_privilege('former', '{function}', 'EXECUTE')::int::bigint AS n");
        assert_eq!(number(&here.database, &may).await, 0, "{function}");
    }
}

async fn many_changes_affect_all_users(place: &TestDatabase) {
    let replica = Replica::open(place).await;
    let marie = replica.create("marie").await.id;
    let columns = "id, username, username_key, search_text, display_name, status, created, updated";
    let people = format!(
        "INSERT INTO people ({columns}) SELECT 'id-' || n, 'user-' || n, 'user-' || n, '', '', 0, 0, 0 \
         FROM generate_series(1, 301) n"
    );
    let all = "SELECT count(*) AS n FROM user_changes WHERE user_id IS NULL AND at > 0";
    let named = "SELECT count(*) AS n FROM user_changes WHERE user_id LIKE 'id-%'";
    sql(&replica.database, &people).await;
    assert_eq!([number(&replica.database, all).await, number(&replica.database, named).await], [1, 0]);
    let group = replica.administration().create_group("physics", None, None).await.expect("is created").id;
    sql(&replica.database, &format!("INSERT INTO memberships SELECT id, '{group}' FROM people")).await;
    replica.poll().await;
    replica.user("marie").await;
    replica.administration().delete_group(&which("physics")).await.expect("is deleted");
    assert_eq!([number(&replica.database, all).await, number(&replica.database, named).await], [3, 0]);
    replica.poll().await;

    replica.user("marie").await;
    let now = columns::now(DbBackend::Postgres);
    let rows =
        format!("INSERT INTO user_changes SELECT gen_random_uuid(), 'id-1', {now} FROM generate_series(1, 10001)");
    sql(&replica.database, &rows).await;
    replica.poll().await;
    assert!(!replica.remembers(&marie), "they cannot be told apart");
}

async fn old_records_are_pruned(place: &TestDatabase) {
    let replica = Replica::open(place).await;
    replica.create("marie").await;
    let all = "SELECT count(*) AS n FROM user_changes";
    let dated = "SELECT count(*) AS n FROM user_changes WHERE at > 0";
    let recent = number(&replica.database, dated).await;
    let old = number(&replica.database, all).await - recent;
    assert!(recent > 0 && old > 0, "the records of a statement have no date of their own");
    assert_eq!(replica.change_sync.prune(1).await.expect("writes"), 1);
    let removed = replica.change_sync.prune(500).await.expect("writes");
    assert_eq!(i64::try_from(removed).expect("few"), old - 1);
    assert_eq!(number(&replica.database, all).await, recent);
}

async fn outdated_replica_reads_each_time(place: &TestDatabase) {
    let replica = Replica::silent_for(place, MAX_STALENESS + SECOND).await;
    replica.create("marie").await;
    for _ in 0..2 {
        assert!(replica.asks_the_database_for("marie").await);
        assert_eq!(replica.components.directory.changes(), None);
    }
    let shutdown = CancellationToken::new();
    let (following, stop) = (Arc::clone(&replica.change_sync), shutdown.clone());
    let following = tokio::spawn(async move { following.follow(stop).await });
    let becomes_current = async {
        while !replica.change_sync.is_current() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(10 * SECOND, becomes_current).await.expect("a poll is answered");
    shutdown.cancel();
    following.await.expect("it stops");
    replica.user("marie").await;
    assert!(!replica.asks_the_database_for("marie").await);
    assert!(replica.components.directory.changes().is_some());
}

async fn missed_changes_end_what_is_remembered(place: &TestDatabase) {
    let marie = Replica::open(place).await.create("marie").await.id;
    for (silence, is_remembered) in [(6 * SECOND, true), (12 * SECOND, false)] {
        let replica = Replica::silent_for(place, silence).await;
        replica.poll().await;
        replica.user("marie").await;
        assert!(replica.remembers(&marie));
        replica.poll().await;
        assert_eq!(replica.remembers(&marie), is_remembered, "after {silence:?}");
    }
}

async fn unrecorded_changes_mean_no_memory(place: &TestDatabase) {
    let replica = Replica::open(place).await;
    replica.create("marie").await;
    assert!(replica.change_sync.has_other_writers());
    sql(&replica.database, "ALTER TABLE memberships DISABLE TRIGGER user_changes_delete").await;
    // one that has seen the triggers, and notices that they are gone when it has to look again
    let running = replica;
    running.change_sync.sync.answered_now();
    running.user("marie").await;
    assert!(!running.asks_the_database_for("marie").await);
    *running.change_sync.looked.lock().expect("not poisoned") = None;
    running.poll().await;
    let started = Replica::open(place).await;
    for replica in [&running, &started] {
        for _ in 0..2 {
            assert!(replica.asks_the_database_for("marie").await);
            assert_eq!(replica.components.directory.changes(), None);
        }
    }

    sql(&started.database, "ALTER TABLE memberships ENABLE TRIGGER user_changes_delete").await;
    let replica = Replica::open(place).await;
    replica.change_sync.is_recording.store(false, Ordering::Release);
    replica.poll().await;
    assert!(replica.asks_the_database_for("marie").await, "it has looked a moment ago");
    *replica.change_sync.looked.lock().expect("not poisoned") = None;
    replica.poll_in_time().await;
    replica.user("marie").await;
    assert!(!replica.asks_the_database_for("marie").await);
}

/// The read has seen the user before the change, and waits for the roles while the change is made and becomes known.
async fn read_that_races_a_change_is_not_kept(place: &TestDatabase) {
    let replica = Arc::new(Replica::open(place).await);
    let marie = replica.create("marie").await.id;
    let locked = replica.database.begin_write().await.expect("begins");
    locked.execute_unprepared("LOCK TABLE roles IN ACCESS EXCLUSIVE MODE").await.expect("is locked");
    let reading = Arc::clone(&replica);
    let reading = tokio::spawn(async move { reading.user("marie").await });
    let waits = "SELECT count(*) AS n FROM pg_locks WHERE NOT granted";
    let is_waiting = async {
        while number(&replica.database, waits).await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(10 * SECOND, is_waiting).await.expect("the read waits for the lock");
    sql(&replica.database, &format!("UPDATE people SET status = 2 WHERE id = '{marie}'")).await;
    replica.poll().await;
    locked.rollback().await.expect("is unlocked");
    assert!(reading.await.expect("it ends").is_active(), "it began before the change");
    assert!(!replica.remembers(&marie));
    assert!(!replica.user("marie").await.is_active());
}

/// A change of a user of its own.
fn change_of(number: usize) -> UserChange {
    UserChange { id: Uuid::from_u128(number as u128), user_id: Some(number.to_string()) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whenever a change becomes visible, and however many polls read it.
    #[test]
    fn each_change_is_reported_once(visible in vec((0_usize..10, 1_usize..5), 0..20)) {
        let mut seen = SeenChanges::default();
        let mut reported = vec![Vec::new(); visible.len()];
        for poll in 0..15 {
            let is_visible = |(_, (first, polls)): &(usize, &(usize, usize))| (*first..first + polls).contains(&poll);
            let changes = visible.iter().enumerate().filter(is_visible);
            let recent = changes.map(|(number, _)| change_of(number)).collect();
            for user in seen.affected(recent).expect("no change affects all") {
                reported[user.parse::<usize>().expect("a number")].push(poll);
            }
        }
        let expected: Vec<_> = visible.iter().map(|(first, _)| vec![*first]).collect();
        prop_assert_eq!(reported, expected);
    }

    #[test]
    fn change_of_all_users_is_reported_once(before in 0_usize..5, others in 0_usize..5) {
        let mut seen = SeenChanges::default();
        seen.affected((0..before).map(change_of).collect()).expect("no change affects all");
        let all = UserChange { user_id: None, ..change_of(100) };
        let recent: Vec<_> = (0..before + others).map(change_of).chain([all]).collect();
        prop_assert_eq!(seen.affected(recent.clone()), None);
        prop_assert_eq!(seen.affected(recent), Some(HashSet::new()));
    }
}
