//! Adds devices, and ends their notifications with the credential that has asked for them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{task::AbortHandle, time::sleep};

use super::{Shared, subscription::Subscription};
use crate::{
    layers::auth::{Principal, Revocation},
    storage::{catalog::CatalogError, subscriptions::Device},
    sync::lock,
    unix_ms,
};

/// Maximum number of devices of an owner. With one more, the one that was renewed first is forgotten.
const KEEP: usize = 10;

/// Time after which a device is forgotten whose page was not opened.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Pause before another try to forget a device.
const PAUSE: Duration = Duration::from_secs(1);

/// The tasks that wait for the end of credentials, for each owner by device: no more than there are devices.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<HashMap<Option<String>, Vec<Watch>>>);

/// A task that ends when this is dropped.
#[derive(Debug)]
struct Watch {
    device: String,
    task: AbortHandle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watched {
    /// Ends what waits for this device's credential, and adds a task that waits for the one that it has now.
    fn put(&self, owner: Option<&str>, device: &str, watch: Option<Watch>) {
        let mut watched = lock(&self.0);
        let owner = owner.map(str::to_owned);
        let theirs = watched.entry(owner.clone()).or_default();
        theirs.retain(|other| other.device != device);
        theirs.extend(watch);
        if theirs.len() > KEEP {
            theirs.remove(0);
        }
        if theirs.is_empty() {
            watched.remove(&owner);
        }
    }
}

impl Shared {
    /// Adds or renews a device of this caller, and returns its id.
    pub(super) async fn add(
        self: &Arc<Self>,
        subscription: &Subscription,
        caller: Option<&Principal>,
    ) -> Result<String, CatalogError> {
        let owner = caller.map(|caller| caller.name.to_string());
        let now = unix_ms::now_signed();
        let expires_at = caller.and_then(|caller| caller.expires_at).map_or(i64::MAX, unix_ms::signed);
        let device = Device {
            id: subscription.id(),
            owner: owner.clone(),
            subscription: subscription.encode(),
            renewed_at_ms: now,
            expires_at_ms: expires_at.min(now + i64::try_from(LIFETIME.as_millis()).unwrap_or(i64::MAX / 2)),
        };
        let id = device.id.clone();
        self.devices.put(device.clone(), KEEP).await?;
        let revocation = caller.and_then(|caller| caller.revocation.clone());
        let watch = revocation.map(|revocation| self.watch(device, revocation));
        self.watched.put(owner.as_deref(), &id, watch);
        Ok(id)
    }

    /// Removes a device of this caller, if it is one.
    pub(super) async fn remove(&self, id: &str, caller: Option<&Principal>) -> Result<(), CatalogError> {
        let owner = caller.map(|caller| &*caller.name);
        self.devices.remove(id, owner).await?;
        self.watched.put(owner, id, None);
        Ok(())
    }

    /// Forgets the device once the credential is revoked.
    fn watch(self: &Arc<Self>, device: Device, revocation: Revocation) -> Watch {
        let shared = Arc::clone(self);
        let (ending, id) = (self.ending.clone(), device.id.clone());
        let watching = async move {
            revocation.revoked().await;
            while let Err(error) = shared.devices.expire(&device).await {
                tracing::debug!(%error, "failed to end the notifications of a revoked credential");
                sleep(PAUSE).await;
            }
            tracing::info!(
                device = device.id,
                "a credential was revoked: its device is not notified any more"
            );
        };
        let task = self.tasks.spawn(async move { ending.run_until_cancelled(watching).await });
        Watch { device: id, task: task.abort_handle() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_are_no_more_watches_than_devices() {
        let watched = Watched::default();
        let put = |number: usize, is_watched: bool| {
            let device = number.to_string();
            let watch = is_watched.then(|| Watch {
                device: device.clone(),
                task: tokio::spawn(std::future::pending::<()>()).abort_handle(),
            });
            watched.put(None, &device, watch);
        };
        (0..KEEP + 5).for_each(|number| put(number, true));
        assert_eq!(lock(&watched.0)[&None].len(), KEEP);
        put(KEEP + 4, true);
        assert_eq!(lock(&watched.0)[&None].len(), KEEP, "it was renewed");
        (0..KEEP + 5).for_each(|number| put(number, false));
        assert!(lock(&watched.0).is_empty());
    }
}
