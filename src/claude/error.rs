//! Why no agent could be started.

use std::{io, path::PathBuf};

use crate::storage::transcripts::StoreError;

/// Why no agent could be started: one sentence, fit to be shown, without values from the environment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no such program.
    #[error("the claude CLI is not at {}", .0.display())]
    NotFound(PathBuf),
    /// The program may not be run.
    #[error("the claude CLI at {} may not be executed", .0.display())]
    NotExecutable(PathBuf),
    /// The working directory is not there, or is none.
    #[error("the working directory {} does not exist", .0.display())]
    NoDirectory(PathBuf),
    /// A value that cannot be given to the CLI. The text names the field.
    #[error("{0}")]
    BadValue(&'static str),
    /// The session has a past, and it cannot be had: an agent would not remember it.
    #[error("the session's transcript cannot be loaded")]
    Transcript(#[source] StoreError),
    /// There is no place for the agent's own configuration folder.
    #[error("the agent's configuration folder cannot be made")]
    Folder(#[source] io::Error),
    /// The operating system would not start the process.
    #[error("the claude CLI could not be started")]
    Spawn(#[source] io::Error),
}
