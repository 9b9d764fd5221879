//! The file of the audit log, which is renamed when it is large or old.

use std::borrow::Cow;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use config::Audit;

/// The audit log names users and their addresses: other accounts of the machine cannot read it.
const MODE: u32 = 0o640;

/// A file that lines are appended to. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::telemetry) struct AuditFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    rotation: Option<Rotation>,
    file: Mutex<Opened>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    /// Whether the last line was written only in part, as on a full disk.
    is_torn: bool,
}

impl Opened {
    /// Writes a line. It does not continue one that was written in part.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let line: Cow<'_, [u8]> =
            if self.is_torn { Cow::Owned([b"\n".as_slice(), line].concat()) } else { Cow::Borrowed(line) };
        let mut rest: &[u8] = &line;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            self.is_torn = !rest.is_empty();
        }
        Ok(())
    }
}

/// When the file is renamed, and how many renamed ones are kept.
#[derive(Clone, Copy, Debug)]
struct Rotation {
    /// The largest size in bytes.
    size: Option<u64>,
    /// The age from which it is old.
    age: Option<Duration>,
    /// How many renamed ones are kept.
    count: u32,
}

impl Rotation {
    fn of(audit: &Audit) -> Option<Self> {
        let size = (audit.max_size > 0).then_some(audit.max_size);
        let age = (!audit.max_age.is_zero()).then_some(audit.max_age);
        (size.is_some() || age.is_some()).then_some(Self { size, age, count: audit.max_files })
    }

    /// Whether the file has to be renamed before a line of this length. An empty file never is.
    fn is_due(&self, file: &Metadata, line: usize, now: SystemTime) -> bool {
        let size = file.len().saturating_add(line.try_into().unwrap_or(u64::MAX));
        let is_large = self.size.is_some_and(|largest| size > largest);
        // where the file system does not say when a file was made, only its size counts
        let age = file.created().ok().and_then(|created| now.duration_since(created).ok());
        let is_old = self.age.zip(age).is_some_and(|(oldest, age)| age >= oldest);
        file.len() > 0 && (is_large || is_old)
    }
}

impl AuditFile {
    /// Opens the file, or makes it.
    pub(in crate::telemetry) fn open(path: &Path, audit: &Audit) -> io::Result<Self> {
        let file = Mutex::new(append(path)?);
        Ok(Self(Arc::new(Inner { path: path.to_owned(), rotation: Rotation::of(audit), file })))
    }

    /// Opens the file of that name again, or makes it: the one written to until now may have been renamed or removed. If that
    /// fails, lines go on into the file that is open.
    pub(in crate::telemetry) fn reopen(&self) -> io::Result<()> {
        let file = append(&self.0.path)?;
        *self.lock() = file;
        Ok(())
    }

    pub(in crate::telemetry) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Appends a line. What is wrong with the rotation is returned, and the line is written nevertheless.
    pub(super) fn append(&self, line: &[u8], now: SystemTime) -> io::Result<Option<String>> {
        let mut file = self.lock();
        let problem = self.0.rotation.and_then(|rotation| self.rotate(&mut file, rotation, line, now).err());
        file.write(line)?;
        Ok(problem.map(|error| format!("{} cannot be rotated: {error}", self.0.path.display())))
    }

    /// Renames the file if that is due. Other processes may append to it and rename it too.
    fn rotate(&self, opened: &mut Opened, rotation: Rotation, line: &[u8], now: SystemTime) -> io::Result<()> {
        let path = &self.0.path;
        let Some(found) = self.same(&opened.file)? else {
            *opened = append(path)?;
            return Ok(());
        };
        if !rotation.is_due(&found, line.len(), now) {
            return Ok(());
        }
        match opened.file.try_lock() {
            Ok(()) => {}
            // another process renames it at this moment
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        match self.rename(&opened.file, rotation.count).and_then(|()| append(path)) {
            Ok(next) => *opened = next,
            Err(error) => {
                // other processes may try it too; the first problem is the one to report
                let _ = opened.file.unlock();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Renames the locked file, unless another process has renamed it before this one had the lock.
    fn rename(&self, file: &File, count: u32) -> io::Result<()> {
        let path = &self.0.path;
        if self.same(file)?.is_none() {
            return Ok(());
        }
        for number in (1..count).rev() {
            if_there(fs::rename(numbered(path, number), numbered(path, number + 1)))?;
        }
        fs::rename(path, numbered(path, 1))
    }

    /// What the file system says of the path, if it is the open file's.
    fn same(&self, file: &File) -> io::Result<Option<Metadata>> {
        let (open, found) = (file.metadata()?, fs::metadata(&self.0.path));
        let is_same = |found: &Metadata| (found.dev(), found.ino()) == (open.dev(), open.ino());
        Ok(found.ok().filter(is_same))
    }

    // a panic has left at most a part of a line, which the next one cannot mend
    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.0.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(path: &Path) -> io::Result<Opened> {
    let file = OpenOptions::new().create(true).append(true).mode(MODE).open(path)?;
    Ok(Opened { file, is_torn: false })
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn if_there(renamed: io::Result<()>) -> io::Result<()> {
    renamed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::Clock;

    fn audit_log(audit: &Audit) -> (TempDir, PathBuf, AuditFile) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.log");
        let file = AuditFile::open(&path, audit).expect("opens");
        (folder, path, file)
    }

    fn write(file: &AuditFile, line: &str, now: SystemTime) {
        assert_eq!(file.append(line.as_bytes(), now).expect("writes"), None);
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).expect("reads")
    }

    #[test]
    fn file_is_renamed_before_it_exceeds_its_size_and_the_oldest_one_is_removed() {
        let audit = Audit { max_size: 10, max_files: 2, ..Audit::default() };
        let (folder, path, file) = audit_log(&audit);
        let now = Clock::system().now();
        for line in ["one.\n", "two.\n", "three\n", "a line that is longer than the size\n", "five\n"] {
            write(&file, line, now);
        }
        assert_eq!(read(&path), "five\n");
        assert_eq!(read(&numbered(&path, 1)), "a line that is longer than the size\n");
        assert_eq!(read(&numbered(&path, 2)), "three\n");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3, "the oldest one is removed");
        let mode = fs::metadata(&path).expect("is there").mode();
        assert_eq!(mode & 0o007, 0, "other accounts cannot read it");
    }

    #[test]
    fn file_is_renamed_when_it_is_old() {
        let day = Duration::from_hours(24);
        let (_folder, path, file) = audit_log(&Audit { max_age: day, ..Audit::default() });
        // where the file system does not say when, the age does not matter
        let Ok(made) = fs::metadata(&path).expect("is there").created() else { return };
        write(&file, "one\n", made + day / 2);
        write(&file, "two\n", made + day);
        assert_eq!((read(&numbered(&path, 1)), read(&path)), ("one\n".into(), "two\n".into()));
    }

    #[test]
    fn file_is_not_renamed_unless_that_is_set() {
        let (folder, path, file) = audit_log(&Audit::default());
        let now = Clock::system().now() + Duration::from_hours(24 * 365);
        (0..100).for_each(|_| write(&file, "line\n", now));
        assert_eq!((read(&path).len(), fs::read_dir(folder.path()).expect("a folder").count()), (500, 1));
    }

    #[test]
    fn two_processes_lose_no_line_while_both_rotate() {
        let audit = Audit { max_size: 100, max_files: 1000, ..Audit::default() };
        let (folder, path, one) = audit_log(&audit);
        let other = AuditFile::open(&path, &audit).expect("opens");
        let now = Clock::system().now();
        std::thread::scope(|scope| {
            for file in [&one, &other] {
                scope.spawn(move || (0..200).for_each(|number| write(file, &format!("line {number}\n"), now)));
            }
        });
        let files = fs::read_dir(folder.path()).expect("a folder");
        let lines: usize = files.map(|file| read(&file.expect("a file").path()).lines().count()).sum();
        assert_eq!(lines, 400);
    }

    #[test]
    fn line_is_written_although_the_file_cannot_be_renamed() {
        let (_folder, path, file) = audit_log(&Audit { max_size: 10, max_files: 1, ..Audit::default() });
        let now = Clock::system().now();
        write(&file, "one line\n", now);
        fs::create_dir(numbered(&path, 1)).expect("is in the way");
        let problem = file.append(b"two\n", now).expect("writes").expect("a problem");
        assert!(problem.contains("audit.log cannot be rotated"), "{problem}");
        assert_eq!(read(&path), "one line\ntwo\n");
        File::open(&path).expect("opens").try_lock().expect("other processes may try to rename it");
    }

    #[test]
    fn line_after_a_part_of_one_has_its_own() {
        let (_folder, path, file) = audit_log(&Audit::default());
        let now = Clock::system().now();
        write(&file, "o", now);
        file.lock().is_torn = true;
        write(&file, "two\n", now);
        write(&file, "three\n", now);
        assert_eq!(read(&path), "o\ntwo\nthree\n");
    }

    #[test]
    fn reopened_file_has_its_old_name() {
        let (_folder, path, file) = audit_log(&Audit::default());
        let now = Clock::system().now();
        write(&file, "one\n", now);
        fs::rename(&path, numbered(&path, 1)).expect("renames");
        write(&file, "two\n", now);
        file.reopen().expect("opens");
        write(&file, "three\n", now);
        assert_eq!((read(&numbered(&path, 1)), read(&path)), ("one\ntwo\n".into(), "three\n".into()));
    }
}
