//! The paths of file tools.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::glob;

/// Whether the path of a tool matches a pattern; a relative one is below the session's directory. A rule that allows
/// needs to know the place: what `..` and symbolic links lead to has to match, too. For others it is enough that either
/// matches.
pub(super) fn matches(pattern: &str, path: &str, cwd: &Path, allows: bool) -> bool {
    let pattern = normal(&cwd.join(pattern));
    let is =
        |path: &Path| path.to_str().is_some_and(|path| glob::matches_path(&pattern.to_string_lossy(), path));
    // The tool looks for the home directory, which may be another user's.
    if path.starts_with('~') {
        return !allows && is(Path::new(path));
    }
    let given = normal(&cwd.join(path));
    let real = real(&given);
    if allows {
        is(&given) && real.is_some_and(|real| is(&real))
    } else {
        is(&given) || real.is_some_and(|real| is(&real))
    }
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// Where the path leads to, of which the last components may not exist yet. `None` if it cannot be found out.
fn real(path: &Path) -> Option<PathBuf> {
    for above in path.ancestors() {
        // A dangling link exists, and a tool may write through it.
        match fs::symlink_metadata(above) {
            Ok(_) => return Some(fs::canonicalize(above).ok()?.join(path.strip_prefix(above).ok()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowed_path_is_where_it_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        let cwd = dir.path().canonicalize().unwrap().join("w");
        fs::create_dir_all(cwd.join("src")).unwrap();
        fs::create_dir(dir.path().join("out")).unwrap();
        std::os::unix::fs::symlink("../../out", cwd.join("src/link")).unwrap();
        std::os::unix::fs::symlink("../../nowhere", cwd.join("src/dangling")).unwrap();
        let allowed = |path: &str| matches("src/**", path, &cwd, true);
        assert!(
            allowed("src/a.rs") && allowed("src/new/a.rs") && allowed(cwd.join("src/a.rs").to_str().unwrap())
        );
        for path in [
            "src/../a.rs",
            "a.rs",
            "/etc/passwd",
            "src/link/a.rs",
            "src/dangling",
            "~/src/a.rs",
            "../w/src/../a",
        ] {
            assert!(!allowed(path), "{path}");
        }
        let denied = |path: &str| matches("src/**", path, &cwd, false);
        assert!(denied("src/link/a.rs") && denied("x/../src/a.rs") && !denied("a.rs"));
        assert!(matches("/**/.env", "src/.env", &cwd, false));
    }
}
