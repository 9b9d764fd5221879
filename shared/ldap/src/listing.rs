//! Lists that are read in pages, although a server gives them in no order.

use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a list is kept for its next page.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// How many lists are kept at the same time. Each has as many entries as a search finds at most.
const MOST: usize = 2;

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Listing<T> {
    /// The entries, in order.
    pub entries: Vec<T>,
    /// With what the next page is asked for; `None` after the last one.
    pub next: Option<String>,
}

/// Entries in the order of their keys.
type Ordered<T> = Arc<Vec<(String, T)>>;

/// Lists of which a page was read, by the text that they were searched by. Each page begins after a key, so that it is right
/// of any list, kept or read anew, here or by another replica; only the first one has to search the directory.
#[derive(Debug)]
pub(crate) struct Lists<T> {
    kept_for: Duration,
    kept: Mutex<Vec<Kept<T>>>,
}

#[derive(Debug)]
struct Kept<T> {
    text: String,
    until: Instant,
    list: Ordered<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { kept_for: KEPT_FOR, kept: Mutex::default() }
    }
}

impl<T> Lists<T> {
    /// The page of at most so many entries that begins after this key, with the key of the next. `read` gives all entries, in any
    /// order; it is used for the first page, and where the list is not kept.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) async fn page<E>(
        &self,
        text: &str,
        after: &str,
        most: usize,
        read: impl Future<Output = Result<Vec<(String, T)>, E>>,
    ) -> Result<Page<T>, E> {
        let kept = if after.is_empty() { None } else { self.take(text) };
        let list = if let Some(list) = kept {
            list
        } else {
            let mut list = read.await?;
            list.sort_by(|(one, _), (other, _)| one.cmp(other));
            Arc::new(list)
        };
        let start = list.partition_point(|(key, _)| key.as_str() <= after);
        let end = start.saturating_add(most).min(list.len());
        let next = list.get(start..end).filter(|_| end < list.len()).and_then(<[_]>::last).map(|(key, _)| key.clone());
        if next.is_some() {
            self.keep(text, Arc::clone(&list));
        }
        Ok(Page { list, range: start..end, next })
    }

    fn take(&self, text: &str) -> Option<Ordered<T>> {
        let mut kept = self.kept();
        let place = kept.iter().position(|one| one.text == text)?;
        Some(kept.remove(place).list)
    }

    fn keep(&self, text: &str, list: Ordered<T>) {
        let mut kept = self.kept();
        kept.retain(|one| one.text != text);
        if kept.len() == MOST {
            // the one that is waited for the longest
            kept.remove(0);
        }
        kept.push(Kept { text: text.to_owned(), until: Instant::now() + self.kept_for, list });
    }

    /// Those that are kept still.
    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Kept<T>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        kept.retain(|one| one.until > now);
        kept
    }
}

/// A part of an ordered list.
pub(crate) struct Page<T> {
    list: Ordered<T>,
    range: Range<usize>,
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    pub(crate) fn entries(&self) -> impl Iterator<Item = &T> {
        self.list.get(self.range.clone()).unwrap_or_default().iter().map(|(_, entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Reads a whole list in pages; its entries, and how often the directory was searched.
    async fn read(lists: &Lists<u32>, text: &str, most: usize) -> (Vec<u32>, usize) {
        let (mut found, mut after, searches) = (Vec::new(), String::new(), Cell::new(0));
        loop {
            let all = async {
                searches.set(searches.get() + 1);
                Ok::<_, ()>([3, 1, 4, 2, 5].map(|number| (number.to_string(), number)).to_vec())
            };
            let page = lists.page(text, &after, most, all).await.expect("a page");
            found.extend(page.entries());
            let Some(next) = page.next else { return (found, searches.get()) };
            after = next;
        }
    }

    #[tokio::test]
    async fn only_the_first_stretch_searches() {
        let lists = Lists::default();
        for most in [1, 2, 3, 5, 9] {
            assert_eq!(read(&lists, "", most).await, (vec![1, 2, 3, 4, 5], 1), "{most} at a time");
        }
        assert!(lists.kept().is_empty(), "a list that was read to its end is not kept");
    }

    #[tokio::test]
    async fn few_lists_are_kept_at_the_same_time() {
        let lists = Lists::default();
        let all = async || Ok::<_, ()>(vec![("a".to_owned(), 1), ("b".to_owned(), 2)]);
        for text in ["x", "y", "z"] {
            lists.page(text, "", 1, all()).await.expect("a page");
        }
        assert_eq!(lists.kept().iter().map(|one| one.text.clone()).collect::<Vec<_>>(), ["y", "z"]);
        // one that is not kept is read again, and continues where it was
        let page = lists.page("x", "a", 1, all()).await.expect("a page");
        assert_eq!((page.entries().copied().collect::<Vec<_>>(), page.next), (vec![2], None));
    }

    #[tokio::test]
    async fn list_that_is_not_read_further_is_dropped() {
        let lists = Lists { kept_for: Duration::ZERO, ..Lists::default() };
        assert_eq!(read(&lists, "", 2).await, (vec![1, 2, 3, 4, 5], 3));
    }
}
