//! The entries that hold kept files.

use std::{borrow::Cow, path::Path, str};

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::storage::transcripts::Entry;

/// The subpath of the session's key under which its files are stored.
pub(crate) const SUBPATH: &str = "agent-webkit/files";

/// The type of an entry that holds a version of a file.
const FILE: &str = "agent_webkit_file";

/// The type of an entry that names a config directory.
const CONFIG_DIR: &str = "agent_webkit_config_dir";

#[derive(Serialize)]
struct Written<'a> {
    r#type: &'a str,
    uuid: String,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<bool>,
}

/// The maximum size of [`file`]'s entry for a file of this length, in bytes.
pub(super) const fn max_size(length: u64) -> u64 {
    const MEMBERS: u64 = 4 << 10;
    2 * length + MEMBERS
}

/// The entry of a file's new version.
pub(super) fn file(path: &str, content: &[u8]) -> Option<Entry> {
    // Control characters take six bytes in JSON: hex digits are shorter then.
    let text = str::from_utf8(content).ok().and_then(|text| to_raw_value(text).ok());
    let text = text.filter(|text| text.get().len() <= 2 * content.len() + 2);
    let hex = text.is_none().then(|| hex::encode(content));
    entry(&Written { text, hex, ..written(FILE, path) })
}

/// The entry of a file that the agent removed.
pub(super) fn removed(path: &str) -> Option<Entry> {
    entry(&Written { removed: Some(true), ..written(FILE, path) })
}

/// The entry that names an agent's config directory. `None` if its path is not UTF-8.
pub(super) fn config_dir(path: &Path) -> Option<Entry> {
    entry(&written(CONFIG_DIR, path.to_str()?))
}

fn written<'a>(r#type: &'a str, path: &'a str) -> Written<'a> {
    let uuid = uuid::Uuid::new_v4().to_string();
    Written { r#type, uuid, path, text: None, hex: None, removed: None }
}

fn entry(written: &Written<'_>) -> Option<Entry> {
    Entry::new(to_raw_value(written).ok()?)
}

/// What an entry holds.
#[derive(Debug)]
pub(super) enum Record<'a> {
    File { path: Cow<'a, str>, version: Version<'a> },
    ConfigDir(Cow<'a, str>),
}

/// A version of a file, as stored.
#[derive(Debug)]
pub(super) enum Version<'a> {
    Text(&'a RawValue),
    Hex(&'a RawValue),
    Removed,
}

impl Version<'_> {
    /// The file's content. `None` if there is none, or none that can be read.
    pub(super) fn content(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => serde_json::from_str(text.get()).ok().map(String::into_bytes),
            Self::Hex(digits) => hex::decode(serde_json::from_str::<&str>(digits.get()).ok()?).ok(),
            Self::Removed => None,
        }
    }
}

/// Reads an entry. `None` if it has another type or another form.
pub(super) fn record(entry: &Entry) -> Option<Record<'_>> {
    #[derive(Deserialize)]
    struct Read<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
        #[serde(borrow)]
        path: Cow<'a, str>,
        #[serde(borrow)]
        text: Option<&'a RawValue>,
        #[serde(borrow)]
        hex: Option<&'a RawValue>,
        #[serde(default)]
        removed: bool,
    }
    let read: Read<'_> = serde_json::from_str(entry.json().get()).ok()?;
    match &*read.r#type {
        CONFIG_DIR => Some(Record::ConfigDir(read.path)),
        FILE => {
            let version = match (read.removed, read.text, read.hex) {
                (true, ..) => Version::Removed,
                (false, Some(text), _) => Version::Text(text),
                (false, None, hex) => Version::Hex(hex?),
            };
            Some(Record::File { path: read.path, version })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_text_where_that_is_no_longer_than_hex_digits() {
        for (content, member) in
            [("# a plan\n\"ö\"".as_bytes(), "text"), (b"", "text"), (b"\xff\0", "hex"), (&[1; 100], "hex")]
        {
            let entry = file("plans/a.md", content).unwrap();
            let json = entry.json().get();
            assert!(json.contains(&format!("\"{member}\":")), "{json}");
            assert!(json.len() as u64 <= max_size(content.len() as u64));
            assert_eq!(entry.uuid().unwrap().len(), 36);
            let Some(Record::File { path, version }) = record(&entry) else { panic!("{json}") };
            assert_eq!((&*path, version.content().unwrap()), ("plans/a.md", content.to_owned()));
        }
    }

    #[test]
    fn what_is_no_record_is_not_read() {
        for json in [
            "{}",
            r#"{"type":"user","path":"a","text":""}"#,
            r#"{"type":"agent_webkit_file","path":"a"}"#,
            r#"{"type":"agent_webkit_file","path":1,"text":""}"#,
        ] {
            assert!(record(&json.parse().unwrap()).is_none(), "{json}");
        }
        let entry: Entry = r#"{"type":"agent_webkit_file","path":"a","hex":"0g"}"#.parse().unwrap();
        let Some(Record::File { version, .. }) = record(&entry) else { panic!("it has the right form") };
        assert_eq!(version.content(), None);
    }
}
