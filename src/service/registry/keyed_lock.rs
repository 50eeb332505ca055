//! One lock for each key, made when it is first asked for and dropped when nobody holds it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::sync::lock;

/// Mutual exclusion by key: while one task holds the lock of an id, others wait for that id alone.
#[derive(Debug, Default)]
pub(crate) struct KeyedLock(Mutex<HashMap<String, Arc<AsyncMutex<()>>>>);

impl KeyedLock {
    pub(crate) async fn lock(&self, id: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = lock(&self.0);
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(id.to_owned()).or_default())
        };
        lock.lock_owned().await
    }
}
