//! The wakers of waiting readers.

use std::task::Waker;

/// A slot per reader, which holds its waker while it waits.
///
/// A method that removes a waker returns it: dropping a waker may run code that calls this stream again, so the
/// caller must drop it after it has released its locks.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    places: Vec<Option<Waker>>,
    vacant: Vec<usize>,
    waiting: usize,
}

impl Waiters {
    pub(super) fn add(&mut self) -> usize {
        self.vacant.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        })
    }

    #[must_use]
    pub(super) fn remove(&mut self, place: usize) -> Option<Waker> {
        self.vacant.push(place);
        let waker = self.places[place].take();
        self.waiting -= usize::from(waker.is_some());
        waker
    }

    #[must_use]
    pub(super) fn wait(&mut self, place: usize, waker: &Waker) -> Option<Waker> {
        let place = &mut self.places[place];
        if place.as_ref().is_some_and(|waiting| waiting.will_wake(waker)) {
            return None;
        }
        let displaced = place.replace(waker.clone());
        self.waiting += usize::from(displaced.is_none());
        displaced
    }

    pub(super) fn drain_into(&mut self, wakers: &mut Vec<Waker>) {
        if self.waiting > 0 {
            wakers.reserve(self.waiting);
            wakers.extend(self.places.iter_mut().filter_map(Option::take));
            self.waiting = 0;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.vacant.len()
    }
}
