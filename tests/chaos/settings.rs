//! What a campaign is asked for, by environment variables.

use std::{
    env,
    hash::{BuildHasher, RandomState},
};

/// The size of a campaign and the seed of its choices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Number of faults.
    pub(crate) faults: usize,
    /// Number of people, each with a session.
    pub(crate) people: u64,
    pub(crate) seed: u64,
    /// Readers of each session beside the person.
    pub(crate) watchers: u64,
    /// What carries hints between the servers of a fleet.
    pub(crate) messenger: Messenger,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Messenger {
    /// Postgres' notifications.
    Notifications,
    Nats,
    /// NATS, which is stopped again and again.
    NatsThatStops,
    /// Postgres' notifications, all of which are lost.
    Nothing,
}

impl Settings {
    /// Reads `CHAOS_FAULTS`, `CHAOS_PEOPLE`, `CHAOS_WATCHERS`, `CHAOS_MESSENGER` and `CHAOS_SEED`. The defaults make a
    /// campaign of half a minute.
    pub(crate) fn from_env() -> Self {
        let number = |name: &str| env::var(name).ok().map(|text| text.parse().expect("a number"));
        let random = RandomState::new().hash_one(0) % 1_000_000;
        Self {
            faults: number("CHAOS_FAULTS").unwrap_or(8) as usize,
            people: number("CHAOS_PEOPLE").unwrap_or(3),
            seed: number("CHAOS_SEED").unwrap_or(random),
            watchers: number("CHAOS_WATCHERS").unwrap_or(2),
            messenger: match env::var("CHAOS_MESSENGER").as_deref() {
                Err(_) | Ok("notifications") => Messenger::Notifications,
                Ok("nats") => Messenger::Nats,
                Ok("nats-stops") => Messenger::NatsThatStops,
                Ok("nothing") => Messenger::Nothing,
                Ok(other) => panic!("{other}: a messenger is notifications, nats, nats-stops or nothing"),
            },
        }
    }
}
