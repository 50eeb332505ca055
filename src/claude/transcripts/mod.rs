//! Transcripts of the CLI: mirrored into a store, materialised from it, and the config directories they lie in.

pub(crate) mod cleared;
pub(crate) mod cli_files;
pub(crate) mod config_dirs;
pub(crate) mod materialise;
pub(crate) mod mirror;
