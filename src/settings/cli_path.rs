//! Finds the `claude` CLI.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use which::which_in;

use super::SettingsError;

/// Path of the CLI that this project's scripts install, relative to the project's folder.
const LOCAL: &str = ".local/claude/node_modules/.bin/claude";

/// The CLI at `given`, which is looked up on `path` if it is a bare name. Without it, the first one found: on `path`,
/// then at [`LOCAL`].
pub(super) fn find(given: Option<&Path>, path: Option<&OsStr>) -> Result<PathBuf, SettingsError> {
    let executable = |name: &Path| which_in(name, path, env::current_dir().unwrap_or_default()).ok();
    match given {
        Some(given) => executable(given)
            // A bare name that is not on the path may be a file here.
            .or_else(|| executable(&Path::new(".").join(given)))
            .map(absolute)
            .ok_or_else(|| SettingsError::new(format!("there is no claude CLI at {}", given.display()))),
        None => executable(Path::new("claude"))
            .or_else(|| executable(Path::new(LOCAL)))
            .map(absolute)
            .ok_or_else(|| {
                SettingsError::new(
                    "the claude CLI was not found: install it with npm install -g @anthropic-ai/claude-code, \
                 or say where it is with --claude",
                )
            }),
    }
}

/// Makes the path absolute, because agents work in other directories than the server.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn the_given_one_wins_and_must_exist() {
        let dir = tempfile::tempdir().unwrap();
        let cli = dir.path().join("claude");
        fs::write(&cli, "").unwrap();
        assert!(find(Some(&cli), None).is_err(), "it cannot be executed");
        fs::set_permissions(&cli, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(Some(&cli), None).unwrap(), cli);
        assert_eq!(find(None, Some(dir.path().as_os_str())).unwrap(), cli);
        assert_eq!(find(Some(Path::new("claude")), Some(dir.path().as_os_str())).unwrap(), cli);
        let missing = find(Some(&dir.path().join("other")), Some(dir.path().as_os_str())).unwrap_err();
        assert!(missing.to_string().contains("other"), "{missing}");
        assert!(find(Some(dir.path()), None).is_err(), "a directory is no CLI");
    }
}
