//! One lock per key, created on first use and removed once nobody uses it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::sync::lock;

/// Locks single ids: while a task holds the lock of an id, only tasks that need the same id wait.
#[derive(Debug, Default)]
pub(crate) struct KeyedLock(Mutex<HashMap<String, Arc<AsyncMutex<()>>>>);

impl KeyedLock {
    pub(crate) async fn lock(&self, id: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = lock(&self.0);
            // A count of 1 is the table's own reference: nobody holds the lock or waits for it.
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(id.to_owned()).or_default())
        };
        lock.lock_owned().await
    }
}
