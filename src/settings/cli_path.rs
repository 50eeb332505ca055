//! Finds the `claude` CLI.

use std::{
    env,
    ffi::OsStr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::SettingsError;

/// Path of the CLI that this project's scripts install, relative to the project's folder.
const LOCAL: &str = ".local/claude/node_modules/.bin/claude";

/// The CLI at `given`. Without it, the first one found: on `path`, then at [`LOCAL`].
pub(super) fn find(given: Option<&Path>, path: Option<&OsStr>) -> Result<PathBuf, SettingsError> {
    if let Some(given) = given {
        // A bare name is looked up on the path, as a shell does.
        let bare = given.components().count() == 1 && !given.is_absolute();
        let on_path = bare.then(|| on_path(given.as_os_str(), path)).flatten();
        return on_path
            .or_else(|| is_executable(given).then(|| given.to_owned()))
            .map(absolute)
            .ok_or_else(|| SettingsError::new(format!("there is no claude CLI at {}", given.display())));
    }
    on_path(OsStr::new("claude"), path)
        .or_else(|| Some(PathBuf::from(LOCAL)).filter(|local| is_executable(local)))
        .map(absolute)
        .ok_or_else(|| {
            SettingsError::new(
                "the claude CLI was not found: install it with npm install -g @anthropic-ai/claude-code, \
                 or say where it is with --claude",
            )
        })
}

fn on_path(name: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    env::split_paths(path?).map(|dir| dir.join(name)).find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Makes the path absolute, because agents work in other directories than the server.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

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
