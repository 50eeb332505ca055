//! Removal of directories in which agents have written.
//!
//! [`std::fs::remove_dir_all`] needs stack and an open file for each level of directories, and the agent chooses the
//! number of levels. Measured: at 20000 levels its thread overflows the stack, which ends the process.

use std::{ffi::CStr, fs, io, os::fd::OwnedFd, path::Path};

use rustix::{
    fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, renameat, unlinkat},
    io::Errno,
    path::Arg,
};

/// The maximum number of looks into the directory. A process that escaped may go on writing in it.
const MAX_LOOKS: u32 = 1 << 20;

/// Removes a directory with everything in it, and follows no link.
///
/// A directory that is found in one of its directories is first moved up beside that one, so there are never more than
/// two levels to look at.
pub(super) fn remove_tree(folder: &Path) -> io::Result<()> {
    let top = open(CWD, folder)?;
    for _ in 0..MAX_LOOKS {
        let is_empty = clear(&top, |name| {
            let below = open(&top, name)?;
            clear(&below, |name| match unlinkat(&below, name, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY | Errno::EXIST) => {
                    renameat(&below, name, &top, uuid::Uuid::new_v4().to_string())
                }
                removed => removed,
            })?;
            unlinkat(&top, name, AtFlags::REMOVEDIR)
        })?;
        if is_empty {
            break;
        }
    }
    fs::remove_dir(folder)
}

/// Removes the files of a directory, and calls `remove_dir` with the names of its directories. Returns whether
/// there was nothing.
fn clear(
    folder: &OwnedFd,
    mut remove_dir: impl FnMut(&CStr) -> rustix::io::Result<()>,
) -> rustix::io::Result<bool> {
    let mut is_empty = true;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        is_empty = false;
        match unlinkat(folder, name, AtFlags::empty()) {
            // Linux reports the first for a directory, macOS the second.
            Err(Errno::ISDIR | Errno::PERM) => remove_dir(name)?,
            removed => removed?,
        }
    }
    Ok(is_empty)
}

fn open(parent: impl std::os::fd::AsFd, name: impl Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::mkdirat;

    use super::*;

    #[test]
    fn a_wide_tree_goes_and_what_its_links_point_to_stays() {
        let root = tempfile::tempdir().unwrap();
        let (tree, other) = (root.path().join("tree"), root.path().join("other"));
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        fs::create_dir_all(tree.join("a/b/empty")).unwrap();
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("file"), "").unwrap();
        for folder in ["", "a", "a/b", "a/b/c"] {
            symlink(&other, tree.join(folder).join("folder")).unwrap();
            symlink(other.join("file"), tree.join(folder).join("file")).unwrap();
            fs::write(tree.join(folder).join("own"), "").unwrap();
        }
        remove_tree(&tree).unwrap();
        assert!(!tree.exists() && other.join("file").exists());

        symlink(&other, &tree).unwrap();
        remove_tree(&tree).unwrap_err();
        assert!(other.join("file").exists());
        assert_eq!(remove_tree(&root.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_number_of_levels_does_not_matter() {
        let root = tempfile::tempdir().unwrap();
        let tree = root.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let mut deepest = open(CWD, &tree).unwrap();
        for _ in 0..20_000 {
            mkdirat(&deepest, "d", Mode::RWXU).unwrap();
            deepest = open(&deepest, "d").unwrap();
        }
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }
}
