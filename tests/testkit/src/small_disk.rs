//! A disk of its own for a family's data: a tmpfs that only its processes see.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Mounts the disk in a namespace of its own, and obeys the orders on its standard input until it ends.
const HOLDER: &str = r#"mount -t tmpfs -o "size=$2" tmpfs "$1" || exit 1
echo mounted
while read -r order; do
    case $order in
        fill) cat /dev/zero >"$1/filler" 2>/dev/null ;;
        free) rm -f "$1/filler" ;;
    esac
    echo "$order"
done"#;

/// A mounted disk, until this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl SmallDisk {
    /// Mounts a disk of so many MiB at a folder that exists.
    ///
    /// # Errors
    /// Where this machine does not let this account make mount namespaces.
    pub fn mount(folder: &Path, mebibytes: u32) -> Result<Self, String> {
        let mut holder = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", HOLDER, "sh"])
            .arg(folder)
            .arg(format!("{mebibytes}m"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare cannot be started: {error}"))?;
        let (Some(orders), Some(answers)) = (holder.stdin.take(), holder.stdout.take()) else {
            return Err("unshare has no pipes".to_owned());
        };
        let mut disk = Self { holder, orders, answers: BufReader::new(answers) };
        if disk.answer().is_ok_and(|line| line == "mounted") {
            return Ok(disk);
        }
        let complaint = disk.holder.stderr.take().map(io::read_to_string).and_then(Result::ok).unwrap_or_default();
        Err(format!("no tmpfs can be mounted in a namespace: {}", complaint.trim()))
    }

    /// What a command begins with that is to see the disk.
    pub(crate) fn prefix(&self) -> Vec<String> {
        let pid = self.holder.id().to_string();
        ["nsenter", "--target", &pid, "--user", "--mount", "--preserve-credentials", "--"].map(str::to_owned).into()
    }

    /// Takes all space that is left.
    ///
    /// # Panics
    /// When the disk is gone.
    pub fn fill(&mut self) {
        self.order("fill");
    }

    /// Gives back what [`fill`](Self::fill) has taken.
    ///
    /// # Panics
    /// When the disk is gone.
    pub fn free(&mut self) {
        self.order("free");
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("the disk is mounted");
        assert_eq!(self.answer().expect("the disk is mounted"), order);
    }

    fn answer(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
