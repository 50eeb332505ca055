//! The real `claude` CLI.

use std::{env, path::PathBuf};

/// Returns the path of the CLI.
pub(crate) fn claude() -> PathBuf {
    let installed =
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".local/claude/node_modules/.bin/claude");
    let path = env::var_os("AGENT_WEBKIT_CLAUDE").map_or_else(installed, PathBuf::from);
    assert!(path.exists(), "there is no claude CLI at {}: `make test` installs it", path.display());
    path
}
