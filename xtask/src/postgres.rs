//! What `cargo xtask test --postgres` leaves out: tests that are about files of `SQLite`, by their names.

use std::process::Command;

use crate::tools::{self, Workspace};

/// Tests that are about one thing of `SQLite`.
struct LeftOut {
    /// Texts of which a test's name, with its modules, contains one.
    names: &'static [&'static str],
    reason: &'static str,
}

const LEFT_OUT: [LeftOut; 3] = [
    LeftOut { names: &["sqlite"], reason: "the name says that it is about SQLite" },
    LeftOut {
        names: &["full_disk_loses_nothing_acknowledged", "full_tmpfs_loses_nothing_acknowledged"],
        reason: "the disk that is full is the one with the files of SQLite",
    },
    LeftOut {
        names: &[
            "backup_under_load_is_restored_elsewhere",
            "family_moves_to_postgres_and_back",
            "partial_backup_is_restored_on_a_new_machine",
        ],
        reason: "it begins with files of SQLite, which it removes, or of which it expects that one process locks them",
    },
];

/// The filter of nextest for all other tests.
pub(crate) fn filter() -> String {
    let names: Vec<String> = names().map(|name| format!("test(/{name}/)")).collect();
    format!("not ({})", names.join(" | "))
}

/// The same as arguments of the tests themselves.
pub(crate) fn skip() -> Vec<String> {
    names().flat_map(|name| ["--skip".to_owned(), name.to_owned()]).collect()
}

/// The same command with a server that is there as long as it runs. The variable that names the server is set for all tests.
pub(crate) fn with_server(workspace: &Workspace, command: &Command) -> Command {
    let mut with_server = workspace.program(&workspace.binary("with-postgres"));
    with_server.arg(command.get_program()).args(command.get_args());
    with_server
}

/// Says what is left out, and why.
pub(crate) fn say_what_is_left_out() {
    for LeftOut { names, reason } in &LEFT_OUT {
        for name in *names {
            tools::say(&format!("left out: tests with `{name}` in their names: {reason}"));
        }
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    LEFT_OUT.iter().flat_map(|left_out| left_out.names.iter().copied())
}
