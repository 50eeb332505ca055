//! Stores sessions that outlive the process: the session catalog, event logs and transcript stores; and tickets.

pub mod catalog;
mod clock;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod database;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod durable;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod events;
pub(crate) mod inbox;
#[cfg_attr(
    not(feature = "webhooks"),
    allow(dead_code, unused_imports, reason = "webhooks are the only records")
)]
pub(crate) mod outbox;
pub(crate) mod persistence;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod tickets;
pub mod transcripts;
pub(crate) mod wake;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use self::durable::{Storage, StorageConfig, StorageFault};
pub use self::inbox::Inbox;
pub use self::outbox::Outbox;
pub use self::persistence::Persistence;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use self::tickets::DbTickets;
#[cfg(feature = "nats")]
pub use self::wake::{Bus, InvalidBus};
