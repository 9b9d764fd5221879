//! The data folder: whose it is, who can read it, and how much fits in.

use std::fs::{self, File, Metadata, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use super::{Finding, Subject};
use crate::cli::Check;
use crate::running::processes;
use crate::secrets;

const MIB: u64 = 1024 * 1024;
/// Less free space than this ends soon: databases write logs before they write data.
const LEAST_SPACE: u64 = 100 * MIB;
/// Less free space than this is worth a look.
const LITTLE_SPACE: u64 = 1024 * MIB;

/// Checks the folder, and the files in it that hold secrets.
pub(super) fn check(folder: &Path) -> Vec<Finding> {
    let subject = Subject::new(Check::DataFolder, folder.display());
    let metadata = match fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return vec![subject.not_checked("there is none yet; the first start makes it (OCIS_BASE_DATA_PATH)")];
        }
        Err(error) => return vec![subject.failed(error, "make it readable, or correct OCIS_BASE_DATA_PATH")],
    };
    let mut findings = vec![owner(&subject, &metadata, folder), space(&subject, folder)];
    findings.extend(files(folder).into_iter().filter_map(|file| exposed(&file)));
    findings.push(lock(&subject, folder));
    findings
}

fn owner(subject: &Subject, metadata: &Metadata, folder: &Path) -> Finding {
    let (owner, own, mode) = (metadata.uid(), geteuid().as_raw(), metadata.mode() & 0o7777);
    if mode & 0o022 != 0 {
        let found = format!("other accounts can write it (mode {mode:04o})");
        return subject.failed(found, format_args!("chmod 0700 {}", folder.display()));
    }
    if owner != own {
        let found = format!("it belongs to account {owner}, and this command runs as account {own}");
        return subject
            .warning(found, "run commands as the account of the service, so that it can read what they write");
    }
    subject.ok(format_args!("it belongs to this account (mode {mode:04o})"))
}

fn space(subject: &Subject, folder: &Path) -> Finding {
    let free = match rustix::fs::statvfs(folder) {
        Ok(system) => system.f_bavail.saturating_mul(system.f_frsize),
        Err(error) => return subject.not_checked(format_args!("the free space cannot be read: {error}")),
    };
    let found = format!("{} MiB are free", free / MIB);
    let remedy = "free space there, or move the folder (OCIS_BASE_DATA_PATH)";
    match free {
        _ if free < LEAST_SPACE => subject.failed(found, remedy),
        _ if free < LITTLE_SPACE => subject.warning(found, remedy),
        _ => subject.ok(found),
    }
}

/// The secrets, databases, keys and logs of the folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let is_private = |file: &std::path::PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        // also a copy of it, and one that was not written to its end
        name.starts_with(secrets::FILE) || name == "acme.json" || extension == "key" || extension.starts_with("db")
    };
    let mut files: Vec<_> = entries.filter(is_private).collect();
    files.sort();
    files
}

/// What is wrong with the permissions of a file that holds secrets.
fn exposed(file: &Path) -> Option<Finding> {
    let subject = Subject::new(Check::DataFolder, file.display());
    match fs::metadata(file).and_then(|metadata| File::open(file).map(|_| metadata)) {
        // a side file of a database may have gone in the meantime
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            Some(subject.failed(error, "run the command as the account of the service, or correct the owner"))
        }
        Ok(metadata) if metadata.mode() & 0o077 != 0 => {
            let found = format!("other accounts can read it (mode {:04o})", metadata.mode() & 0o7777);
            Some(subject.failed(found, format_args!("chmod 0600 {}", file.display())))
        }
        Ok(_) => None,
    }
}

/// Which processes work with the folder.
fn lock(subject: &Subject, folder: &Path) -> Finding {
    let is_locked = File::open(folder.join("start.lock"))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)));
    if is_locked {
        let remedy = "wait until it has started; if that takes long, look for a process that is stopped or hangs";
        return subject.warning("a process makes files of it at this moment", remedy);
    }
    match processes(folder) {
        Err(error) => subject.warning(error, "remove the file; a running process is not noted any more then"),
        Ok(all) => {
            let running: Vec<_> =
                all.iter().filter(|process| process.is_alive()).map(|one| one.pid().to_string()).collect();
            if running.is_empty() {
                subject.ok("no process runs with it")
            } else {
                subject.ok(format_args!("in use by process {}", running.join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Outcome;
    use super::*;

    fn failed(folder: &Path) -> Vec<String> {
        let found = check(folder).into_iter().filter(|finding| finding.outcome == Outcome::Failed);
        found.map(|finding| format!("{}: {}", finding.found, finding.remedy.unwrap_or_default())).collect()
    }

    #[test]
    fn readable_secrets_and_databases_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("sets");
        mode(folder, 0o700);
        for name in [secrets::FILE, "secrets.old", "users.db", "idp.db-wal", "edge.key", "audit.log"] {
            fs::write(folder.join(name), "").expect("writes");
            mode(&folder.join(name), 0o644);
        }
        let mut found = failed(folder);
        // of the free space nothing is said here
        found.retain(|one| one.contains("can read it"));
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found.iter().all(|one| one.contains("(mode 0644): chmod 0600 /")), "{found:?}");
        mode(folder, 0o777);
        assert!(failed(folder).iter().any(|one| one.contains("can write it (mode 0777)")));
    }

    #[test]
    fn missing_folder_is_not_checked() {
        let found = check(Path::new("/nonexistent/data"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].outcome, Outcome::NotChecked);
    }

    #[test]
    fn folder_in_which_files_are_being_made_is_locked() {
        let folder = tempfile::tempdir().expect("a folder");
        let locked = || check(folder.path()).iter().any(|one| one.found.contains("at this moment"));
        let held = runtime::lock_folder(folder.path()).expect("locks");
        assert!(locked());
        drop(held);
        assert!(!locked());
    }
}
