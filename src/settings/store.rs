//! The place where sessions are kept: memory or a database.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use clap::{Arg, Command, builder::TypedValueParser, error::ErrorKind};

use super::{Settings, SettingsError};
use crate::{
    layers::resume::{RingConfig, RingLog},
    storage::{
        Bus, InvalidBus, Storage, StorageConfig, StorageFault,
        database::{Database, InvalidLocation, Location},
        events::DurableConfig,
    },
};

/// Minimum and maximum number of connections to Postgres.
const CONNECTIONS: (u32, u32) = (1, 10);

/// The place where a server keeps its sessions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Store {
    /// In memory; the sessions end with the server.
    Memory(RingLog),
    /// In a database.
    Database(Storage),
}

impl Store {
    /// Checks that sessions can be stored; memory always can. See [`Storage::check`].
    ///
    /// # Errors
    /// What of the database does not work, and why.
    pub async fn check(&self) -> Result<(), StorageFault> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Database(storage) => storage.check().await,
        }
    }

    /// Stores the writes that are still queued. Call it after the sessions have been shut down.
    pub async fn shutdown(&self) {
        if let Self::Database(storage) = self {
            storage.shutdown().await;
        }
    }
}

impl Settings {
    /// Where sessions are kept.
    pub(super) fn location(&self, env: impl Fn(&str) -> Option<OsString>) -> Location {
        self.store.clone().unwrap_or_else(|| default_location(env))
    }

    /// The directory of the settings for what running agents need, or the SQLite file's own.
    pub(super) fn state_dir<'a>(&'a self, location: &'a Location) -> Option<&'a Path> {
        let beside = match location {
            // The parent of a file in the working directory is empty.
            Location::Sqlite(path) => path.parent().map(|folder| match folder.as_os_str().is_empty() {
                true => Path::new("."),
                false => folder,
            }),
            _ => None,
        };
        self.state_dir.as_deref().or(beside)
    }

    /// Opens the database, or an event log in memory.
    pub(super) async fn open_store(&self, location: &Location) -> Result<Store, SettingsError> {
        let window = self.log_window.map(std::num::NonZero::get);
        let database = match location {
            Location::Sqlite(path) => Database::sqlite(path).await,
            Location::Postgres(url) => Database::postgres(url, CONNECTIONS.0, CONNECTIONS.1).await,
            Location::Memory => {
                if self.bus.is_some() {
                    return Err(SettingsError::new("--bus needs a --store that several servers share"));
                }
                let ring = RingConfig::default();
                let ring = match window {
                    Some(events) => ring.window_events(events),
                    None => ring,
                };
                return Ok(Store::Memory(RingLog::new(ring)));
            }
        };
        let database = database.map_err(|error| SettingsError::new(error.to_string()))?;
        tracing::info!(store = ?location, "sessions are kept");
        let events = DurableConfig::default().window_events(window.map(|events| events as u64));
        let mut config = StorageConfig::default().lease(self.lease).events(events);
        config.bus = self.bus.clone();
        Ok(Store::Database(Storage::new(database, config)))
    }
}

/// Parses a [`Location`]. The error does not repeat the value, which may contain a password.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocationParser;

impl TypedValueParser for LocationParser {
    type Value = Location;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Location, clap::Error> {
        let location = value.to_str().ok_or(InvalidLocation).and_then(str::parse);
        location.map_err(|error| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("{error}\n")).with_cmd(command)
        })
    }
}

/// Parses a [`Bus`]. The error does not repeat the value, which may contain a password.
#[derive(Clone, Copy, Debug)]
pub(super) struct BusParser;

impl TypedValueParser for BusParser {
    type Value = Bus;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Bus, clap::Error> {
        let bus = value.to_str().ok_or(InvalidBus).and_then(str::parse);
        bus.map_err(|error| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("{error}\n")).with_cmd(command)
        })
    }
}

/// A file in the user's data directory, or memory if the user has no such directory.
fn default_location(env: impl Fn(&str) -> Option<OsString>) -> Location {
    let directory = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = directory("XDG_DATA_HOME").or_else(|| Some(directory("HOME")?.join(".local/share")));
    match data {
        Some(data) => Location::Sqlite(data.join(Path::new("agent-webkit/sessions.db"))),
        None => {
            tracing::warn!("neither XDG_DATA_HOME nor HOME is set: sessions are kept in memory only");
            Location::Memory
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agents_need_lies_beside_the_sqlite_file_unless_a_setting_says_where() {
        let state_dir = |args: &[&str]| {
            let settings = super::super::tests::parse(args, &[]).unwrap();
            let location = settings.location(|_| None);
            settings.state_dir(&location).map(Path::to_owned)
        };
        assert_eq!(state_dir(&["--store", "sqlite:/d/s.db"]), Some("/d".into()));
        assert_eq!(state_dir(&["--store", "sqlite:s.db"]), Some(".".into()));
        assert_eq!(state_dir(&["--store", "postgres://h/d"]), None);
        assert_eq!(state_dir(&["--store", "sqlite:/d/s.db", "--state-dir", "/e"]), Some("/e".into()));
    }

    #[test]
    fn the_users_data_directory_is_the_default() {
        let location = |vars: &[(&str, &str)]| {
            default_location(|name| vars.iter().find(|(given, _)| *given == name).map(|(_, at)| at.into()))
        };
        let home = ("HOME", "/home/ada");
        let file = |path: &str| Location::Sqlite(path.into());
        assert_eq!(location(&[home]), file("/home/ada/.local/share/agent-webkit/sessions.db"));
        assert_eq!(location(&[home, ("XDG_DATA_HOME", "/d")]), file("/d/agent-webkit/sessions.db"));
        assert_eq!(
            location(&[home, ("XDG_DATA_HOME", "d")]),
            location(&[home]),
            "relative ones do not count"
        );
        assert_eq!(location(&[]), Location::Memory);
    }
}
