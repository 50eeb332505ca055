use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

use http::request::Parts;

use super::{
    entries::{Entries, FlightOf, Found, Outcome},
    flight::{Flight, Landed},
    limits::Limits,
};
use crate::{
    lookup::{Resolve, Unavailable},
    sync::lock,
};

/// The key function of [`CacheLayer::by_id`](super::CacheLayer::by_id).
pub type IdKey = fn(&str, &Parts) -> String;

/// A resolver that keeps what another one found. Clones share what they keep.
///
/// Made by [`CacheLayer`](super::CacheLayer).
pub struct Cached<R: Resolve, K = IdKey> {
    resolver: Arc<R>,
    key: K,
    shared: Arc<Shared<R>>,
}

struct Shared<R: Resolve> {
    entries: Mutex<Entries<R>>,
    waiters: AtomicU64,
}

impl<R: Resolve, K> Cached<R, K> {
    pub(super) fn new(resolver: R, key: K, limits: Limits) -> Self {
        let shared = Shared { entries: Mutex::new(Entries::new(limits)), waiters: AtomicU64::new(0) };
        Self { resolver: Arc::new(resolver), key, shared: Arc::new(shared) }
    }

    /// Forgets what has this key, for a program that changes it. A call that runs is not kept either.
    pub fn forget(&self, key: &str) {
        lock(&self.shared.entries).forget(key);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        lock(&self.shared.entries).clear();
    }
}

impl<R, K> Resolve for Cached<R, K>
where
    R: Resolve,
    K: Fn(&str, &Parts) -> String,
{
    type Value = R::Value;
    type Future = ResolveFuture<R>;

    fn resolve(&self, id: &str, parts: &Parts) -> Self::Future {
        let key = (self.key)(id, parts);
        let mut entries = lock(&self.shared.entries);
        let (flight, entry) = match entries.find(&key, Instant::now()) {
            Found::Held(value) => return ResolveFuture(State::Held(Some(value))),
            Found::Flying { flight, number } => (flight, number),
            Found::Nothing => {
                let flight = Arc::new(Flight::new());
                let start = flight.start();
                let entry = entries.add(&key, &flight);
                // The resolver may take its time, for which only this key has to wait.
                drop(entries);
                start.with(self.resolver.resolve(id, parts));
                (flight, entry)
            }
        };
        let number = self.shared.waiters.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(&self.shared);
        ResolveFuture(State::Waiting(Waiter { shared, flight, key, entry, number }))
    }
}

impl<R: Resolve, K: Clone> Clone for Cached<R, K> {
    fn clone(&self) -> Self {
        let (resolver, shared) = (Arc::clone(&self.resolver), Arc::clone(&self.shared));
        Self { resolver, key: self.key.clone(), shared }
    }
}

impl<R: Resolve, K> fmt::Debug for Cached<R, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").finish_non_exhaustive()
    }
}

/// The future of [`Cached`].
pub struct ResolveFuture<R: Resolve>(State<R>);

enum State<R: Resolve> {
    Held(Option<Option<R::Value>>),
    Waiting(Waiter<R>),
}

/// Somebody who waits for a call of the resolver.
struct Waiter<R: Resolve> {
    shared: Arc<Shared<R>>,
    flight: Arc<FlightOf<R>>,
    key: String,
    /// The number of the entry.
    entry: u64,
    /// The number of this one among those who wait.
    number: u64,
}

// Nothing is polled in place: the resolver's future is boxed.
impl<R: Resolve> Unpin for ResolveFuture<R> {}

impl<R: Resolve> Future for ResolveFuture<R> {
    type Output = Outcome<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waiter = match &mut self.0 {
            State::Held(value) => return Poll::Ready(Ok(value.take().expect("polled after it was ready"))),
            State::Waiting(waiter) => waiter,
        };
        Poll::Ready(match ready!(waiter.flight.poll(waiter.number, cx)) {
            Landed::Now(outcome) => {
                lock(&waiter.shared.entries).keep(&waiter.key, waiter.entry, &outcome, Instant::now());
                outcome
            }
            Landed::Before(outcome) => outcome,
            Landed::Lost => Err(Unavailable::default()),
        })
    }
}

impl<R: Resolve> Drop for Waiter<R> {
    fn drop(&mut self) {
        self.flight.leave(self.number);
    }
}

impl<R: Resolve> fmt::Debug for ResolveFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveFuture").finish_non_exhaustive()
    }
}
