//! Devices in memory, for sessions that are stored nowhere.

use std::{
    collections::HashMap,
    future::ready,
    sync::{Mutex, MutexGuard},
};

use super::{Device, Devices, PrivateKey};
use crate::{storage::catalog::CatalogFuture, sync::lock};

/// Devices that are forgotten with the process.
#[derive(Debug, Default)]
pub(crate) struct MemoryDevices {
    devices: Mutex<HashMap<String, Device>>,
    key: Mutex<Option<PrivateKey>>,
}

impl MemoryDevices {
    fn devices(&self) -> MutexGuard<'_, HashMap<String, Device>> {
        lock(&self.devices)
    }
}

impl Devices for MemoryDevices {
    fn put(&self, device: Device, keep: usize) -> CatalogFuture<'_, ()> {
        let mut devices = self.devices();
        let owner = device.owner.clone();
        devices.insert(device.id.clone(), device);
        devices.retain(|_, device| device.is_alive());
        let mut theirs: Vec<_> = devices.values().filter(|device| device.owner == owner).collect();
        theirs.sort_by_key(|device| std::cmp::Reverse(device.renewed_at_ms));
        let surplus: Vec<_> = theirs.into_iter().skip(keep).map(|device| device.id.clone()).collect();
        for id in surplus {
            devices.remove(&id);
        }
        Box::pin(ready(Ok(())))
    }

    fn of<'a>(&'a self, owner: Option<&'a str>) -> CatalogFuture<'a, Vec<Device>> {
        let devices = self.devices();
        let theirs = devices.values().filter(|device| device.owner.as_deref() == owner && device.is_alive());
        Box::pin(ready(Ok(theirs.cloned().collect())))
    }

    fn get<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, Option<Device>> {
        Box::pin(ready(Ok(self.devices().get(id).filter(|device| device.is_alive()).cloned())))
    }

    fn remove<'a>(&'a self, id: &'a str, owner: Option<&'a str>) -> CatalogFuture<'a, ()> {
        self.devices().retain(|_, device| device.id != id || device.owner.as_deref() != owner);
        Box::pin(ready(Ok(())))
    }

    fn expire<'a>(&'a self, expired: &'a Device) -> CatalogFuture<'a, ()> {
        self.devices().retain(|_, device| device != expired);
        Box::pin(ready(Ok(())))
    }

    fn key(&self, new: PrivateKey) -> CatalogFuture<'_, PrivateKey> {
        Box::pin(ready(Ok(*lock(&self.key).get_or_insert(new))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_keeps_the_contract() {
        super::super::contract::holds(&MemoryDevices::default()).await;
    }
}
