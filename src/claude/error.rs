//! [`StartError`] and [`SetupError`].

use std::{io, path::PathBuf};

use crate::{agent::UnknownProfile, storage::transcripts::StoreError};

/// Why an agent could not be started. The text is one sentence that may be shown to clients: it holds no
/// value from the environment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The program does not exist.
    #[error("the claude CLI is not at {}", .0.display())]
    NotFound(PathBuf),
    /// The agent wrapper could not be executed.
    #[error("the agent wrapper {} cannot be executed", .0.display())]
    Wrapper(PathBuf, #[source] io::Error),
    /// This user may not execute the program.
    #[error("the claude CLI at {} may not be executed", .0.display())]
    NotExecutable(PathBuf),
    /// The working directory does not exist or is not a directory.
    #[error("the working directory {} does not exist", .0.display())]
    NoDirectory(PathBuf),
    /// The agents' user may not enter the working directory.
    #[error("agents may not enter the working directory {}", .0.display())]
    ClosedDirectory(PathBuf),
    /// The spec names a profile that there is not.
    #[error("the session's profile is not known here")]
    Profile(#[source] UnknownProfile),
    /// The [factory](super::Claude::factory) failed.
    #[error("the agent's options could not be chosen")]
    Factory(#[source] tower::BoxError),
    /// A value of the spec is not valid. The text names the field.
    #[error("{0}")]
    BadValue(&'static str),
    /// The session's transcript could not be loaded. Without it the agent would not remember the
    /// conversation.
    #[error("the session's transcript cannot be loaded")]
    Transcript(#[source] StoreError),
    /// The conversation that the session begins with is not there, or not up to this turn.
    #[error("the conversation of the session that is forked is not stored")]
    NoFork,
    /// The agent's config directory could not be created.
    #[error("the agent's config directory cannot be created")]
    Folder(#[source] io::Error),
    /// The operating system did not start the process.
    #[error("the claude CLI could not be started")]
    Spawn(#[source] io::Error),
}

/// Why no agent can run with these settings, as one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(String);

impl SetupError {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}
