use std::{
    collections::HashMap,
    fmt,
    future::{Ready, ready},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use sha2::{Digest as _, Sha256};

use crate::{auth::Principal, sync::lock};

/// The SHA-256 digest of a ticket.
pub type Digest = [u8; 32];

/// The digest by which a ticket is looked up. The time of a lookup by digest reveals nothing about the stored digests,
/// because a caller cannot choose the digest of its ticket.
pub(super) fn digest(ticket: &str) -> Digest {
    Sha256::digest(ticket).into()
}

/// The resource that a ticket opens, for which principal, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// The resource that the ticket opens.
    pub resource: Arc<str>,
    /// The principal of a request with the ticket.
    pub principal: Principal,
    /// The time when the ticket expires.
    pub expires_at: SystemTime,
}

impl Grant {
    /// A grant, for a ticket store that loads it from elsewhere.
    #[must_use]
    pub fn new(resource: impl Into<Arc<str>>, principal: Principal, expires_at: SystemTime) -> Self {
        Self { resource: resource.into(), principal, expires_at }
    }
}

/// Stores grants by the digests of their tickets. It never receives the tickets themselves.
pub trait TicketStore {
    /// Resolves to the requested grant.
    type Get: Future<Output = Result<Option<Grant>, StoreError>>;

    /// Stores a grant until it expires; it may be removed later than that. At most `keep` grants of the principal stay,
    /// including this one; those that expire first are removed.
    fn put(
        &self,
        digest: Digest,
        grant: Grant,
        keep: usize,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the grant, even if it has expired.
    fn get(&self, digest: Digest) -> Self::Get;
}

/// The ticket store cannot be used now. An implementation should log the cause, because this error does not carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreError;

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store of tickets takes no more now")
    }
}

impl std::error::Error for StoreError {}

/// A [`TicketStore`] in memory, for a single process. Clones share the grants.
#[derive(Clone)]
pub struct MemoryStore {
    grants: Arc<Mutex<HashMap<Digest, Grant>>>,
    capacity: usize,
}

impl MemoryStore {
    /// A ticket store of at most `capacity` grants. If none of them has expired, a further one is refused.
    #[must_use]
    pub fn capacity(capacity: usize) -> Self {
        Self { grants: Arc::default(), capacity }
    }

    fn put_at(&self, now: SystemTime, digest: Digest, grant: Grant, keep: usize) -> Result<(), StoreError> {
        let mut grants = lock(&self.grants);
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
    /// A ticket store of at most 4096 grants.
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
        let grants = lock(&self.grants);
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
