//! What the cache holds, without its locks and clock.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{flight::Flight, limits::Limits};
use crate::lookup::{Resolve, Unavailable};

pub(super) type Outcome<R> = Result<Option<<R as Resolve>::Value>, Unavailable>;
pub(super) type FlightOf<R> = Flight<<R as Resolve>::Future>;

pub(super) struct Entries<R: Resolve> {
    limits: Limits,
    by_key: HashMap<String, Entry<R>>,
    /// The keys with the numbers of their entries, the oldest first. It may have entries that are gone.
    order: VecDeque<(String, u64)>,
    last: u64,
}

struct Entry<R: Resolve> {
    number: u64,
    slot: Slot<R>,
}

enum Slot<R: Resolve> {
    /// Those who wait keep the flight.
    Flying(Weak<FlightOf<R>>),
    Held {
        value: Option<R::Value>,
        until: Instant,
    },
}

/// The next step of a request for a key.
pub(super) enum Found<R: Resolve> {
    Held(Option<R::Value>),
    /// Another request's call of the resolver.
    Flying {
        flight: Arc<FlightOf<R>>,
        number: u64,
    },
    Nothing,
}

impl<R: Resolve> Entries<R> {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, by_key: HashMap::new(), order: VecDeque::new(), last: 0 }
    }

    pub(super) fn find(&self, key: &str, now: Instant) -> Found<R> {
        match self.by_key.get(key) {
            Some(Entry { slot: Slot::Held { value, until }, .. }) if now < *until => {
                Found::Held(value.clone())
            }
            Some(Entry { slot: Slot::Flying(flight), number }) => match flight.upgrade() {
                Some(flight) => Found::Flying { flight, number: *number },
                None => Found::Nothing,
            },
            _ => Found::Nothing,
        }
    }

    /// Adds a flight and returns the number of its entry.
    pub(super) fn add(&mut self, key: &str, flight: &Arc<FlightOf<R>>) -> u64 {
        self.last += 1;
        let entry = Entry { number: self.last, slot: Slot::Flying(Arc::downgrade(flight)) };
        self.by_key.insert(key.to_owned(), entry);
        self.order.push_back((key.to_owned(), self.last));
        while self.order.len() > self.limits.max_entries.max(1) {
            let Some((key, number)) = self.order.pop_front() else { break };
            self.remove(&key, number);
        }
        self.last
    }

    /// Keeps the outcome of a flight, unless its entry is gone.
    pub(super) fn keep(&mut self, key: &str, number: u64, outcome: &Outcome<R>, now: Instant) {
        let Some(entry) = self.by_key.get_mut(key).filter(|entry| entry.number == number) else { return };
        let time = match outcome {
            Ok(Some(_)) => self.limits.ttl,
            Ok(None) => self.limits.unknown,
            Err(_) => Duration::ZERO,
        };
        match (outcome, now.checked_add(time)) {
            (Ok(value), Some(until)) if until > now => {
                entry.slot = Slot::Held { value: value.clone(), until };
            }
            _ => self.remove(key, number),
        }
    }

    pub(super) fn forget(&mut self, key: &str) {
        self.by_key.remove(key);
    }

    pub(super) fn clear(&mut self) {
        self.by_key.clear();
        self.order.clear();
    }

    fn remove(&mut self, key: &str, number: u64) {
        if self.by_key.get(key).is_some_and(|entry| entry.number == number) {
            self.by_key.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Ready;

    use http::request::Parts;

    use super::*;

    struct Resolver;

    impl Resolve for Resolver {
        type Value = u32;
        type Future = Ready<Outcome<Self>>;

        fn resolve(&self, _: &str, _: &Parts) -> Self::Future {
            unreachable!("the entries call nothing")
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn entries(max_entries: usize) -> Entries<Resolver> {
        Entries::new(Limits { ttl: 10 * SECOND, unknown: SECOND, max_entries })
    }

    fn held(entries: &Entries<Resolver>, key: &str, now: Instant) -> Option<Option<u32>> {
        match entries.find(key, now) {
            Found::Held(value) => Some(value),
            Found::Flying { .. } | Found::Nothing => None,
        }
    }

    fn put(entries: &mut Entries<Resolver>, key: &str, outcome: &Outcome<Resolver>, now: Instant) {
        let number = entries.add(key, &Arc::new(Flight::new()));
        entries.keep(key, number, outcome, now);
    }

    #[test]
    fn a_value_lives_for_its_time_an_unknown_id_for_its_own_and_a_failure_not_at_all() {
        let (mut entries, now) = (entries(9), Instant::now());
        put(&mut entries, "known", &Ok(Some(1)), now);
        put(&mut entries, "unknown", &Ok(None), now);
        put(&mut entries, "failed", &Err(Unavailable::default()), now);
        let at = |key, seconds| held(&entries, key, now + seconds * SECOND);
        assert_eq!((at("known", 9), at("known", 10)), (Some(Some(1)), None));
        assert_eq!((at("unknown", 0), at("unknown", 1)), (Some(None), None));
        assert_eq!(at("failed", 0), None);
        assert_eq!(entries.by_key.len(), 2);
    }

    #[test]
    fn the_oldest_entries_make_room() {
        let (mut entries, now) = (entries(3), Instant::now());
        for key in ["a", "b", "a", "c"] {
            put(&mut entries, key, &Ok(Some(1)), now);
        }
        assert_eq!(["a", "b", "c"].map(|key| held(&entries, key, now).is_some()), [true, true, true]);
        put(&mut entries, "d", &Ok(Some(1)), now);
        assert_eq!(
            ["a", "b", "c", "d"].map(|key| held(&entries, key, now).is_some()),
            [true, false, true, true]
        );
        for n in 0..100 {
            entries.add(&n.to_string(), &Arc::new(Flight::new()));
        }
        assert!(entries.by_key.len() <= 3 && entries.order.len() <= 3, "abandoned flights are no leak");
    }

    #[test]
    fn what_was_forgotten_during_its_flight_is_not_kept() {
        let (mut entries, now) = (entries(9), Instant::now());
        let flight = Arc::new(Flight::new());
        let number = entries.add("a", &flight);
        assert!(matches!(entries.find("a", now), Found::Flying { .. }));
        entries.forget("a");
        entries.keep("a", number, &Ok(Some(1)), now);
        assert_eq!(held(&entries, "a", now), None);

        let number = entries.add("a", &flight);
        drop(flight);
        assert!(matches!(entries.find("a", now), Found::Nothing), "nobody waits for it any more");
        entries.add("a", &Arc::new(Flight::new()));
        entries.keep("a", number, &Ok(Some(1)), now);
        assert_eq!(held(&entries, "a", now), None, "another flight has its place");
    }
}
