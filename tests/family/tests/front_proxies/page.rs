//! The pages of the book, whose configurations are run as they are written there.

use std::collections::BTreeMap;
use std::fs;

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    name: &'static str,
    text: String,
}

impl Page {
    /// Reads a page of the book.
    pub(crate) fn read(name: &'static str) -> Self {
        let text = fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("docs/{name}.md: {error}"));
        Self { name, text }
    }

    /// The block of a language that is the nth of its kind, the first being 0.
    pub(crate) fn block(&self, language: &str, nth: usize) -> Snippet {
        let begin = format!("\n```{language}\n");
        let block = self.text.split(&begin).nth(nth + 1).and_then(|rest| rest.split("\n```").next());
        let block = block.unwrap_or_else(|| panic!("docs/{}.md has no block {nth} of {language}", self.name));
        Snippet { page: self.name, text: format!("{block}\n") }
    }

    /// The settings of the edge: what the first shell block exports.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        let block = self.block("sh", 0).text;
        let without_comment = |line: &str| line.split(" #").next().unwrap_or_default().trim().to_owned();
        let exports = block.lines().filter_map(|line| line.strip_prefix("export ")).map(without_comment);
        exports
            .filter_map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
            .collect()
    }
}

/// Where a page is.
pub(crate) fn path(name: &str) -> String {
    format!("{}/../../docs/{name}.md", env!("CARGO_MANIFEST_DIR"))
}

/// A configuration on a page.
#[derive(Debug, Clone)]
pub(crate) struct Snippet {
    page: &'static str,
    text: String,
}

impl Snippet {
    /// Puts what there is into the place of what the page has. A page that does not have it has drifted from this test.
    pub(crate) fn put(mut self, written: &str, real: impl AsRef<str>) -> Self {
        assert!(self.text.contains(written), "docs/{}.md does not say {written:?}", self.page);
        self.text = self.text.replace(written, real.as_ref());
        self
    }

    /// Puts another configuration into the place of a part: from the line that is the other's first one to the line before
    /// the one that has `until`.
    pub(crate) fn put_part(mut self, part: &Self, until: &str) -> Self {
        let first = part.text.lines().next().unwrap_or_default();
        let begin = self.text.find(first).unwrap_or_else(|| panic!("docs/{}.md has no {first:?}", self.page));
        let end = self.text[begin..].find(until).unwrap_or_else(|| panic!("docs/{}.md has no {until:?}", self.page));
        let end = self.text[..begin + end].rfind('\n').map_or(0, |at| at + 1);
        self.text.replace_range(begin..end, &part.text);
        self
    }

    /// Adds lines before or behind it that a page does not need.
    pub(crate) fn between(mut self, before: &str, behind: &str) -> Self {
        self.text = format!("{before}{}{behind}", self.text);
        self
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}
