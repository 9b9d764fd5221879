//! The log file, which other programs rename.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing_subscriber::fmt::MakeWriter;

/// A file that lines are appended to. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct LogFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// The mode with which it is made, less the process's mask.
    mode: u32,
    file: ArcSwap<File>,
}

impl LogFile {
    /// Opens the file, or makes it with this mode.
    pub(super) fn open(path: &Path, mode: u32) -> io::Result<Self> {
        let file = ArcSwap::from_pointee(append(path, mode)?);
        Ok(Self(Arc::new(Inner { path: path.to_owned(), mode, file })))
    }

    /// Opens the file of that name again, or makes it: the one written to until now may have been renamed or removed. If that
    /// fails, lines go on into the file that is open.
    pub(super) fn reopen(&self) -> io::Result<()> {
        self.0.file.store(Arc::new(append(&self.0.path, self.0.mode)?));
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Arc<File>;

    fn make_writer(&'a self) -> Arc<File> {
        self.0.file.load_full()
    }
}

fn append(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(mode).open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn reopened_log_file_has_its_old_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, rotated) = (folder.path().join("log"), folder.path().join("log.1"));
        let log = LogFile::open(&path, 0o666).expect("opens");
        let line = |text: &str| log.make_writer().write_all(text.as_bytes()).expect("writes");
        line("one\n");
        fs::rename(&path, &rotated).expect("renames");
        line("two\n");
        log.reopen().expect("opens again");
        line("three\n");
        assert_eq!(fs::read_to_string(&rotated).expect("reads"), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).expect("reads"), "three\n");

        fs::rename(&path, &rotated).expect("renames");
        fs::create_dir(&path).expect("is in the way");
        log.reopen().expect_err("a folder is no file");
        line("four\n");
        assert_eq!(fs::read_to_string(&rotated).expect("reads"), "three\nfour\n");
    }
}
