use std::{
    collections::HashMap,
    fmt,
    future::{Ready, ready},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use sha2::{Digest as _, Sha256};

use crate::auth::Principal;

/// The SHA-256 digest of a ticket.
pub type Digest = [u8; 32];

/// The digest that a ticket is looked up by. A lookup by digest reveals nothing of the digests that are stored, because a
/// caller cannot choose the digest of what it presents.
pub(super) fn digest(ticket: &str) -> Digest {
    Sha256::digest(ticket).into()
}

/// What a ticket allows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// The resource that it opens.
    pub resource: Arc<str>,
    /// The principal that presents it.
    pub principal: Principal,
    /// When it stops being valid.
    pub expires_at: SystemTime,
}

impl Grant {
    /// A grant, for a store that reads it back from somewhere.
    #[must_use]
    pub fn new(resource: impl Into<Arc<str>>, principal: Principal, expires_at: SystemTime) -> Self {
        Self { resource: resource.into(), principal, expires_at }
    }
}

/// Where grants are kept, by the digests of their tickets. Tickets themselves are never seen by a store.
pub trait TicketStore {
    /// Ends in the grant that was asked for.
    type Get: Future<Output = Result<Option<Grant>, StoreError>>;

    /// Keeps a grant until it expires, and no longer than is convenient. Of the principal's grants no more
    /// than `keep` stay, this one among them; the ones that expire first go.
    fn put(
        &self,
        digest: Digest,
        grant: Grant,
        keep: usize,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The grant, expired or not.
    fn get(&self, digest: Digest) -> Self::Get;
}

/// A store cannot do its work now. Log the cause before saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreError;

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store of tickets takes no more now")
    }
}

impl std::error::Error for StoreError {}

/// Keeps grants in memory, for a single process. Clones share them.
#[derive(Clone)]
pub struct MemoryStore {
    grants: Arc<Mutex<HashMap<Digest, Grant>>>,
    capacity: usize,
}

impl MemoryStore {
    /// A store of so many grants at most. When all of them are good, there is no room for another one.
    #[must_use]
    pub fn capacity(capacity: usize) -> Self {
        Self { grants: Arc::default(), capacity }
    }

    fn put_at(&self, now: SystemTime, digest: Digest, grant: Grant, keep: usize) -> Result<(), StoreError> {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.retain(|_, held| held.expires_at > now);
        let mut own: Vec<_> = grants
            .iter()
            .filter(|(_, held)| held.principal.name == grant.principal.name)
            .map(|(digest, held)| (held.expires_at, *digest))
            .collect();
        own.sort_unstable();
        let surplus = (own.len() + 1).saturating_sub(keep.max(1));
        for (_, digest) in own.drain(..surplus) {
            grants.remove(&digest);
        }
        if grants.len() >= self.capacity {
            return Err(StoreError);
        }
        grants.insert(digest, grant);
        Ok(())
    }
}

impl Default for MemoryStore {
    /// Room for 4096 grants.
    fn default() -> Self {
        Self::capacity(4096)
    }
}

impl TicketStore for MemoryStore {
    type Get = Ready<Result<Option<Grant>, StoreError>>;

    fn put(
        &self,
        digest: Digest,
        grant: Grant,
        keep: usize,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        ready(self.put_at(SystemTime::now(), digest, grant, keep))
    }

    fn get(&self, digest: Digest) -> Self::Get {
        let grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        ready(Ok(grants.get(&digest).cloned()))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn put(store: &MemoryStore, now: u64, number: u8, name: &str, end: u64) -> Result<(), StoreError> {
        let second = |n| START + Duration::from_secs(n);
        let grant = Grant::new("r", Principal::new(name), second(end));
        store.put_at(second(now), [number; 32], grant, 2)
    }

    fn holds(store: &MemoryStore, number: u8) -> bool {
        store.get([number; 32]).into_inner().unwrap().is_some()
    }

    #[test]
    fn a_principal_that_wants_more_loses_its_own_oldest_and_nobody_elses() {
        let store = MemoryStore::default();
        put(&store, 0, 1, "bob", 5).unwrap();
        for (number, end) in [(2, 20), (3, 10), (4, 30)] {
            put(&store, 0, number, "ada", end).unwrap();
        }
        assert_eq!([1, 2, 3, 4].map(|n| holds(&store, n)), [true, true, false, true]);
    }

    #[test]
    fn a_full_store_takes_nothing_until_something_expires() {
        let store = MemoryStore::capacity(2);
        put(&store, 0, 1, "ada", 10).unwrap();
        put(&store, 0, 2, "bob", 10).unwrap();
        assert_eq!(put(&store, 9, 3, "eve", 20), Err(StoreError));
        assert!(holds(&store, 1) && holds(&store, 2));
        put(&store, 10, 3, "eve", 20).unwrap();
        assert_eq!([1, 2, 3].map(|n| holds(&store, n)), [false, false, true]);
    }
}
