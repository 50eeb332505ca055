//! Where the CLI keeps a session's transcript, and whether it can go on from it.
//!
//! Measured: `--resume` of a session without a transcript, or with one that holds no message yet (the
//! CLI was killed while it wrote the first), ends the process; so does `--session-id` whenever the file
//! exists. So the file decides, and one that is of no use to either is moved aside.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

/// A longer folder name is cut here by the CLI, which then appends a hash.
const LONGEST_SLUG: usize = 200;

/// A session's transcript can be gone on from. One that cannot is moved out of the way.
pub(super) fn can_resume(config_dir: &Path, cwd: &Path, session_id: &str) -> io::Result<bool> {
    let Some(path) = find(config_dir, cwd, session_id) else { return Ok(false) };
    if holds_a_message(&path)? {
        return Ok(true);
    }
    fs::rename(&path, path.with_extension("jsonl.unusable"))?;
    Ok(false)
}

fn find(config_dir: &Path, cwd: &Path, session_id: &str) -> Option<PathBuf> {
    let (projects, file) = (config_dir.join("projects"), format!("{session_id}.jsonl"));
    let slug = slug(cwd);
    let Some(cut) = slug.get(..LONGEST_SLUG).filter(|cut| cut.len() < slug.len()) else {
        return Some(projects.join(slug).join(file)).filter(|path| path.is_file());
    };
    let folders = fs::read_dir(projects).ok()?.flatten();
    folders
        .filter(|folder| folder.file_name().to_string_lossy().starts_with(cut))
        .map(|folder| folder.path().join(&file))
        .find(|path| path.is_file())
}

/// The CLI's name for a directory: everything but letters and digits becomes `-`, by UTF-16 unit.
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
    fn a_transcript_with_a_message_can_be_gone_on_from() {
        let root = folder("good");
        assert!(!can_resume(&root, Path::new("/w/s"), ID).unwrap());
        write(&root, "-w-s", "{\"type\":\"queue-operation\"}\n{\"parentUuid\":null,\"type\":\"user\"}\n");
        assert!(can_resume(&root, Path::new("/w/s"), ID).unwrap());
        assert!(!can_resume(&root, Path::new("/w/other"), ID).unwrap());
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
