//! The database behind `store`, `log` and `catalog`: how it is named, opened and kept up to date.

mod location;
mod migrations;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod transient;

pub use location::{InvalidLocation, Location};
pub use transient::is_transient;

/// Why a database cannot be used: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct OpenError {
    sentence: String,
    #[source]
    source: Option<sqlx::Error>,
}

/// An open database whose tables are up to date. Clones share their connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Database {
    /// A file that belongs to this process alone.
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Sqlite),
    /// A server that several hosts may share.
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
}

#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;

impl OpenError {
    fn new(what: impl Into<String>, source: sqlx::Error) -> Self {
        Self { sentence: format!("{}: {source}", what.into()), source: Some(source) }
    }
}
