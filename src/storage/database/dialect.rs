//! The expressions in which the two kinds of database differ, and the parameters that go with them.

use std::time::Duration;

use super::Database;

impl Database {
    /// The database's time, in milliseconds since the Unix epoch.
    pub(in crate::storage) const fn sql_now(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "cast(unixepoch('subsec') * 1000 as integer)",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "(extract(epoch from clock_timestamp()) * 1000)::bigint",
        }
    }

    /// The rows of a JSON list of texts that is the first parameter.
    pub(in crate::storage) const fn sql_each(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "select value from json_each($1)",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "select jsonb_array_elements_text($1::jsonb)",
        }
    }
}

/// A duration as a parameter in milliseconds. Added to a time of day, even the longest does not overflow.
pub(in crate::storage) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}
