//! Backups and restores by the functions of the commands, with `SQLite` files.

use std::fs;
use std::path::PathBuf;
use std::pin::pin;

use config::{Environment, Secret};
use runtime::{Confirmation, Context, Random, block_on};
use store::transfer::{Ending, Snapshot, Tables};
use store::{Database, Options, sqlite_url};
use tempfile::TempDir;

use super::*;
use crate::cli::{Backup, PassphraseSource, Stopped};
use crate::command::{backup, migrate};
use crate::secrets::Secrets;
use crate::state::sources::{self, Use};

const PASSPHRASE: &str = "correct horse battery staple";

/// A data folder and the settings that name it.
struct Machine {
    data: PathBuf,
    settings: Settings,
    context: Context,
}

impl Machine {
    fn new(folder: &TempDir, name: &str) -> Self {
        let data = folder.path().join(name);
        let environment = Environment::from([("OCIS_BASE_DATA_PATH", data.to_str().expect("a text"))]);
        let settings = Settings::load(&environment, &Secrets::make(&Random::seeded(1))).expect("is read");
        Self { data, settings, context: Context::new(environment) }
    }

    fn states(&self) -> Vec<(ServiceId, ServiceState)> {
        self.settings.states(&self.context.environment)
    }

    fn migrate(&self, enabled: &EnabledServices) {
        block_on(migrate::run(self.states(), enabled, false)).expect("migrates");
    }

    fn backup(&self, arguments: &Backup, enabled: &EnabledServices) -> Result<(), BoxError> {
        let passphrase = arguments.with_secrets.then(|| Secret::from(PASSPHRASE));
        block_on(backup::run(arguments, passphrase.as_ref(), &self.settings, enabled, &self.context))
    }

    fn restore(&self, arguments: &Restore) -> Result<(), BoxError> {
        let confirmed = prepare(arguments, &self.data)?.expect("is confirmed");
        self.restore_confirmed(arguments, &confirmed)
    }

    fn restore_confirmed(&self, arguments: &Restore, confirmed: &Confirmed) -> Result<(), BoxError> {
        sealed_files::make_folder(&self.data)?;
        block_on(run(arguments, confirmed, &self.settings, &EnabledServices::all(), &self.context))
    }

    /// The names of the files in the data folder.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.data).expect("the folder").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn new_backup(folder: &TempDir, name: &str) -> Backup {
    let passphrase = PassphraseSource { passphrase_file: None, passphrase_stdin: false };
    Backup { file: folder.path().join(name), partial: false, with_secrets: false, passphrase, force: false }
}

fn restore_of(backup: &Backup) -> Restore {
    let passphrase_file = backup.file.with_extension("passphrase");
    fs::write(&passphrase_file, PASSPHRASE).expect("is written");
    Restore {
        file: backup.file.clone(),
        keep_credentials: false,
        force: false,
        stopped: Stopped { services_stopped: false },
        without_secrets: false,
        passphrase: PassphraseSource { passphrase_file: Some(passphrase_file), passphrase_stdin: false },
        confirmation: Confirmation { yes: true },
    }
}

fn refusal(outcome: Result<(), BoxError>) -> String {
    outcome.expect_err("is refused").to_string()
}

/// `docs/security-requirements.md#k6`
#[test]
fn restore_is_completed_when_a_signal_arrives_while_databases_are_committed() {
    let folder = folder();
    let (here, there) = (Machine::new(&folder, "here"), Machine::new(&folder, "there"));
    here.migrate(&EnabledServices::all());
    Secrets::read_or_make(&here.data, &Random::seeded(1)).expect("makes secrets");
    let backup = Backup { with_secrets: true, ..new_backup(&folder, "all.backup") };
    here.backup(&backup, &EnabledServices::all()).expect("is made");
    let arguments = restore_of(&backup);
    let confirmed = prepare(&arguments, &there.data).expect("is a backup").expect("is confirmed");
    sealed_files::make_folder(&there.data).expect("is made");

    let (enabled, staged) = (EnabledServices::all(), there.data.join("secrets.new"));
    let outcome = block_on(async {
        let mut restore = pin!(run(&arguments, &confirmed, &there.settings, &enabled, &there.context));
        let interrupted = std::future::poll_fn(|context| {
            let outcome = restore.as_mut().poll(context);
            // the last step before the first commit
            if outcome.is_pending() && staged.exists() {
                there.context.shutdown.cancel();
            }
            outcome
        });
        interrupted.await
    });
    assert!(there.context.shutdown.is_cancelled(), "the signal arrives");
    outcome.expect("is completed");
    let [before, after] = [&here, &there].map(|machine| fs::read(machine.data.join("secrets")).expect("is read"));
    assert_eq!(before, after);
    let names = there.files();
    for (_, state) in there.states() {
        assert!(names.contains(&format!("{}.db", state.service)), "{names:?}");
    }
    assert!(!names.iter().any(|name| name.contains(".new") || name.contains(".partial")), "{names:?}");
}

/// `docs/security-requirements.md#k6`
#[test]
fn interrupted_commands_leave_nothing() {
    let folder = folder();
    let (here, there) = (Machine::new(&folder, "here"), Machine::new(&folder, "there"));
    here.migrate(&EnabledServices::all());
    let backup = new_backup(&folder, "all.backup");
    here.context.shutdown.cancel();
    assert!(refusal(here.backup(&backup, &EnabledServices::all())).contains("interrupted"));
    assert!(!backup.file.exists());
    let here = Machine::new(&folder, "here");
    here.backup(&backup, &EnabledServices::all()).expect("is made");
    there.context.shutdown.cancel();
    assert!(refusal(there.restore(&restore_of(&backup))).contains("interrupted; nothing was changed"));
    assert_eq!(there.files(), Vec::<String>::new());
}

/// One database with the tables of all services.
async fn snapshot(folder: &TempDir, states: &[ServiceState]) -> Result<(Database, Snapshot), BoxError> {
    let database = Database::connect(&sqlite_url(&folder.path().join("all.db")), &Options::default()).await?;
    for state in states {
        database.bring_up_to_date(state.migrations).await?;
    }
    let snapshot = database.snapshot().await?;
    Ok((database, snapshot))
}

/// `docs/security-requirements.md#k6`
#[test]
fn failed_commit_says_which_services_are_replaced() {
    let folder = folder();
    let machine = Machine::new(&folder, "data");
    let mut states: Vec<_> = machine.states().into_iter().map(|(_, state)| state).collect();
    for state in states.iter_mut().filter(|state| state.service == "idp") {
        // a row whose reference is checked at the end alone, and refers to nothing
        state.end_credentials = |_, _| {
            let statements = [
                "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
                "CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
                "INSERT INTO children VALUES (1)",
            ];
            statements.map(|statement| Ending { what: "", statement: statement.to_owned() }).to_vec()
        };
    }
    let outcome = block_on(async {
        let (_database, snapshot) = snapshot(&folder, &states).await?;
        let targets = targets::open(states, Unseen::Refused).await?;
        targets::restore(&targets, &snapshot, false, Some(machine.context.clock.now())).await?;
        targets::commit(targets).await
    });
    let refused = refusal(outcome);
    let expected = "replaced: users, auth-basic, auth-service, auth-app; not known to be replaced: idp; \
                    as before: auth-bearer, proxy; repeat the command with --force";
    assert!(refused.starts_with("idp: ") && refused.ends_with(expected), "{refused}");
}

/// `docs/security-requirements.md#k4`
#[test]
fn backup_that_is_exchanged_after_the_question_is_refused() {
    let folder = folder();
    let (here, there) = (Machine::new(&folder, "here"), Machine::new(&folder, "there"));
    here.migrate(&EnabledServices::all());
    let [first, second] = ["first.backup", "second.backup"].map(|name| new_backup(&folder, name));
    for backup in [&first, &second] {
        here.backup(backup, &EnabledServices::all()).expect("is made");
    }
    let arguments = restore_of(&first);
    let confirmed = prepare(&arguments, &there.data).expect("is a backup").expect("is confirmed");
    fs::rename(&second.file, &first.file).expect("is exchanged");
    let refused = refusal(there.restore_confirmed(&arguments, &confirmed));
    assert!(refused.contains("another backup than the one that was confirmed"), "{refused}");
    assert_eq!(there.files(), Vec::<String>::new());
    there.restore(&arguments).expect("is confirmed anew");
}

/// `docs/security-requirements.md#k1`
#[test]
fn backup_without_the_store_of_an_enabled_service_has_to_be_asked_for() {
    let folder = folder();
    let machine = Machine::new(&folder, "data");
    machine.migrate(&EnabledServices::all());
    fs::remove_file(machine.data.join("idp.db")).expect("is removed");
    let backup = new_backup(&folder, "all.backup");
    let refused = refusal(machine.backup(&backup, &EnabledServices::all()));
    assert!(refused.contains("idp in sqlite://") && refused.contains("--partial"), "{refused}");
    assert!(!backup.file.exists());
    let without_idp = Environment::from([("OCIS_EXCLUDE_RUN_SERVICES", "idp")]);
    machine.backup(&backup, &EnabledServices::of(&without_idp).expect("names services")).expect("idp is not enabled");
    let partial = Backup { partial: true, ..new_backup(&folder, "partial.backup") };
    machine.backup(&partial, &EnabledServices::all()).expect("is asked for");
}

/// auth-service in a process of its own stores nothing unless a setting asks for it (`docs/security-requirements.md#k1`).
#[test]
fn backup_needs_no_stored_service_accounts_where_no_setting_asks_for_them() {
    let folder = folder();
    let machine = Machine::new(&folder, "data");
    machine.migrate(&EnabledServices::all());
    fs::remove_file(machine.data.join("auth-service.db")).expect("is removed");
    machine.backup(&new_backup(&folder, "all.backup"), &EnabledServices::all()).expect("is complete");
    let environment = machine.context.environment.clone().with("AUTH_SERVICE_STORE_ACCOUNTS", "true");
    let machine = Machine { context: Context::new(environment), ..machine };
    let refused = refusal(machine.backup(&new_backup(&folder, "other.backup"), &EnabledServices::all()));
    assert!(refused.contains("auth-service in sqlite://"), "{refused}");
}

/// The files of a service that was enabled once are in a backup too, and so have to be brought up to date.
#[test]
fn schemas_of_services_that_are_not_enabled_are_migrated_where_there_are_any() {
    let folder = folder();
    let machine = Machine::new(&folder, "data");
    let default = EnabledServices::of(&Environment::default()).expect("are some");
    machine.migrate(&default);
    assert!(!machine.data.join("auth-app.db").exists(), "nothing is made for a service that is not enabled");
    block_on(migrate::run(machine.states(), &default, true)).expect("nothing is missing");

    machine.migrate(&EnabledServices::all());
    let state = machine.states().into_iter().map(|(_, state)| state).find(|state| state.service == "auth-app");
    let state = state.expect("stores something");
    let forgotten = block_on(async {
        let database = Database::connect(&state.url, &state.options).await?;
        let replacement = database.begin_replacement().await?;
        let undone = replacement.end(
            |_, _| {
                let statements = [
                    "DROP INDEX app_tokens_created",
                    "DELETE FROM auth_app_migrations WHERE version = 'm20261129_000003_search'",
                ];
                statements.map(|statement| Ending { what: "", statement: statement.to_owned() }).to_vec()
            },
            machine.context.clock.now(),
        );
        undone.await?;
        replacement.commit().await?;
        Ok(database.close().await?)
    });
    forgotten.expect("is an earlier version's");
    let backup = new_backup(&folder, "all.backup");
    let refused = refusal(machine.backup(&backup, &default));
    assert!(refused.contains("m20261129_000003_search: run doorward migrate"), "{refused}");
    block_on(migrate::run(machine.states(), &default, true)).expect_err("is not up to date");
    machine.migrate(&default);
    machine.backup(&backup, &default).expect("is up to date");
}

/// A file that is open elsewhere is refused, whatever is said of services (`docs/security-requirements.md#k4`).
#[test]
fn source_that_is_in_use_is_not_copied() {
    let folder = folder();
    let machine = Machine::new(&folder, "data");
    machine.migrate(&EnabledServices::all());
    let states: Vec<_> = machine.states().into_iter().map(|(_, state)| state).collect();
    let outcome = block_on(async {
        let running = Database::connect(&states[0].url, &states[0].options).await?;
        let tables = Tables::of(states[0].migrations).await?;
        running.snapshot().await?.summaries(&tables).await?;
        let refused = sources::open(states.clone(), Use::Exclusive(Unseen::Stopped)).await;
        assert!(refused.map(drop).expect_err("is open").to_string().contains("another process has"));
        running.close().await?;
        let (sources, absent) = sources::open(states, Use::Exclusive(Unseen::Refused)).await?;
        assert_eq!((sources.len(), absent), (7, Vec::new()));
        Ok(())
    });
    outcome.expect("opens");
}
