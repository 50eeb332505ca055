//! Finds the CLI's transcript of a session, and decides whether the CLI can resume from it.
//!
//! Measured: the CLI exits on `--resume` if the session has no transcript, or one without a message (the CLI
//! was killed while it wrote the first). It exits on `--session-id` if the file exists. So the file decides
//! between the two, and a file without a message, which neither accepts, is renamed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use super::deferred::Deferred;
use crate::storage::transcripts::Entry;

/// The length at which the CLI cuts a directory name and appends a hash.
const LONGEST_SLUG: usize = 200;

/// Whether the CLI can resume the session from its transcript. Renames a transcript without a message.
pub(crate) fn can_resume(config_dir: &Path, cwd: &Path, session_id: &str) -> io::Result<bool> {
    let Some(path) = find(config_dir, cwd, session_id) else { return Ok(false) };
    if holds_a_message(&path)? {
        return Ok(true);
    }
    fs::rename(&path, path.with_extension("jsonl.unusable"))?;
    Ok(false)
}

/// Appends the entries that make the CLI ask again to the session's transcript.
pub(crate) fn defer(config_dir: &Path, cwd: &Path, session_id: &str, deferred: &Deferred) -> io::Result<()> {
    let Some(path) = find(config_dir, cwd, session_id).filter(|_| !deferred.is_empty()) else {
        return Ok(());
    };
    let transcript: Vec<Entry> =
        fs::read_to_string(&path)?.lines().filter_map(|line| line.parse().ok()).collect();
    let mut file = OpenOptions::new().append(true).open(path)?;
    deferred.entries(&transcript).iter().try_for_each(|entry| writeln!(file, "{}", entry.json()))
}

/// The CLI's directories for the transcripts of one working directory.
#[derive(Debug)]
pub(crate) struct Project {
    name: String,
    /// Whether `name` was cut. Then the directory's name is `name`, `-` and a hash that only the CLI can
    /// compute.
    cut: bool,
}

impl Project {
    /// Returns the project of this working directory.
    pub(crate) fn of(cwd: &Path) -> Self {
        let mut name = slug(cwd);
        let cut = name.len() > LONGEST_SLUG;
        name.truncate(LONGEST_SLUG);
        Self { name, cut }
    }

    /// Whether a directory of this name belongs to the project.
    pub(crate) fn owns(&self, folder: &str) -> bool {
        let plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match folder.strip_prefix(&self.name) {
            Some(rest) if self.cut => rest.strip_prefix('-').is_some_and(plain),
            Some(rest) => rest.is_empty(),
            None => false,
        }
    }

    /// Returns the directory's name, if it does not contain a hash.
    pub(crate) fn folder(&self) -> Option<&str> {
        (!self.cut).then_some(&self.name)
    }

    /// Returns the name of a directory in which the CLI finds a transcript stored under this project key.
    pub(crate) fn folder_for(&self, project_key: &str) -> String {
        if self.owns(project_key) {
            return project_key.to_owned();
        }
        if self.cut { format!("{}-0", self.name) } else { self.name.clone() }
    }
}

/// Finds the transcript in the project of the working directory, or else in another one: the CLI moves it when
/// it enters a worktree.
pub(crate) fn find(config_dir: &Path, cwd: &Path, session_id: &str) -> Option<PathBuf> {
    let (projects, file) = (config_dir.join("projects"), format!("{session_id}.jsonl"));
    let project = Project::of(cwd);
    let mut folders: Vec<_> = fs::read_dir(projects).ok()?.flatten().collect();
    folders.sort_by_key(|folder| !project.owns(&folder.file_name().to_string_lossy()));
    folders.into_iter().map(|folder| folder.path().join(&file)).find(|path| path.is_file())
}

/// The CLI's name for a directory: each UTF-16 unit except ASCII letters and digits becomes `-`.
fn slug(cwd: &Path) -> String {
    let keep = |unit: u16| u8::try_from(unit).ok().filter(u8::is_ascii_alphanumeric).map_or('-', char::from);
    cwd.to_string_lossy().encode_utf16().map(keep).collect()
}

fn holds_a_message(path: &Path) -> io::Result<bool> {
    const NEEDLE: &[u8] = br#""type":"user""#;
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.windows(NEEDLE.len()).any(|window| window == NEEDLE) {
            return Ok(true);
        }
        line.clear();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5b181949-e7a5-4552-9814-74e14b23ec5d";

    fn folder(name: &str) -> PathBuf {
        let root =
            std::env::temp_dir().join(format!("agent-webkit-transcript-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join("projects")).unwrap();
        root
    }

    fn write(root: &Path, slug: &str, text: &str) -> PathBuf {
        let dir = root.join("projects").join(slug);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("{ID}.jsonl")), text).unwrap();
        dir
    }

    #[test]
    fn folders_are_named_as_the_cli_names_them() {
        assert_eq!(slug(Path::new("/tmp/cl/wö rk.s_x")), "-tmp-cl-w--rk-s-x");
        assert_eq!(slug(Path::new("/a/😀")), "-a---");
    }

    #[test]
    fn a_project_knows_its_folders() {
        let short = Project::of(Path::new("/w/s"));
        assert_eq!(short.folder_for("-w-s"), "-w-s");
        assert_eq!(short.folder_for("-w-s-2"), "-w-s");
        let long = Project::of(Path::new(&format!("/{}", "x".repeat(250))));
        let cut = format!("-{}", "x".repeat(199));
        assert_eq!(long.folder_for(&format!("{cut}-kz3brb")), format!("{cut}-kz3brb"));
        for other in ["-w-s".to_owned(), format!("{cut}-../.."), cut.clone()] {
            assert_eq!(long.folder_for(&other), format!("{cut}-0"));
        }
    }

    #[test]
    fn a_transcript_with_a_message_can_be_gone_on_from() {
        let root = folder("good");
        assert!(!can_resume(&root, Path::new("/w/s"), ID).unwrap());
        write(&root, "-w-s", "{\"type\":\"queue-operation\"}\n{\"parentUuid\":null,\"type\":\"user\"}\n");
        assert!(can_resume(&root, Path::new("/w/s"), ID).unwrap());
        assert!(can_resume(&root, Path::new("/w/other"), ID).unwrap(), "it moved to a worktree");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_transcript_without_one_is_moved_aside() {
        let root = folder("torn");
        let dir = write(&root, "-w-s", "{\"type\":\"queue-operation\"}\n{\"ty");
        assert!(!can_resume(&root, Path::new("/w/s"), ID).unwrap());
        assert!(!dir.join(format!("{ID}.jsonl")).exists());
        assert!(dir.join(format!("{ID}.jsonl.unusable")).exists());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn long_directories_are_found_by_their_beginning() {
        let root = folder("long");
        let cwd = PathBuf::from(format!("/{}", "x".repeat(250)));
        write(&root, &format!("-{}-kz3brb", "x".repeat(199)), "{\"type\":\"user\"}\n");
        assert!(can_resume(&root, &cwd, ID).unwrap());
        fs::remove_dir_all(root).unwrap();
    }
}
