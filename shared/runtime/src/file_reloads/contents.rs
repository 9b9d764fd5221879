//! What files hold, and whether what replaces it is complete.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::missing_list;
use secrecy::{ExposeSecret, SecretSlice};

use crate::Reload;
use crate::reload::{Content, hash};

/// What files hold; nothing for those that cannot be read. Some of them hold secrets: it is never shown, and wiped at its end. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents(Arc<BTreeMap<PathBuf, Option<SecretSlice<u8>>>>);

impl Contents {
    /// Reads the files, which blocks.
    pub(super) fn read(files: &[PathBuf]) -> Self {
        let content = |file: &PathBuf| std::fs::read(file).ok().map(SecretSlice::from);
        Self(Arc::new(files.iter().map(|file| (file.clone(), content(file))).collect()))
    }

    /// The files.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.0.keys().cloned().collect()
    }

    /// Has changes announced that the files have had since they held this.
    pub(super) fn watch(&self, reload: &Reload) {
        for (file, content) in self.hashes() {
            reload.watch_since(file.clone(), content);
        }
    }

    fn hashes(&self) -> impl Iterator<Item = (&PathBuf, Content)> {
        self.0.iter().map(|(file, content)| (file, content.as_ref().map(|content| hash(content.expose_secret()))))
    }

    fn content(&self, file: &Path) -> Option<&[u8]> {
        let content = self.0.get(file)?.as_ref()?;
        Some(content.expose_secret())
    }

    /// Refuses files of which an editor, a copy or a full disk has left only a part of what they held `before`. Such a file can be valid, but
    /// without its rules the service would refuse too little, and without its clients revoke too much
    /// (`docs/security-requirements.md#e30`). A file that cannot be read passes, as reading it for use fails too. Only the files that the
    /// setting names are checked: others are files of secrets, which become shorter or empty when a former secret is ended.
    ///
    /// # Errors
    /// [`IncompleteFile`] for the first such file.
    pub(super) fn check_complete(&self, before: &Self, named: &[PathBuf]) -> Result<(), IncompleteFile> {
        for file in named {
            if let (Some(before), Some(content)) = (before.content(file), self.content(file)) {
                check_complete(file, before, content)?;
            }
        }
        Ok(())
    }
}

impl PartialEq for Contents {
    fn eq(&self, other: &Self) -> bool {
        self.hashes().eq(other.hashes())
    }
}

/// A file that has only a part of what it had.
#[derive(Debug, thiserror::Error)]
pub(super) enum IncompleteFile {
    /// It says nothing any more.
    #[error("{} is empty; write an empty list into it to remove what it had", .0.display())]
    Empty(PathBuf),
    /// It ends before what was read before does.
    #[error(
        "{} is the beginning of what was read before, like a file that is not written to its end; if it is complete, write a comment as its last line, like # end",
        .0.display()
    )]
    Cut(PathBuf),
    /// It lacks a list.
    #[error("{} has no list {list:?} any more; write an empty one, like {list}: [], to remove what it had", file.display())]
    WithoutList {
        /// The file.
        file: PathBuf,
        /// The key of the list.
        list: String,
    },
}

fn check_complete(file: &Path, before: &[u8], after: &[u8]) -> Result<(), IncompleteFile> {
    if is_blank(after) && !is_blank(before) {
        return Err(IncompleteFile::Empty(file.to_owned()));
    }
    // without the comments at its end it says the same
    let is_comment = |rest: &[u8]| {
        let begins_a_line = after.is_empty() || after.ends_with(b"\n") || rest.starts_with(b"\n");
        begins_a_line && is_blank(rest)
    };
    let is_cut = |rest: &[u8]| !rest.is_empty() && !is_comment(rest);
    if before.strip_prefix(after).is_some_and(is_cut) {
        return Err(IncompleteFile::Cut(file.to_owned()));
    }
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    match missing_list(text(before), text(after)) {
        Some(list) => Err(IncompleteFile::WithoutList { file: file.to_owned(), list }),
        None => Ok(()),
    }
}

/// Whether there are only blank lines, comments and beginnings of documents.
fn is_blank(text: &[u8]) -> bool {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let says_nothing = |line: &[u8]| line.is_empty() || line == b"---" || line.starts_with(b"#");
    text.split(|byte| *byte == b'\n').all(|line| says_nothing(line.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(before: &str, after: &str) -> String {
        let checked = check_complete(Path::new("routes.yaml"), before.as_bytes(), after.as_bytes());
        checked.map_or_else(|problem| problem.to_string(), |()| String::new())
    }

    #[test]
    fn file_without_anything_but_comments_is_refused_if_it_had_more() {
        for text in ["", "\n", "\u{feff}", "# routes of the cloud\n", "---\n  # more\n\t\r\n"] {
            assert!(problem("routes: []\n", text).contains("is empty"), "{text:?}");
            assert_eq!(problem("# nothing yet\n", text), "", "{text:?}");
        }
        for text in ["{}", "[]", "# routes\nroutes: []\n", "x"] {
            assert_eq!(problem("routes: []\n", text), "", "{text:?}");
        }
    }

    #[test]
    fn beginning_of_what_was_there_is_refused() {
        let whole = "access:\n- path: /a\n  policy: deny\n- path: /b\n  policy: deny\n";
        // without the last line break it is the same
        for end in 1..whole.len() - 1 {
            assert!(problem(whole, &whole[..end]).starts_with("routes.yaml is the beginning"), "{end}");
        }
        assert_eq!((problem(whole, whole), problem(whole, whole.trim_end())), (String::new(), String::new()));
        let shorter = "access:\n- path: /a\n  policy: deny\n";
        assert_eq!(problem(whole, &format!("{shorter}# end\n")), "", "the operator says that it is complete");
        assert_eq!(problem(&format!("{shorter}\n# end\n"), shorter), "", "only the comment is gone");
        assert!(!problem("name: a#b\n", "name: a").is_empty(), "not a comment");
    }

    #[test]
    fn list_that_is_absent_or_null_is_refused_if_it_had_something() {
        let before = "routes:\n- a\naccess:\n- b\nnotes: []\nname: x\n";
        for after in ["routes:\n- c\n", "routes: [c]\naccess:\n", "routes: [c]\naccess: ~\nname: y\n"] {
            assert!(problem(before, after).contains("no list \"access\""), "{after:?}");
        }
        for after in ["routes: [c]\naccess: []\n", "access: [c]\nroutes: [d]\n", "[]", "not: [valid"] {
            assert_eq!(problem(before, after), "", "{after:?}");
        }
    }

    #[test]
    fn contents_are_compared_and_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = [folder.path().join("one"), folder.path().join("two")];
        std::fs::write(&files[0], "secret").expect("writes");
        let first = Contents::read(&files);
        assert!(first == Contents::read(&files) && !format!("{first:?}").contains("secret"));
        std::fs::write(&files[1], "").expect("writes");
        assert!(first != Contents::read(&files), "an empty file is not a missing one");
    }
}
