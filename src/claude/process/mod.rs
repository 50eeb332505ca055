//! CLI processes: start, supervision, termination, environment, watcher.

pub(crate) mod cli_process;
pub(crate) mod environment;
pub(crate) mod supervisor;
pub(crate) mod tag;
pub(crate) mod termination;
pub(crate) mod watcher;
