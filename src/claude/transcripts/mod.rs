//! The CLI's transcripts: mirrored to a transcript store, restored from it, and the config directories that
//! hold them.

pub(crate) mod cleared;
pub(crate) mod cli_files;
pub(crate) mod config_dirs;
pub(crate) mod config_root;
pub(crate) mod deferred;
pub(crate) mod fork;
pub(crate) mod gaps;
pub(crate) mod kept_files;
pub(crate) mod materialise;
pub(crate) mod mirror;
mod removal;
mod safe_paths;
