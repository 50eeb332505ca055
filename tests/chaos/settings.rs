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
}

impl Settings {
    /// Reads `CHAOS_FAULTS`, `CHAOS_PEOPLE` and `CHAOS_SEED`. The defaults make a campaign of half a minute.
    pub(crate) fn from_env() -> Self {
        let number = |name: &str| env::var(name).ok().map(|text| text.parse().expect("a number"));
        let random = RandomState::new().hash_one(0) % 1_000_000;
        Self {
            faults: number("CHAOS_FAULTS").unwrap_or(8) as usize,
            people: number("CHAOS_PEOPLE").unwrap_or(3),
            seed: number("CHAOS_SEED").unwrap_or(random),
        }
    }
}
