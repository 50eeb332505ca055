//! Subscriptions: the devices that are notified, each for one owner, and the key by which push services know the server.

#[cfg(test)]
mod contract;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod database;
mod memory;

use std::{fmt, sync::Arc};

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(in crate::storage) use self::database::DbDevices;
pub(crate) use self::memory::MemoryDevices;
use super::catalog::CatalogFuture;
use crate::unix_ms;

/// The devices of a database. [`Storage`](super::Storage) has them.
#[derive(Clone)]
pub struct Subscriptions(pub(in crate::storage) AnyDevices);

impl Subscriptions {
    pub(crate) fn devices(&self) -> &AnyDevices {
        &self.0
    }
}

impl fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriptions").finish_non_exhaustive()
    }
}

/// Devices chosen at run time.
pub(crate) type AnyDevices = Arc<dyn Devices>;

/// The private key of the server, a scalar of P-256.
pub(crate) type PrivateKey = [u8; 32];

/// A device of an owner.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// Names the address that the push service has given it. No two devices have the same.
    pub(crate) id: String,
    pub(crate) owner: Option<String>,
    /// The address and the keys of the device, in a form that only their reader knows.
    pub(crate) subscription: String,
    /// When the owner last asked for notifications, in milliseconds since the Unix epoch.
    pub(crate) renewed_at_ms: i64,
    /// When they end if nobody asks again.
    pub(crate) expires_at_ms: i64,
}

impl Device {
    fn is_alive(&self) -> bool {
        self.expires_at_ms > unix_ms::now_signed()
    }
}

/// Whoever knows the address and the keys can send to the device.
impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("id", &self.id).field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// The devices as they are stored.
pub(crate) trait Devices: Send + Sync + 'static {
    /// Stores a device, in the place of the one with its id, whoever owned that. Of its owner's devices only the `keep`
    /// that were renewed last stay.
    fn put(&self, device: Device, keep: usize) -> CatalogFuture<'_, ()>;

    /// The devices of an owner that have not expired.
    fn of<'a>(&'a self, owner: Option<&'a str>) -> CatalogFuture<'a, Vec<Device>>;

    /// The device with this id, unless it has expired.
    fn get<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, Option<Device>>;

    /// Deletes the device with this id if it is this owner's.
    fn remove<'a>(&'a self, id: &'a str, owner: Option<&'a str>) -> CatalogFuture<'a, ()>;

    /// Deletes a device unless it was renewed since.
    fn expire<'a>(&'a self, device: &'a Device) -> CatalogFuture<'a, ()>;

    /// The server's key: the stored one, or else this one, which is stored for all hosts.
    fn key(&self, new: PrivateKey) -> CatalogFuture<'_, PrivateKey>;
}
