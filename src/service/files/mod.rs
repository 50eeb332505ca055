//! The paths below a session's directory, for completion in a client.

mod ignored;
mod walk;

use std::{io, path::Path};

use self::walk::{Found, walk};

/// Maximum number of paths in an answer.
const MOST: usize = 100;

/// Returns the paths below `root` that hold `query`, the best ones first: relative ones, those of directories with a
/// slash at the end. Upper and lower case are the same. Blocks.
///
/// It follows no symlink and leaves out what git ignores, `.git`, and names that are not UTF-8. In a large directory it
/// looks at the first entries only, those that are nearest to `root`.
pub(crate) fn list(root: &Path, query: &str) -> io::Result<Vec<String>> {
    let query = query.to_lowercase();
    let mut ranked = Vec::new();
    walk(root, &mut |found| ranked.extend(rank(&found.path, &query).map(|rank| (rank, found))))?;
    ranked.sort_by(|(a, x), (b, y)| (a, x.depth, &x.path).cmp(&(b, y.depth, &y.path)));
    let path = |(_, Found { path, is_dir, .. })| if is_dir { path + "/" } else { path };
    Ok(ranked.into_iter().take(MOST).map(path).collect())
}

/// How well a path answers a query, from 0 on; `None` if it does not hold it.
fn rank(path: &str, query: &str) -> Option<u8> {
    let path = path.to_lowercase();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let place =
        [path.starts_with(query), name.starts_with(query), name.contains(query), path.contains(query)];
    place.iter().position(|holds| *holds).map(|rank| rank as u8)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, process::Command};

    use tempfile::TempDir;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn found(dir: &TempDir, query: &str) -> Vec<String> {
        list(&dir.path().canonicalize().unwrap(), query).unwrap()
    }

    #[test]
    fn the_best_paths_come_first() {
        let dir =
            tree(&[("src/main.rs", ""), ("src/domain/x.rs", ""), ("main.md", ""), ("a/b/Main.txt", "")]);
        assert_eq!(
            found(&dir, "main"),
            ["main.md", "src/main.rs", "a/b/Main.txt", "src/domain/", "src/domain/x.rs"]
        );
        assert_eq!(found(&dir, "SRC/d"), ["src/domain/", "src/domain/x.rs"]);
        assert_eq!(found(&dir, "")[..3], ["a/", "main.md", "src/"]);
        assert!(found(&dir, "nothing like it").is_empty());
    }

    #[test]
    fn no_link_leads_out() {
        let outside = tree(&[("secret.txt", "")]);
        let dir = tree(&[("in/file.txt", "")]);
        symlink(outside.path(), dir.path().join("out")).unwrap();
        symlink(outside.path().join("secret.txt"), dir.path().join("in/secret.txt")).unwrap();
        symlink(dir.path(), dir.path().join("in/loop")).unwrap();
        assert_eq!(found(&dir, ""), ["in/", "in/file.txt"]);
        assert!(found(&dir, "../").is_empty());
    }

    #[test]
    fn what_git_ignores_is_left_out() {
        let dir = tree(&[
            (".git/HEAD", ""),
            (".gitignore", "target\n*.log\n!keep.log\n"),
            ("target/x", ""),
            ("a.log", ""),
            ("keep.log", ""),
            ("sub/.gitignore", "/local\n"),
            ("sub/local", ""),
            ("sub/target/y", ""),
            ("sub/deep/local", ""),
        ]);
        let expected = [".gitignore", "keep.log", "sub/", "sub/.gitignore", "sub/deep/", "sub/deep/local"];
        assert_eq!(found(&dir, ""), expected);
        let below = list(&dir.path().canonicalize().unwrap().join("sub"), "").unwrap();
        assert_eq!(below, [".gitignore", "deep/", "deep/local"], "the repository begins above");
        fs::remove_dir_all(dir.path().join(".git")).unwrap();
        assert!(found(&dir, "").contains(&"a.log".to_owned()), "it is no repository");
    }

    #[test]
    fn a_list_of_ignored_files_that_never_ends_is_not_read() {
        let dir = tree(&[(".git/HEAD", ""), ("file", "")]);
        let made = Command::new("mkfifo").arg(dir.path().join(".gitignore")).status().unwrap();
        assert!(made.success());
        assert_eq!(found(&dir, ""), ["file"]);
    }

    #[test]
    fn work_and_answer_are_bounded() {
        let dir = tree(&[]);
        for n in 0..walk::ENTRIES / 100 + 20 {
            let folder = dir.path().join(format!("d{n}"));
            fs::create_dir(&folder).unwrap();
            for file in 0..100 {
                fs::write(folder.join(format!("f{file}")), "").unwrap();
            }
        }
        let mut seen = 0;
        walk(&dir.path().canonicalize().unwrap(), &mut |_| seen += 1).unwrap();
        assert!(seen <= walk::ENTRIES, "{seen}");
        assert_eq!(found(&dir, "").len(), MOST);
    }
}
