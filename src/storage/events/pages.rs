//! The pages that replays have read and not yet sent.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use super::backend::Page;
use crate::sync::lock;

/// The pages of all replays of a log, up to a size in bytes. Beyond it the pages that were put here first are dropped:
/// a reader that does not read would otherwise keep its page for as long as it is connected. It reads the page again
/// if it goes on.
#[derive(Debug)]
pub(super) struct Pages {
    most: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    bytes: usize,
    next: u64,
    pages: BTreeMap<u64, Page>,
}

/// A page that is held unless there is no room for it any more. Dropping it drops the page.
#[derive(Debug)]
pub(super) struct HeldPage {
    pages: Arc<Pages>,
    place: u64,
}

impl Pages {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: Mutex::default() })
    }

    pub(super) fn put(self: &Arc<Self>, page: Page) -> HeldPage {
        let mut held = self.held();
        let place = held.next;
        held.next += 1;
        held.bytes += page.size;
        held.pages.insert(place, page);
        // The newest one stays, whatever its size: otherwise its reader would read it again for each chunk.
        while held.bytes > self.most && held.pages.len() > 1 {
            held.bytes -= held.pages.pop_first().map_or(0, |(_, page)| page.size);
        }
        HeldPage { pages: Arc::clone(self), place }
    }

    /// Whether they take more than half of the room, so that a further one may soon be dropped.
    pub(super) fn are_many(&self) -> bool {
        self.held().bytes > self.most / 2
    }

    /// The size of all pages that are held.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.held().bytes
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.held)
    }
}

impl HeldPage {
    /// The page, if it is still held.
    pub(super) fn take(self) -> Option<Page> {
        self.pages.held().remove(self.place)
    }
}

impl Drop for HeldPage {
    fn drop(&mut self) {
        self.pages.held().remove(self.place);
    }
}

impl Held {
    fn remove(&mut self, place: u64) -> Option<Page> {
        let page = self.pages.remove(&place)?;
        self.bytes -= page.size;
        Some(page)
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("bytes", &self.bytes).field("pages", &self.pages.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(size: usize) -> Page {
        Page { oldest: 1, size, events: Vec::new().into() }
    }

    #[test]
    fn the_pages_that_wait_longest_make_room() {
        let pages = Pages::new(100);
        let [first, second] = [pages.put(page(50)), pages.put(page(50))];
        let first = pages.put(first.take().expect("there is room for two"));
        let third = pages.put(page(50));
        assert!(second.take().is_none());
        assert_eq!(pages.bytes(), 100);
        assert!(pages.are_many());
        drop((first, third));
        assert_eq!((pages.bytes(), pages.held().pages.len()), (0, 0));
    }

    #[test]
    fn a_page_that_is_too_large_is_held_alone() {
        let pages = Pages::new(100);
        let [small, large] = [pages.put(page(1)), pages.put(page(500))];
        assert!(small.take().is_none());
        assert_eq!(large.take().map(|page| page.size), Some(500));
    }
}
