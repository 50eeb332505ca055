//! [`Profiles`]: named options.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::Options;
use crate::sync::lock;

/// Named options, of which a client chooses one by name when it creates a session. Clones share them.
///
/// With serde they read from a map of names, as in a TOML file:
///
/// ```toml
/// [review]
/// append_system_prompt = "You review changes and change nothing."
/// tools = ["Read", "Grep", "Glob"]
/// ```
#[derive(Clone, Debug, Default)]
pub struct Profiles(Arc<Mutex<BTreeMap<String, Options>>>);

impl Profiles {
    /// No profiles.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces all profiles. Agents that run keep the options that they were started with.
    pub fn replace(&self, profiles: BTreeMap<String, Options>) {
        *lock(&self.0) = profiles;
    }

    /// Sets a profile.
    pub fn set(&self, name: impl Into<String>, options: Options) {
        lock(&self.0).insert(name.into(), options);
    }

    /// Returns the profile with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Options> {
        lock(&self.0).get(name).cloned()
    }
}
