//! Describes in one sentence why a database cannot be used.

use sqlx::{Error, migrate::MigrateError};

/// Why a database cannot be used: one sentence for the operator, without passwords.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct OpenError {
    sentence: String,
    #[source]
    source: Option<Error>,
}

impl OpenError {
    /// The sentence is "`what`: the reason of the error".
    pub(super) fn new(what: impl std::fmt::Display, source: impl Into<Error>) -> Self {
        let source = source.into();
        Self { sentence: format!("{what}: {}", reason(&source)), source: Some(source) }
    }

    pub(super) fn sentence(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), source: None }
    }
}

/// The reason of an sqlx error, without the prefix that sqlx puts before it.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::Database(error) => error.message().to_owned(),
        Error::Io(error) => error.to_string(),
        Error::Configuration(error) | Error::Tls(error) => error.to_string(),
        Error::PoolTimedOut => "it did not answer in time".to_owned(),
        Error::Migrate(error) => match &**error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooOld(..) => {
                "they were made by a newer version of this program".to_owned()
            }
            MigrateError::VersionMismatch(_) => "they were made by another build of this program".to_owned(),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => reason(error),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}
