//! What runs: each process that serves writes a file into the data folder, with its services and where they answer for their
//! health.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use config::ListenAddr;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// The folder of these files, in the data folder.
const FOLDER: &str = "running";

/// A process that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunningProcess {
    pid: u32,
    /// Its services, in the order they started.
    pub(crate) services: Vec<RunningService>,
}

/// A service of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunningService {
    /// Its name.
    pub(crate) name: String,
    /// Its debug server, which answers for its health.
    pub(crate) debug: ListenAddr,
    /// Whether that speaks TLS.
    #[serde(default)]
    pub(crate) debug_tls: bool,
}

impl RunningProcess {
    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether there is a process with its number. It may be another one.
    pub(crate) fn is_alive(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
    }
}

/// The file of this process, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct RunningFile(PathBuf);

impl RunningFile {
    /// Writes the file of this process, and removes those of processes that have ended without doing so. `secrets` is when the secrets that
    /// this process has read at its start were changed; the file has it as the time of its own change.
    ///
    /// # Errors
    /// When the data folder cannot be written.
    pub(crate) fn write(data: &Path, services: Vec<RunningService>, secrets: SystemTime) -> io::Result<Self> {
        let folder = data.join(FOLDER);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        for (file, process) in read_all(&folder)? {
            if process.is_ok_and(|process| !process.is_alive()) {
                fs::remove_file(file)?;
            }
        }
        let process = RunningProcess { pid: std::process::id(), services };
        let file = folder.join(format!("{}.json", process.pid));
        let temporary = file.with_extension("new");
        let mut written =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        written.write_all(&serde_json::to_vec(&process)?)?;
        written.set_modified(secrets)?;
        fs::rename(&temporary, &file)?;
        Ok(Self(file))
    }
}

impl Drop for RunningFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, file = %self.0.display(), "the file that says that this process runs is not removed");
        }
    }
}

/// The processes that serve with this data folder; some of them may have ended without removing their file.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn processes(data: &Path) -> io::Result<Vec<RunningProcess>> {
    let all = read_all(&data.join(FOLDER))?;
    let named = |(file, process): (PathBuf, io::Result<_>)| {
        process.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
    };
    all.into_iter().map(named).collect()
}

/// Whether a process that runs has this service, and has read the secrets at its start that were changed at this time.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn has_read_secrets(data: &Path, service: &str, changed: SystemTime) -> io::Result<bool> {
    let has_service = |process: &RunningProcess| process.services.iter().any(|one| one.name == service);
    let has_read = |file: &Path| fs::metadata(file).and_then(|file| file.modified()).is_ok_and(|read| read >= changed);
    let mut all = read_all(&data.join(FOLDER))?.into_iter();
    Ok(all.any(|(file, process)| {
        process.is_ok_and(|process| process.is_alive() && has_service(&process)) && has_read(&file)
    }))
}

fn read_all(folder: &Path) -> io::Result<Vec<(PathBuf, io::Result<RunningProcess>)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |file: &Path| -> io::Result<RunningProcess> { Ok(serde_json::from_slice(&fs::read(file)?)?) };
    Ok(files.into_iter().map(|file| (file.clone(), read(&file))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> Vec<RunningService> {
        let debug = ListenAddr::Tcp { host: "127.0.0.1".to_owned(), port: 9145 };
        vec![RunningService { name: "users".to_owned(), debug, debug_tls: false }]
    }

    #[test]
    fn file_is_there_while_the_process_serves() {
        let data = tempfile::tempdir().expect("a folder");
        assert!(processes(data.path()).expect("reads").is_empty());
        let file = RunningFile::write(data.path(), services(), SystemTime::UNIX_EPOCH).expect("writes");
        let found = processes(data.path()).expect("reads");
        assert_eq!(found, [RunningProcess { pid: std::process::id(), services: services() }]);
        assert!(found[0].is_alive());
        drop(file);
        assert!(processes(data.path()).expect("reads").is_empty());
    }

    #[test]
    fn files_of_ended_processes_are_removed_at_the_next_start() {
        let data = tempfile::tempdir().expect("a folder");
        let folder = data.path().join(FOLDER);
        fs::create_dir(&folder).expect("makes the folder");
        // beyond the largest number that Linux gives to a process
        let ended = RunningProcess { pid: 1 << 23, services: services() };
        assert!(!ended.is_alive());
        fs::write(folder.join("8388608.json"), serde_json::to_vec(&ended).expect("is JSON")).expect("writes");
        assert_eq!(processes(data.path()).expect("reads").len(), 1);
        let _file = RunningFile::write(data.path(), services(), SystemTime::UNIX_EPOCH).expect("writes");
        let found = processes(data.path()).expect("reads");
        assert_eq!((found.len(), found[0].pid), (1, std::process::id()));
    }

    #[test]
    fn process_that_has_read_the_present_secrets_is_found() {
        let data = tempfile::tempdir().expect("a folder");
        let at = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let has_read = |service: &str, changed| has_read_secrets(data.path(), service, at(changed)).expect("reads");
        assert!(!has_read("users", 0));
        let _file = RunningFile::write(data.path(), services(), at(2000)).expect("writes");
        assert!(has_read("users", 1999) && has_read("users", 2000));
        assert!(!has_read("users", 2001), "the secrets were changed after its start");
        assert!(!has_read("idp", 2000));
    }

    #[test]
    fn damaged_file_is_named() {
        let data = tempfile::tempdir().expect("a folder");
        fs::create_dir(data.path().join(FOLDER)).expect("makes the folder");
        fs::write(data.path().join(FOLDER).join("1.json"), "{").expect("writes");
        assert!(processes(data.path()).expect_err("is damaged").to_string().contains("1.json"));
    }
}
