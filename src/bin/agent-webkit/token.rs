//! The token of the commands that are clients, from a file or from the environment.

use std::{env, fs, path::Path};

use crate::Failure;

pub(crate) fn read(file: &Path) -> Result<String, String> {
    let read =
        fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(read.trim().to_owned())
}

/// The token in AGENT_WEBKIT_AUTH_TOKEN, or else in AGENT_WEBKIT_TOKEN.
pub(crate) fn from_environment() -> Result<Option<String>, Failure> {
    let set = |name| env::var_os(name).filter(|token| !token.is_empty());
    let token = set("AGENT_WEBKIT_AUTH_TOKEN").or_else(|| set("AGENT_WEBKIT_TOKEN"));
    let text =
        token.map(|token| token.into_string().map_err(|_| Failure::Usage("a token must be text".to_owned())));
    text.transpose()
}
