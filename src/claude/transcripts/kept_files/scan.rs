//! Finds the files of a config directory that changed since the last scan. Blocks.

use std::{
    collections::{BTreeMap, HashMap, btree_map},
    fs::{self, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{JOURNAL, RUNS, SESSION_TREES, TREES, format};
use crate::{
    claude::transcripts::safe_paths::{is_safe, open_own},
    storage::transcripts::Entry,
};

/// The maximum size of a kept file, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The maximum size of a scan's entry of one file, in bytes.
pub(crate) const MAX_STORED: u64 = format::max_size(MAX_FILE);

/// The maximum number of kept files.
const MAX_FILES: usize = 10_000;

/// The maximum depth of folders below a tree. The CLI's have at most two levels.
const MAX_DEPTH: usize = 8;

/// What one scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The entries of files that changed.
    pub(crate) entries: Vec<Entry>,
    /// Sentences about files that are not kept, each once per file.
    pub(crate) not_kept: Vec<String>,
    /// There was no room for the entries of some files.
    pub(crate) rest: bool,
}

/// Knows which version of each file is stored.
#[derive(Debug)]
pub(super) struct Scanner {
    config_dir: PathBuf,
    known: HashMap<String, Known>,
    reported_number: bool,
}

#[derive(Debug)]
struct Known {
    stamp: Stamp,
    /// Whether the file is stored; too large ones are not.
    kept: bool,
}

/// Tells versions of a file apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    /// In seconds and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { length: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

impl Scanner {
    pub(super) fn new(config_dir: &Path) -> Self {
        let walk = Walk::of(config_dir);
        let known =
            walk.found.into_iter().map(|(path, found)| (path, Known { stamp: found.stamp, kept: true }));
        Self { config_dir: config_dir.to_owned(), known: known.collect(), reported_number: false }
    }

    /// Reads the files that changed. The entries have at most `room` bytes.
    pub(super) fn scan(&mut self, room: usize) -> Scan {
        let walk = Walk::of(&self.config_dir);
        let mut scan = Scan::default();
        // Files that could not be looked for are not taken for removed.
        if walk.is_complete {
            self.known.retain(|path, known| {
                let there = walk.found.contains_key(path);
                if !there && known.kept {
                    scan.entries.extend(format::removed(path));
                }
                there
            });
        }
        if walk.too_many && !self.reported_number {
            self.reported_number = true;
            scan.not_kept.push(format!("The agent has more than {MAX_FILES} files; the rest is not kept."));
        }
        let mut room = room as u64;
        for (path, Found { file, stamp }) in walk.found {
            if self.known.get(&path).is_some_and(|known| known.stamp == stamp) {
                continue;
            }
            if stamp.length <= MAX_FILE && format::max_size(stamp.length) > room {
                scan.rest = true;
                continue;
            }
            match read(&file, &path, stamp.length) {
                Ok(entry) => {
                    room = room.saturating_sub(entry.json().get().len() as u64);
                    scan.entries.push(entry);
                    self.known.insert(path, Known { stamp, kept: true });
                }
                Err(Unkept::Changed) => {}
                Err(Unkept::For(reason)) => {
                    let before = self.known.insert(path.clone(), Known { stamp, kept: false });
                    // An older version would be wrong after a resume.
                    if before.as_ref().is_some_and(|known| known.kept) {
                        scan.entries.extend(format::removed(&path));
                    }
                    if before.is_none_or(|known| known.kept) {
                        tracing::warn!(path, reason, "a file of the session is not kept");
                        scan.not_kept.push(format!("The agent's file {path} {reason}; it is not kept."));
                    }
                }
            }
        }
        scan
    }
}

/// Why a file is not stored.
enum Unkept {
    /// It changed since its metadata was read; the next scan finds it again.
    Changed,
    For(String),
}

fn read(file: &Path, path: &str, length: u64) -> Result<Entry, Unkept> {
    if length > MAX_FILE {
        return Err(Unkept::For(format!("is larger than {} MiB", MAX_FILE >> 20)));
    }
    if !is_safe(path) {
        return Err(Unkept::For("has an unusual name".to_owned()));
    }
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    let read = open_own(file).and_then(|file| file.take(length + 1).read_to_end(&mut content));
    match read {
        Ok(read) if read as u64 == length => {
            format::file(path, &content).ok_or_else(|| Unkept::For("cannot be stored".to_owned()))
        }
        Ok(_) => Err(Unkept::Changed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Unkept::Changed),
        Err(error) => Err(Unkept::For(format!("cannot be read ({error})"))),
    }
}

/// A file of the config directory.
struct Found {
    file: PathBuf,
    stamp: Stamp,
}

/// The files of a config directory, by the paths under which they are stored.
struct Walk {
    found: BTreeMap<String, Found>,
    /// Every folder could be read, and the config directory is there.
    is_complete: bool,
    too_many: bool,
}

impl Walk {
    fn of(config_dir: &Path) -> Self {
        let mut walk = Self { found: BTreeMap::new(), is_complete: config_dir.is_dir(), too_many: false };
        for tree in TREES {
            walk.tree(&config_dir.join(tree), tree, MAX_DEPTH);
        }
        for project in walk.folders(&config_dir.join("projects")) {
            for session in walk.folders(&project) {
                for tree in SESSION_TREES {
                    walk.tree(&session.join(tree), tree, MAX_DEPTH);
                }
                for run in walk.folders(&session.join(RUNS)) {
                    walk.journal(&run);
                }
            }
        }
        walk
    }

    /// Adds the files below a folder.
    fn tree(&mut self, folder: &Path, stored_as: &str, depth: usize) {
        for (path, metadata) in self.list(folder) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let stored_as = format!("{stored_as}/{name}");
            if metadata.is_dir() && depth > 0 {
                self.tree(&path, &stored_as, depth - 1);
            } else if metadata.is_file() {
                self.add(stored_as, Found { file: path, stamp: Stamp::of(&metadata) });
            }
        }
    }

    /// Adds the journal of a workflow's run.
    fn journal(&mut self, run: &Path) {
        let name = run.file_name().unwrap_or_default().to_string_lossy();
        let listed = self.list(run).into_iter();
        for (file, metadata) in
            listed.filter(|(path, metadata)| path.ends_with(JOURNAL) && metadata.is_file())
        {
            self.add(format!("{RUNS}/{name}/{JOURNAL}"), Found { file, stamp: Stamp::of(&metadata) });
        }
    }

    /// Adds a file. Of several with the same path, in two sessions' directories, the newest counts.
    fn add(&mut self, path: String, new: Found) {
        let files = self.found.len();
        match self.found.entry(path) {
            btree_map::Entry::Occupied(mut found) => {
                if found.get().stamp.modified < new.stamp.modified {
                    found.insert(new);
                }
            }
            btree_map::Entry::Vacant(place) if files < MAX_FILES => {
                place.insert(new);
            }
            btree_map::Entry::Vacant(_) => (self.too_many, self.is_complete) = (true, false),
        }
    }

    fn folders(&mut self, folder: &Path) -> Vec<PathBuf> {
        let listed = self.list(folder).into_iter();
        listed.filter(|(_, metadata)| metadata.is_dir()).map(|(path, _)| path).collect()
    }

    /// Lists a folder, without dot files. Links are not followed: they may lead anywhere.
    fn list(&mut self, folder: &Path) -> Vec<(PathBuf, Metadata)> {
        match list(folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "cannot read a folder of the agent's files");
                self.is_complete = false;
                Vec::new()
            }
        }
    }
}

fn list(folder: &Path) -> io::Result<Vec<(PathBuf, Metadata)>> {
    // `read_dir` would follow a link.
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Ok(Vec::new());
    }
    let mut listed = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        match entry.metadata() {
            Ok(metadata) => listed.push((entry.path(), metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::symlink};

    use super::*;

    const ROOM: usize = 64 << 20;

    fn put(root: &Path, path: &str, content: impl AsRef<[u8]>) {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    /// The entries, without their uuids.
    fn shown(scan: &Scan) -> Vec<String> {
        let json = scan.entries.iter().map(|entry| entry.json().get());
        json.map(|json| json.split_once("\"path\":").unwrap().1.strip_suffix('}').unwrap().to_owned())
            .collect()
    }

    #[test]
    fn what_is_new_or_changed_or_removed_is_found_once() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "plans/old.md", "old");
        let mut scanner = Scanner::new(root.path());
        assert!(shown(&scanner.scan(ROOM)).is_empty(), "it is stored already");

        put(root.path(), "plans/a.md", "a");
        put(root.path(), "tasks/s/1.json", "{}");
        put(root.path(), "file-history/s/5cee@v2", [255]);
        put(root.path(), "projects/-w/s/tool-results/b/c.txt", "c");
        put(root.path(), "projects/-w/s/workflows/wf_1.json", "{}");
        put(root.path(), "projects/-w/s/subagents/workflows/wf_1/journal.jsonl", "j");
        for other in [
            "plans/.lock",
            "projects/-w/s.jsonl",
            "projects/-w/s/subagents/a.jsonl",
            "projects/-w/s/subagents/workflows/wf_1/a.jsonl",
            "settings.json",
        ] {
            put(root.path(), other, "");
        }
        let found = [
            r#""file-history/s/5cee@v2","hex":"ff""#,
            r#""plans/a.md","text":"a""#,
            r#""subagents/workflows/wf_1/journal.jsonl","text":"j""#,
            r#""tasks/s/1.json","text":"{}""#,
            r#""tool-results/b/c.txt","text":"c""#,
            r#""workflows/wf_1.json","text":"{}""#,
        ];
        assert_eq!(shown(&scanner.scan(ROOM)), found);
        assert!(shown(&scanner.scan(ROOM)).is_empty());

        put(root.path(), "plans/a.md", "ab");
        fs::remove_file(root.path().join("tasks/s/1.json")).unwrap();
        fs::rename(root.path().join("projects/-w"), root.path().join("projects/-w-tree")).unwrap();
        let changed = [r#""tasks/s/1.json","removed":true"#, r#""plans/a.md","text":"ab""#];
        assert_eq!(shown(&scanner.scan(ROOM)), changed, "a tool's output is the same in another project");
    }

    #[test]
    fn a_config_directory_that_is_gone_removes_nothing() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "plans/a.md", "a");
        let mut scanner = Scanner::new(root.path());
        fs::remove_dir_all(root.path()).unwrap();
        assert!(shown(&scanner.scan(ROOM)).is_empty());
    }

    #[test]
    fn links_and_pipes_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "secret/tokens", "secret");
        put(root.path(), "plans/a.md", "a");
        let mut scanner = Scanner::new(root.path());
        symlink(root.path().join("secret"), root.path().join("todos")).unwrap();
        symlink(root.path().join("secret"), root.path().join("plans/folder")).unwrap();
        symlink(root.path().join("secret/tokens"), root.path().join("plans/b.md")).unwrap();
        assert!(shown(&scanner.scan(ROOM)).is_empty());
        assert!(open_own(&root.path().join("plans/b.md")).is_err(), "it was replaced by a link");
    }

    #[test]
    fn what_is_too_large_is_reported_once_and_its_older_version_removed() {
        let root = tempfile::tempdir().unwrap();
        let mut scanner = Scanner::new(root.path());
        put(root.path(), "plans/a.md", "a");
        put(root.path(), "plans/b:c.md", "");
        let scan = scanner.scan(ROOM);
        assert_eq!(scan.not_kept, ["The agent's file plans/b:c.md has an unusual name; it is not kept."]);
        let large = File::create(root.path().join("plans/a.md")).unwrap();
        large.set_len(MAX_FILE + 1).unwrap();
        let scan = scanner.scan(ROOM);
        assert_eq!(scan.not_kept, ["The agent's file plans/a.md is larger than 16 MiB; it is not kept."]);
        assert_eq!(shown(&scan), [r#""plans/a.md","removed":true"#]);
        large.set_len(MAX_FILE + 2).unwrap();
        let scan = scanner.scan(ROOM);
        assert!(scan.not_kept.is_empty() && scan.entries.is_empty() && !scan.rest);
    }

    #[test]
    fn what_has_no_room_comes_later() {
        let root = tempfile::tempdir().unwrap();
        let mut scanner = Scanner::new(root.path());
        let large = "x".repeat(100_000);
        for name in ["plans/a.md", "plans/b.md"] {
            put(root.path(), name, &large);
        }
        let room = usize::try_from(format::max_size(100_000)).unwrap();
        let first = scanner.scan(room);
        assert_eq!((first.entries.len(), first.rest), (1, true));
        let second = scanner.scan(room);
        assert_eq!((second.entries.len(), second.rest), (1, false));
    }
}
